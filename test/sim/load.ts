/** What the directory costs each supernode: between two moments, of those that were up at both. */
import type { SimDirectory } from "./sim-directory.ts";
import type { SimNode } from "./sim-node.ts";

/** Per supernode and second, unless it says otherwise. */
export interface Load {
  readonly seconds: number;
  readonly supernodes: number;
  /** Sent. */
  readonly gossipBytes: number;
  /** Of the one in a hundred that sends most. */
  readonly gossipBytesP99: number;
  readonly gossipPackets: number;
  readonly probes: number;
  readonly signaturesChecked: number;
  readonly replicationBytes: number;
  readonly registrationBytes: number;
  /** Replicas made anew. */
  readonly repairs: number;
  /** Suspicions that their subjects have refuted, an hour. */
  readonly refutationsPerHour: number;
}

interface Meter {
  readonly bytes: number;
  readonly packets: number;
  readonly probes: number;
  readonly checks: number;
  readonly refutations: number;
  readonly replication: number;
  readonly repairs: number;
}

export class LoadMeter {
  readonly #directory: SimDirectory;
  readonly #startedAt: number;
  readonly #registrationBytes: number;
  readonly #before: ReadonlyMap<SimNode, Meter>;

  constructor(directory: SimDirectory) {
    this.#directory = directory;
    this.#startedAt = directory.now;
    this.#registrationBytes = directory.registrationBytes;
    this.#before = new Map(directory.gossip.up.map((node) => [node, read(directory, node)]));
  }

  /** From when the meter was made until now. */
  load(): Load {
    const seconds = (this.#directory.now - this.#startedAt) / 1_000;
    const nodes = [...this.#before].filter(([node]) => node.isUp);
    const spent = nodes.map(([node, before]) => ({ before, after: read(this.#directory, node) }));
    const each = (pick: (meter: Meter) => number) =>
      spent.reduce((sum, { before, after }) => sum + pick(after) - pick(before), 0) /
      Math.max(1, spent.length) /
      seconds;
    const bytes = spent.map(({ before, after }) => (after.bytes - before.bytes) / seconds).sort((a, b) => a - b);
    const registered = this.#directory.registrationBytes - this.#registrationBytes;
    return {
      seconds,
      supernodes: spent.length,
      gossipBytes: Math.round(each((meter) => meter.bytes)),
      gossipBytesP99: Math.round(bytes[Math.floor(bytes.length * 0.99)] ?? 0),
      gossipPackets: rounded(each((meter) => meter.packets)),
      probes: rounded(each((meter) => meter.probes)),
      signaturesChecked: rounded(each((meter) => meter.checks)),
      replicationBytes: Math.round(each((meter) => meter.replication)),
      registrationBytes: Math.round(registered / Math.max(1, spent.length) / seconds),
      repairs: rounded(each((meter) => meter.repairs)),
      refutationsPerHour: rounded(3_600 * each((meter) => meter.refutations)),
    };
  }
}

function read(directory: SimDirectory, node: SimNode): Meter {
  const holder = directory.holder(node);
  const { metrics } = node.core;
  return {
    bytes: node.sentBytes,
    packets: node.sentPackets,
    probes: metrics.probes,
    checks: metrics.signaturesChecked,
    refutations: metrics.selfRefutations,
    replication: holder?.sentBytes ?? 0,
    repairs: holder?.metrics.adopted ?? 0,
  };
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}
