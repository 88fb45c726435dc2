/**
 * The directory's half of a supernode, for the benchmark: the real gossip over UDP, the
 * real record store, replication and look-up, with real signatures. What a supernode does
 * besides (attached nodes, relaying) is left out, so that two hundred fit a small machine.
 */
import { setTimeout as passing } from "node:timers/promises";
import { pino } from "pino";
import { backoffMs } from "../protocol/backoff.ts";
import type { DeviceId, SupernodeId, UserId } from "../protocol/identifiers.ts";
import { type Lease, trustLease } from "../protocol/lease.ts";
import { TIMES } from "../protocol/limits.ts";
import { decodeReplicationMessage, encodeReplicationMessage } from "../protocol/replication-message.ts";
import type { Signed } from "../protocol/signed.ts";
import { GossipMembership } from "../relay/membership/gossip-membership.ts";
import type { Member } from "../relay/membership/membership-source.ts";
import { type ToldRecord, trustRecord } from "../relay/presence/trusted-record.ts";
import { type HolderAnswer, queryHolders } from "../relay/records/holder-query.ts";
import { HolderStandings } from "../relay/records/holder-standing.ts";
import { PackedRecords } from "../relay/records/packed-records.ts";
import type { LeaseRecord } from "../relay/records/record-store.ts";
import { Replication } from "../relay/records/replication.ts";
import { REPLICATION_LIMITS, ReplicationMetrics } from "../relay/records/replication-parts.ts";
import { type DirectoryFrame, DirectoryLink, type LinkOwner } from "./directory-link.ts";
import { isOpen, LOOPBACK, type Standpoint } from "./directory-standpoint.ts";

/** As relay/records/replicator.ts, relay/presence/look-up.ts and relay/relay-times.ts have them. */
const TICK_MS = 100;
const UNSETTLED_MS = 15_000;
const ANSWERS_FOR_NOTHING = 3;
const REQUEST_MS = 5_000;
const CONNECT_EVERY_MS = 20;

export interface LookUpOutcome {
  readonly isFound: boolean;
  readonly requests: number;
  readonly tookMs: number;
}

interface Question {
  readonly link: DirectoryLink;
  readonly userId: UserId;
  readonly answered: (answer: HolderAnswer) => void;
}

const SILENT: HolderAnswer = { kind: "failed", fault: "silent" };

export class DirectorySupernode implements LinkOwner {
  readonly #standpoint: Standpoint;
  readonly #membership: GossipMembership;
  #replicas: number;
  #records: PackedRecords;
  #replication: Replication;
  readonly #standings = new HolderStandings();
  readonly #links = new Map<SupernodeId, DirectoryLink>();
  /** Who could not be reached, and when that may be tried again (relay/links/link.ts). */
  readonly #failed = new Map<SupernodeId, { readonly times: number; readonly untilMs: number }>();
  readonly #questions = new Map<number, Question>();
  #nextQuestion = 1;
  #changedAt = Number.NEGATIVE_INFINITY;

