/** A network of supernodes for the directory's benchmark: processes with some supernodes each, which can be killed. */
import { randomBytes } from "node:crypto";
import { setTimeout as passing } from "node:timers/promises";
import { decodeSupernodeCertificate } from "../protocol/certificate.ts";
import { DeviceId, InboxId, type SupernodeId, type UserId } from "../protocol/identifiers.ts";
import { encodeLease } from "../protocol/lease.ts";
import { LEASE_REPLICAS, TIMES } from "../protocol/limits.ts";
import { networkIdOf, nodeSignatures, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";
import { signBody } from "../protocol/signed.ts";
import type { DirectoryOrders } from "./directory-host.ts";
import type { LookUpOutcome } from "./directory-supernode.ts";
import { Failure } from "./failure.ts";
import { OrderedProcess } from "./host-orders.ts";

/** It is processes that are killed, so there are ten or more; and as few as that allows, for each costs memory and time. */
const PROCESSES = 10;
const MOST_PER_PROCESS = 20;
/** Asking whether all is whole costs the supernodes' processes some time as well. */
const POLL_MS = 250;
/** Nobody is taken for dead sooner, so nothing can be whole. */
const DETECTION_MS = 3_000;
/** For one process of supernodes to be known to all. */
const JOIN_MS = 120_000;
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
  readonly #networkSeed = randomBytes(32).toString("hex");
  readonly #leases: readonly MadeLease[];
  readonly #say: (what: string) => void;
  #replicas = LEASE_REPLICAS;
  #hosts: Host[] = [];
  /** Of which no copy was left. */
  readonly #lost = new Set<MadeLease>();

  /** @param say tells whoever waits how far it is */
  constructor(records: number, say: (what: string) => void) {
    this.#say = say;
    this.#leases = Array.from({ length: records }, () => madeLease(this.#networkSeed));
  }

  get size(): number {
    return this.#members.length;
  }

  /** Starts more supernodes until there are so many, and waits until all know all. The first begin the network. */
  async growTo(supernodes: number): Promise<void> {
    while (this.size < supernodes) {
      // A process at a time: as many newcomers as supernodes are in it, all at once.
      const host = await this.#openHost(Math.min(perProcess(supernodes), supernodes - this.size));
      this.#hosts.push(host);
      const certificates = this.#hosts.flatMap((each) => each.certificates);
      await host.process.order("join", { certificates });
      await this.#allKnowAll();
      this.#say(`${this.size} of ${supernodes} supernodes know each other`);
    }
    const leases = this.#leases.map(({ bytes }) => bytes);
    await Promise.all(this.#hosts.map((host) => host.process.order("know", { leases })));
  }

  /** Begins anew with all records where they belong, on so many supernodes each. */
  async fill(replicas: number): Promise<void> {
    this.#replicas = replicas;
    this.#lost.clear();
    const leases = this.#leases.map(({ bytes }) => bytes);
    await Promise.all(this.#hosts.map((host) => host.process.order("fill", { leases, replicas })));
  }

  /** Links between all, as in a network that has lived for a while. */
  async connect(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.process.order("connect", null)));
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
    this.#hosts = this.#hosts.filter((host) => !victims.includes(host));
    // Copies that nobody has given up yet count too: whoever has one hands it on.
    const held = await this.#held();
    for (const [place, lease] of this.#leases.entries()) if (!held.has(place)) this.#lost.add(lease);
    await Promise.all(victims.map((host) => host.process.kill()));
    return 1 - this.#lost.size / this.#leases.length;
  }

  /** As whole(), after a kill. */
  async repaired(): Promise<number | null> {
    const startedAt = performance.now();
    await passing(DETECTION_MS);
    return this.whole(startedAt);
  }

  /** Waits until every replica that can be is where it belongs. @returns seconds; null: some never came */
  async whole(startedAt = performance.now()): Promise<number | null> {
    for (;;) {
      const seconds = (performance.now() - startedAt) / 1_000;
      if ((await this.missing()) === 0) return seconds;
      if (seconds * 1_000 > REPAIR_MS) return null;
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
    return this.#leases.length - (await this.#held()).size;
  }

  async end(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.process.kill()));
    this.#hosts = [];
  }

  /** Places of the records that somebody has. */
  async #held(): Promise<ReadonlySet<number>> {
    const held = await Promise.all(this.#hosts.map((host) => host.process.order("held", null)));
    return new Set(held.flat());
  }

  get #members(): SupernodeId[] {
    return this.#hosts.flatMap(({ members }) => members);
  }

  async #openHost(supernodes: number): Promise<Host> {
    const host = await OrderedProcess.start<DirectoryOrders>("directory-host");
    const order = { supernodes, networkSeed: this.#networkSeed, replicas: this.#replicas };
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

/** How many run in one process, of so many in all. */
export function perProcess(supernodes: number): number {
  return Math.max(1, Math.min(MOST_PER_PROCESS, Math.floor(supernodes / PROCESSES)));
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
