/**
 * Membership as a state machine: an event and the time go in, effects come out. It knows
 * no socket, no clock and no source of chance but those it is given, so that thousands of
 * it run in one process under a virtual clock (test/sim).
 */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipMessage } from "../../protocol/gossip-message.ts";
import type { Hello } from "../../protocol/gossip-packet.ts";
import type { Announcement } from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import { TokenBucket } from "../token-bucket.ts";
import { Agenda } from "./agenda.ts";
import { AntiEntropy } from "./anti-entropy.ts";
import { BroadcastQueue } from "./broadcast-queue.ts";
import { CertificateDirectory, type IsRevoked, type TrustCertificate } from "./certificate-directory.ts";
import { type GossipContext, type GossipEffect, greet, memberCount, send } from "./gossip-context.ts";
import type { GossipEvent, RememberedMember } from "./gossip-event.ts";
import { GossipMetrics, type GossipRefusal } from "./gossip-metrics.ts";
import { GOSSIP_LIMITS, type GossipTimes } from "./gossip-times.ts";
import { Greetings } from "./greetings.ts";
import { Identity, type IdentityParts } from "./identity.ts";
import { IncomingNews } from "./incoming-news.ts";
import { Joining } from "./joining.ts";
import { LocalHealth } from "./local-health.ts";
import { MemberTable } from "./member-table.ts";
import type { Stage } from "./membership-source.ts";
import { Newcomers } from "./newcomers.ts";
import type { Peer } from "./peer.ts";
import { Prober } from "./prober.ts";
import { ReachCheck } from "./reach-check.ts";
import { Reconnector } from "./reconnector.ts";
import { Roster } from "./roster.ts";
import { Spreader } from "./spreader.ts";
import { retransmissions } from "./suspicion-timeout.ts";
import { Wishes } from "./wishes.ts";

export interface GossipCoreOptions extends IdentityParts {
  /** Supernodes to begin with. */
  readonly seeds: Iterable<Signed<SupernodeCertificate>>;
  readonly trustCertificate: TrustCertificate;
  readonly isRevoked?: IsRevoked | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly times: GossipTimes;
}

/** Those whom we tell ourselves that we leave; they tell the others. */
const TOLD_OF_LEAVING = 8;

export class GossipCore {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  readonly #prober: Prober;
  readonly #wishes: Wishes;
  readonly #antiEntropy: AntiEntropy;
  readonly #joining: Joining;
  readonly #newcomers: Newcomers;
  readonly #reachCheck: ReachCheck;
  readonly #reconnector: Reconnector;
  readonly #greetings: Greetings;
  readonly #inquiries: TokenBucket;
  readonly #news: IncomingNews;
  readonly #spreader: Spreader;
  #effects: GossipEffect[] = [];