  /** @param seeds certified supernodes, as the login server lists them */
  constructor(standpoint: Standpoint, replicas: number, seeds: readonly Member[]) {
    this.#standpoint = standpoint;
    this.#replicas = replicas;
    const { anchor, self, secretKey, port, otherPort, server } = standpoint;
    server.on("connection", (socket) => new DirectoryLink(socket, this));
    this.#membership = new GossipMembership({
      self,
      secretKey,
      anchor,
      seeds,
      port,
      otherPort,
      mayDial: (address) => address === LOOPBACK,
      probeTcp: (certificate) => isOpen(certificate.port),
      memory: { read: () => null, write: () => undefined },
      random: Math.random,
      log: pino({ level: "silent" }),
    });
    this.#records = emptyRecords();
    this.#replication = this.#newReplication();
    this.#membership.onChange(({ kind }) => {
      if (kind === "renewed") return;
      this.#changedAt = anchor.now();
      this.#replication.membersChanged(this.#changedAt);
    });
    setInterval(() => this.#replication.tick(anchor.now()), TICK_MS);
  }

  get id(): SupernodeId {
    return this.#standpoint.self.value.supernodeId;
  }

  get members(): Iterable<SupernodeId> {
    return this.#membership.members().keys();
  }

  get memberCount(): number {
    return this.#membership.members().size;
  }

  /**
   * Opens the links that look-ups would open in the first minutes: in earnest they stay open (relay/links/link.ts).
   * The supernode with the lower ID connects.
   */
  async connect(): Promise<void> {
    for (const id of [...this.members]) {
      if (id <= this.id) continue;
      this.#link(id);
      await passing(CONNECT_EVERY_MS);
    }
  }

  /** Forgets all records, and keeps so many replicas from now on. */
  beginAnew(replicas: number): void {
    this.#replicas = replicas;
    this.#records = emptyRecords();
    this.#replication = this.#newReplication();
  }

  hold(lease: Signed<Lease>): void {
    this.#records.put(lease, this.#standpoint.anchor.now());
  }

  holds(userId: UserId, deviceId: DeviceId): boolean {
    return this.#records.sequenceOf(userId, deviceId) !== null;
  }

  /** Of whom there is a record here. */
  userIds(): Iterable<UserId> {
    return this.#records.userIds();
  }

  lookUp(userId: UserId): Promise<LookUpOutcome> {
    const { anchor } = this.#standpoint;
    const startedAt = performance.now();
    const holders = this.#membership
      .holdersOf(userId, this.#replicas)
      .sort((a, b) => Number(b === this.id) - Number(a === this.id));
    const isUnsettled = this.#replication.isRepairing || anchor.now() - this.#changedAt < UNSETTLED_MS;
    const options = {
      confidence: "first",
      answersForNothing: isUnsettled ? holders.length : ANSWERS_FOR_NOTHING,
      hedgeMs: TIMES.lookupHedgeMs,
      patienceMs: REQUEST_MS,
    } as const;
    const network = {
      ask: (holder: SupernodeId, answered: (answer: HolderAnswer) => void) => this.#ask(holder, userId, answered),
      after(ms: number, task: () => void) {
        const timer = setTimeout(task, ms);
        return () => clearTimeout(timer);
      },
      now: anchor.now,
    };
    return new Promise((resolve) =>
      queryHolders(holders, options, this.#standings, network, ({ records, requests }) =>
        resolve({ isFound: records.length > 0, requests, tookMs: performance.now() - startedAt }),
      ),
    );
  }

  received(frame: DirectoryFrame, link: DirectoryLink): void {
    switch (frame.type) {
      case "hello":
        link.peer = frame.from;
        if (!this.#links.has(frame.from)) this.#links.set(frame.from, link);
        return;
      case "find":
        link.send({ type: "found", request: frame.request, records: this.#recordsOf(frame.userId) });
        return;
      case "found": {
        const question = this.#questions.get(frame.request);
        this.#questions.delete(frame.request);
        question?.answered(this.#told(question.userId, frame.records));
        return;
      }
      case "replicate":
        if (!link.peer) return;
        this.#replication.receive(link.peer, decodeReplicationMessage(frame.message), this.#standpoint.anchor.now());
        return;
      default:
        frame satisfies never;
    }
  }

  closed(link: DirectoryLink): void {
    for (const [request, question] of this.#questions) {
      if (question.link !== link) continue;
      this.#questions.delete(request);
      question.answered(SILENT);
    }
    if (!link.peer || this.#links.get(link.peer) !== link) return;
    this.#links.delete(link.peer);
    if (!link.wasOpen) {
      const times = (this.#failed.get(link.peer)?.times ?? 0) + 1;
      this.#failed.set(link.peer, { times, untilMs: performance.now() + backoffMs(times - 1, Math.random()) });
      return;
    }
    this.#standings.report(link.peer, "silent", this.#standpoint.anchor.now());
    this.#membership.linkLost(link.peer);
  }

  #newReplication(): Replication {
    const { anchor } = this.#standpoint;
    return new Replication(
      {
        self: this.id,
        store: this.#records,
        members: { has: (id) => this.#membership.members().has(id), placement: () => this.#membership.placement() },
        replicas: this.#replicas,
        limits: REPLICATION_LIMITS,
        metrics: new ReplicationMetrics(),
        random: Math.random,
        trustLease: (lease) => trustLease(anchor.networkId, anchor.now(), lease),
        send: (to, message) => this.#link(to)?.send({ type: "replicate", message: encodeReplicationMessage(message) }),
      },
      anchor.now(),
    );
  }

  #ask(holder: SupernodeId, userId: UserId, answered: (answer: HolderAnswer) => void): void {
    if (holder === this.id) {
      queueMicrotask(() => answered(this.#told(userId, this.#recordsOf(userId))));
      return;
    }
    const link = this.#link(holder);
    if (!link) {
      queueMicrotask(() => answered(SILENT));
      return;
    }
    const request = this.#nextQuestion++;
    this.#questions.set(request, { link, userId, answered });
    link.send({ type: "find", request, userId });
  }

  #recordsOf(userId: UserId): ToldRecord[] {
    const records = this.#records.find(userId, this.#standpoint.anchor.now());
    return records.map(({ lease, gone, lastSeenAt }) => ({ lease: lease.bytes, gone, lastSeenAt }));
  }

  #told(userId: UserId, records: readonly ToldRecord[]): HolderAnswer {
    return { kind: "told", checked: () => this.#checked(userId, records) };
  }

  /** All records of an answer hold, or the answer does not. */
  #checked(userId: UserId, told: readonly ToldRecord[]): LeaseRecord[] | null {
    try {
      return told.map((record) => trustRecord(this.#standpoint.anchor, userId, record));
    } catch {
      return null;
    }
  }

  /** The connection to another member, opened now if there is none. */
  #link(to: SupernodeId): DirectoryLink | undefined {
    const known = this.#links.get(to);
    const member = this.#membership.members().get(to);
    if (known || !member) return known;
    if ((this.#failed.get(to)?.untilMs ?? 0) > performance.now()) return undefined;
    const link = DirectoryLink.open(member.value.port, this);
    link.peer = to;
    link.send({ type: "hello", from: this.id });
    this.#links.set(to, link);
    return link;
  }
}

/** Few records each, so few segments of an index. */
function emptyRecords(): PackedRecords {
  return new PackedRecords([1, 2], { segmentBits: 4 });
}
