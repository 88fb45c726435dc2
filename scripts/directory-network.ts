/** A network of supernodes for the directory's benchmark: processes with ten supernodes each, which can be killed. */
import { randomBytes } from "node:crypto";
import { setTimeout as passing } from "node:timers/promises";
import { decodeSupernodeCertificate } from "../protocol/certificate.ts";
import { DeviceId, InboxId, type SupernodeId, type UserId } from "../protocol/identifiers.ts";
import { encodeLease } from "../protocol/lease.ts";
import { TIMES } from "../protocol/limits.ts";
import { networkIdOf, nodeSignatures, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";
import { signBody } from "../protocol/signed.ts";
import { PlacementTable } from "../relay/records/placement-table.ts";
import type { DirectoryOrders } from "./directory-host.ts";
import type { LookUpOutcome } from "./directory-supernode.ts";
import { Failure } from "./failure.ts";
import { OrderedProcess } from "./host-orders.ts";

/** Supernodes in one process: it is processes that are killed. */
export const PER_PROCESS = 10;
/** Asking whether all is whole costs the supernodes' processes some time as well. */
const POLL_MS = 500;
const JOIN_MS = 240_000;
const REPAIR_MS = 120_000;
/** A sealed body as clients send it. */
const SEALED_BODY_BYTES = 48;

interface Host {
  readonly process: OrderedProcess<DirectoryOrders>;
  readonly certificates: readonly string[];
  readonly members: readonly SupernodeId[];
}

interface MadeLease {
  readonly userId: UserId;
  readonly bytes: string;
}

export class DirectoryNetwork {
  readonly #replicas: number;
  readonly #networkSeed = randomBytes(32).toString("hex");
  readonly #leases: readonly MadeLease[];
  #hosts: Host[] = [];
  /** All of whose holders were killed. */
  readonly #lost = new Set<MadeLease>();

  constructor(replicas: number, records: number) {
    this.#replicas = replicas;
    this.#leases = Array.from({ length: records }, () => madeLease(this.#networkSeed));
  }

  get size(): number {
    return this.#hosts.length * PER_PROCESS;
  }

  /** Starts more supernodes and waits until all know all. The first begin the network. */
  async grow(supernodes: number): Promise<void> {
    for (let left = supernodes / PER_PROCESS; left > 0; ) {
      // The very first alone, so that there is a network to join; then a few at a time, for each costs all the others.
      const processes = this.#hosts.length === 0 ? 1 : Math.min(left, 2);
      const hosts = await Promise.all(Array.from({ length: processes }, () => this.#openHost()));
      this.#hosts.push(...hosts);
      const certificates = this.#hosts.flatMap((host) => host.certificates);
      await Promise.all(hosts.map((host) => host.process.order("join", { certificates })));
      await this.#allKnowAll();
      process.stderr.write(`${this.size} supernodes know each other\n`);
      left -= processes;
    }
    const leases = this.#leases.map(({ bytes }) => bytes);
    await Promise.all(this.#hosts.map((host) => host.process.order("know", { leases })));
  }

  /** Puts each record where it belongs. */
  async fill(): Promise<void> {
    const leases = this.#leases.map(({ bytes }) => bytes);
    await Promise.all(this.#hosts.map((host) => host.process.order("fill", { leases })));
  }

  /** Looks so many records up, each once as long as there are enough, from everywhere, spread over this time. */
  async lookUp(count: number, overMs: number): Promise<LookUpOutcome[]> {
    const start = Math.floor(Math.random() * this.#leases.length);
    const chosen = Array.from(
      { length: count },
      (_, at) => this.#leases[(start + at) % this.#leases.length] as MadeLease,
    );
    const byHost = this.#hosts.map((_, host) =>
      chosen.filter((_lease, at) => at % this.#hosts.length === host).map(({ userId }) => userId),
    );
    const outcomes = await Promise.all(
      this.#hosts.map(({ process: ordered }, host) => ordered.order("lookUp", { userIds: byHost[host] ?? [], overMs })),
    );
    return outcomes.flat();
  }

  /**
   * Kills this share of the processes at once, when all is whole.
   * @returns the share of the records that have a living replica
   */
  async kill(share: number): Promise<number> {
    const victims = shuffled(this.#hosts).slice(0, Math.round(this.#hosts.length * share));
    const dead = new Set(victims.flatMap(({ members }) => members));
    const before = new PlacementTable(this.#members);
    for (const lease of this.#leases) {
      if (before.holders(lease.userId, this.#replicas).every((id) => dead.has(id))) this.#lost.add(lease);
    }
    this.#hosts = this.#hosts.filter((host) => !victims.includes(host));
    await Promise.all(victims.map((host) => host.process.kill()));
    return 1 - this.#lost.size / this.#leases.length;
  }

  /** Waits until every replica that can be is where it belongs. @returns seconds */
  async whole(): Promise<number> {
    const startedAt = performance.now();
    for (;;) {
      const seconds = (performance.now() - startedAt) / 1_000;
      if ((await this.missing()) === 0) return seconds;
      if (seconds * 1_000 > REPAIR_MS) throw new Failure(`${await this.missing()} replicas are still missing.`);
      await passing(POLL_MS);
    }
  }

  /** Replicas that should be there and are not, of records that somebody still has. */
  async missing(): Promise<number> {
    const members = this.#members;
    const missing = await Promise.all(this.#hosts.map((host) => host.process.order("missing", { members })));
    return missing.reduce((sum, count) => sum + count, 0) - this.#lost.size * Math.min(this.#replicas, members.length);
  }

  /** Records that nobody has any more. */
  async lost(): Promise<number> {
    const held = await Promise.all(this.#hosts.map((host) => host.process.order("held", null)));
    return this.#leases.length - new Set(held.flat()).size;
  }

  async end(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.process.kill()));
    this.#hosts = [];
  }

  get #members(): SupernodeId[] {
    return this.#hosts.flatMap(({ members }) => members);
  }

  async #openHost(): Promise<Host> {
    const host = await OrderedProcess.start<DirectoryOrders>("directory-host");
    const order = { supernodes: PER_PROCESS, networkSeed: this.#networkSeed, replicas: this.#replicas };
    const certificates = await host.order("open", order);
    const members = certificates.map(
      (bytes) => decodeSupernodeCertificate(Buffer.from(bytes, "base64")).value.supernodeId,
    );
    return { process: host, certificates, members };
  }

  async #allKnowAll(): Promise<void> {
    const deadline = performance.now() + JOIN_MS;
    for (;;) {
      const counts = await Promise.all(this.#hosts.map((host) => host.process.order("members", null)));
      const fewest = Math.min(...counts.map((count) => count.fewest));
      if (fewest >= this.size) return;
      if (performance.now() > deadline)
        throw new Failure(`A supernode knows ${fewest} of ${this.size} after ${JOIN_MS / 1_000} s.`);
      await passing(POLL_MS);
    }
  }
}

function madeLease(networkSeed: string): MadeLease {
  const { publicKey, secretKey } = signingKeyPair();
  const userId = userIdOf(publicKey);
  const now = Date.now();
  const lease = encodeLease({
    networkId: networkIdOf(signingKeyPair(Buffer.from(networkSeed, "hex")).publicKey),
    userId,
    signKey: publicKey,
    deviceId: DeviceId.parse(randomBytes(16).toString("hex")),
    home: randomBytes(20).toString("hex") as SupernodeId,
    inbox: InboxId.parse(randomBytes(16).toString("hex")),
    sequence: now,
    issuedAt: now,
    validityMs: TIMES.leaseValidityMs,
    sealedBody: randomBytes(SEALED_BODY_BYTES),
  });
  return { userId, bytes: Buffer.from(signBody(nodeSignatures, "lease", lease, secretKey)).toString("base64") };
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