  /** @param now ms since 1970, never going back, as in `handle` */
  constructor(options: GossipCoreOptions, now: number) {
    const metrics = new GossipMetrics();
    const trust: TrustCertificate = (bytes) => {
      metrics.signaturesChecked++;
      return options.trustCertificate(bytes);
    };
    const context: GossipContext = {
      now,
      stage: { kind: "joining" },
      self: new Identity(options, now),
      table: new MemberTable(options.random),
      certificates: new CertificateDirectory(trust, options.isRevoked),
      queue: new BroadcastQueue(),
      agenda: new Agenda(),
      health: new LocalHealth(),
      times: options.times,
      metrics,
      scheme: options.scheme,
      random: options.random,
      emit: (effect) => this.#effects.push(effect),
    };
    this.#context = context;
    for (const seed of options.seeds) context.certificates.add(seed);
    this.#inquiries = new TokenBucket(GOSSIP_LIMITS.inquiryBurst, GOSSIP_LIMITS.inquiriesPerSecond);
    this.#wishes = new Wishes(context);
    this.#antiEntropy = new AntiEntropy(context, this.#wishes, {
      onSignOfLife: (peer) => this.#reconnector.remind(peer),
      onDisputed: (peer) => this.#prober.probeNow(peer),
    });
    this.#roster = new Roster(context, {
      onUnknown: (from, id, withCertificate) => this.#wishes.ask(from, id, withCertificate),
      onAdmitted: (by, isFirst) => this.#onAdmitted(by, isFirst),
      onSecondOpinion: (peer) => this.#prober.probeNow(peer),
    });
    this.#prober = new Prober(context, this.#roster, (bytes) =>
      context.queue.take(bytes, retransmissions(memberCount(context))),
    );
    this.#news = new IncomingNews(context, this.#roster);
    this.#spreader = new Spreader(context);
    this.#newcomers = new Newcomers(context, this.#roster);
    this.#reachCheck = new ReachCheck(context, this.#roster);
    this.#reconnector = new Reconnector(context, this.#roster);
    this.#joining = new Joining(context, () => this.#onFounded());
    this.#greetings = new Greetings(context, this.#roster, {
      onHello: (hello, peer) => {
        this.#joining.onHello(hello);
        this.#newcomers.onHello(peer);
        if (peer.status === "dead") this.#reconnector.remind(peer);
        this.#newcomers.consider(peer);
      },
    });
  }

  get id(): SupernodeId {
    return this.#context.self.id;
  }

  /** Our present one. */
  get announcement(): Signed<Announcement> {
    return this.#context.self.announcement;
  }

  get stage(): Stage {
    return this.#context.stage;
  }

  get metrics(): GossipMetrics {
    return this.#context.metrics;
  }

  /** The other members: alive, or suspected and not yet concluded to be dead. */
  get members(): readonly Peer[] {
    return this.#context.table.live;
  }

  /** All members, this one included, as `remember` takes them. */
  known(): RememberedMember[] {
    return [this.#context.self, ...this.members].flatMap(({ certificate, item }) =>
      item ? [{ certificate, item }] : [],
    );
  }

  /** Supernodes that may be members, without this one. */
  certified(): Signed<SupernodeCertificate>[] {
    return this.#joining.seeds();
  }

  /** Our half of a hello. */
  hello(isAnswer: boolean): Hello {
    const { certificate, announcement } = this.#context.self;
    return { certificate, announcement, isAnswer, isMember: this.stage.kind === "member" };
  }

  peer(id: SupernodeId): Peer | undefined {
    return this.#context.table.get(id);
  }

  /** Where a supernode is now, by the newest certificate that we know. */
  certificateOf(id: SupernodeId): Signed<SupernodeCertificate> | undefined {
    return this.#context.certificates.get(id) ?? this.#context.table.get(id)?.certificate;
  }

  nextWakeAt(): number {
    return this.#context.agenda.nextAt();
  }

  /** A packet that the transport has refused. */
  count(refusal: GossipRefusal): void {
    this.#context.metrics.refused[refusal]++;
  }

  handle(event: GossipEvent, now: number): GossipEffect[] {
    this.#context.now = Math.max(this.#context.now, now);
    this.#dispatch(event);
    this.#antiEntropy.flush();
    this.#spreader.soon();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #dispatch(event: GossipEvent): void {
    switch (event.type) {
      case "start":
        this.#start();
        return;
      case "wake":
        this.#wake();
        return;
      case "message":
        this.#receive(event.from, event.message);
        return;
      case "stranger":
        this.#inquire(event.supernodeId);
        return;
      case "hello":
        this.#greetings.receive(event.hello);
        return;
      case "tcp-probed":
        this.#newcomers.onTcpProbed(event.supernodeId, event.isReachable);
        this.#reachCheck.onTcpProbed(event.supernodeId, event.isReachable);
        return;
      case "link-lost": {
        const peer = this.peer(event.supernodeId);
        if (peer?.isLive) this.#prober.linkLost(peer);
        return;
      }
      case "met":
        this.#context.certificates.add(event.certificate);
        this.#reconnector.meet(event.certificate);
        return;
      case "others-take-part":
        this.#joining.onOthersTakePart();
        return;
      case "remember":
        this.#remember(event.members);
        return;
      case "certificate-renewed":
        this.#context.certificates.add(event.certificate);
        this.#roster.renewCertificate(event.certificate);
        for (const peer of this.#context.table.sample(2, null)) {
          greet(this.#context, peer.certificate, "hello");
        }
        return;
      case "leave":
        this.#leave();
        return;
      default:
        event satisfies never;
    }
  }

  #remember(members: Iterable<RememberedMember>): void {
    for (const { certificate, item } of members) {
      this.#context.certificates.add(certificate);
      if (certificate.value.supernodeId !== this.id) this.#roster.remember(certificate, item);
      else if (this.#roster.rememberSelf(item)) this.#joining.admitted();
    }
  }

  #start(): void {
    const { agenda, times, now } = this.#context;
    this.#joining.start();
    this.#prober.start();
    this.#antiEntropy.start();
    this.#reconnector.start();
    this.#reachCheck.start();
    agenda.schedule(now + times.sweepMs, () => this.#sweep());
  }

  #wake(): void {
    const { agenda, now, times, metrics, health } = this.#context;
    const lateMs = now - agenda.nextAt();
    if (Number.isFinite(lateMs) && lateMs > times.lateMs) {
      // Answers may be waiting in the socket: what we have slept does not count for anybody's deadline.
      agenda.postponeAll(lateMs);
      this.#roster.postpone(lateMs);
    }
    if (Number.isFinite(lateMs) && lateMs > times.stallMs) {
      metrics.stalls++;
      health.worsen(1);
    }
    agenda.run(now);
  }

  #receive(fromId: SupernodeId, message: GossipMessage): void {
    const { metrics, now } = this.#context;
    const from = this.peer(fromId);
    if (!from) {
      this.#inquire(fromId);
      return;
    }
    if (!from.packets().take(now)) {
      this.count("flooded");
      return;
    }
    if (from.status === "dead") this.#reconnector.remind(from);
    switch (message.type) {
      case "ping":
        this.#news.receive(message.items, from);
        this.#prober.onPing(from, message.nonce);
        return;
      case "ack":
        this.#news.receive(message.items, from);
        if (!this.#newcomers.onAck(from, message.nonce)) this.#prober.onAck(from, message.nonce);
        return;
      case "nack":
        this.#prober.onNack(from, message.nonce);
        return;
      case "gossip":
        this.#news.receive(message.items, from);
        return;
      case "summary":
        this.#antiEntropy.onSummary(from, message.ranges);
        return;
      case "unreachable":
        if (message.subject === this.id) this.#joining.turnedAway(message.by);
        else this.#newcomers.onUnreachable(from, message.subject, message.by);
        return;
    }
    if (message.type === "reached") {
      this.#reachCheck.onReached(from, message.isReached);
      return;
    }
    // What follows makes us work for the sender, so it must be a member.
    if (!from.voucher) {
      metrics.refused["not-a-member"]++;
      return;
    }
    switch (message.type) {
      case "probe":
        this.#prober.onProbe(from, message.nonce, message.target);
        return;
      case "digest":
        this.#antiEntropy.onDigest(from, message.hashes);
        return;
      case "want":
        this.#antiEntropy.onWant(from, message.wanted);
        return;
      case "reach":
        this.#reachCheck.onReach(from);
        return;
      case "vouch": {
        const peer = this.#greetings.introduce(message.certificate, message.announcement);
        if (peer) this.#newcomers.examine(peer, from);
        return;
      }
      default:
        message satisfies never;
    }
  }

  /** A member that we have not heard of yet may be probing us: whom we know may know it. */
  #inquire(id: SupernodeId): void {
    const { metrics, table, certificates, now } = this.#context;
    metrics.refused["unknown-sender"]++;
    const [somebody] = table.sample(1, id);
    if (somebody && !table.get(id) && this.#inquiries.take(now)) {
      this.#wishes.guess(somebody, id, !certificates.get(id));
    }
  }

  #onAdmitted(by: Peer, isFirst: boolean): void {
    if (this.announcement.value.leaving) return;
    // One that began a network by itself is a member already, and knows nobody of the one that lets it in.
    if (this.stage.kind !== "member") this.#joining.admitted();
    else if (!isFirst) return;
    this.#roster.tellOfSelf();
    this.#antiEntropy.learnAll(by);
    // Who has begun the network alone has nobody's word yet, and nobody else to get it from.
    this.#newcomers.consider(by);
  }

  /** Those who have greeted us while we could not yet let anybody in. */
  #onFounded(): void {
    for (const peer of [...this.#context.table.all()]) {
      if (peer.status === "candidate") this.#newcomers.consider(peer);
    }
  }

  #leave(): void {
    this.#roster.leave();
    const { table, self, agenda } = this.#context;
    const items = [{ kind: "announcement", announcement: self.announcement }] as const;
    for (const peer of table.sample(TOLD_OF_LEAVING, null)) {
      send(this.#context, peer, { type: "gossip", items });
    }
    agenda.clear();
    this.#context.stage = { kind: "left" };
    this.#context.emit({ type: "stage", stage: this.#context.stage });
  }

  #sweep(): void {
    const { agenda, now, times } = this.#context;
    agenda.schedule(now + times.sweepMs, () => this.#sweep());
    this.#roster.sweep();
    this.#antiEntropy.sweep();
    this.#newcomers.sweep();
    this.#reconnector.sweep();
  }
}
