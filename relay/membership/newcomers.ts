/**
 * Letting others in. A newcomer becomes a member when one of the members, chosen by
 * another one, has reached it by UDP and TCP at the address in its certificate: whoever is
 * behind a firewall that only lets answers through is turned away.
 */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipItem } from "../../protocol/gossip-item.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { Appointment } from "./agenda.ts";
import { type GossipContext, greet, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";

/** Examiners that a sponsor tries in turn. */
const MAX_EXAMINERS = 3;
/** Hello and ping, so often in the time for UDP. */
const UDP_TRIES = 4;

/** A newcomer for whom we look for an examiner. */
interface Sponsorship {
  readonly examiners: Set<SupernodeId>;
  timeout: Appointment;
}

/** A newcomer that we examine: first by UDP, then by TCP. */
type Examination =
  | { readonly by: "udp"; readonly sponsor: Peer | null; readonly nonce: number; readonly timeout: Appointment }
  | { readonly by: "tcp"; readonly sponsor: Peer | null; readonly timeout: Appointment };

export class Newcomers {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  readonly #sponsored = new Map<SupernodeId, Sponsorship>();
  readonly #examined = new Map<SupernodeId, Examination>();
  readonly #triedAt = new Map<SupernodeId, number>();

  constructor(context: GossipContext, roster: Roster) {
    this.#context = context;
    this.#roster = roster;
  }

  /** A certified supernode that has announced itself, and for whose present certificate nobody vouches yet. */
  consider(peer: Peer): void {
    const { stage, now, times } = this.#context;
    if (stage.kind !== "member" || !this.#needsVoucher(peer) || this.#sponsored.has(peer.id)) return;
    // It answers because we greet it on behalf of its sponsor; one of us is enough to look after it.
    if (this.#examined.has(peer.id)) return;
    if (now - (this.#triedAt.get(peer.id) ?? 0) < times.vouchRetryMs) return;
    if (this.#sponsored.size >= GOSSIP_LIMITS.maxNewcomers) return;
    this.#triedAt.set(peer.id, now);
    this.#askExaminer(peer, new Set());
  }

  /** Another member asks us to examine a newcomer, whose announcement was checked. */
  examine(peer: Peer, sponsor: Peer | null): void {
    const { agenda, now, times } = this.#context;
    if (!this.#needsVoucher(peer) || this.#examined.has(peer.id)) return;
    if (this.#examined.size >= GOSSIP_LIMITS.maxNewcomers) return;
    const timeout = agenda.schedule(now + times.reachMs / 2, () => this.#turnAway(peer));
    const nonce = Math.floor(this.#context.random() * 2 ** 32);
    this.#examined.set(peer.id, { by: "udp", sponsor, nonce, timeout });
    this.#tryUdp(peer, UDP_TRIES);
  }

  /** Whom we examine has our key now, and need not wait for the ping that follows the hello. */
  onHello(peer: Peer): void {
    const examination = this.#examined.get(peer.id);
    if (examination?.by === "udp") this.#ping(peer, examination.nonce);
  }

  /** True if the answer was to an examination. */
  onAck(from: Peer, nonce: number): boolean {
    const examination = this.#examined.get(from.id);
    if (examination?.by !== "udp" || examination.nonce !== nonce) return false;
    const { agenda, now, times } = this.#context;
    agenda.cancel(examination.timeout);
    const timeout = agenda.schedule(now + times.reachMs / 2, () => this.#turnAway(from));
    this.#examined.set(from.id, { by: "tcp", sponsor: examination.sponsor, timeout });
    this.#context.emit({ type: "probe-tcp", certificate: this.#certificateOf(from) });
    return true;
  }

  onTcpProbed(id: SupernodeId, isReachable: boolean): void {
    const peer = this.#context.table.get(id);
    const examination = this.#examined.get(id);
    if (!peer || examination?.by !== "tcp") return;
    if (!isReachable) {
      this.#turnAway(peer);
      return;
    }
    this.#endExamination(peer);
    this.#context.metrics.vouched++;
    peer.certificate = this.#certificateOf(peer);
    const items: GossipItem[] = [this.#roster.admit(peer)];
    send(this.#context, peer, { type: "gossip", items });
    if (examination.sponsor) {
      send(this.#context, examination.sponsor, { type: "gossip", items });
    }
  }

  /** An examiner could not reach the newcomer that we sent it to. */
  onUnreachable(from: Peer, subject: SupernodeId, by: "udp" | "tcp"): void {
    const sponsorship = this.#sponsored.get(subject);
    const peer = this.#context.table.get(subject);
    if (!peer || !sponsorship?.examiners.has(from.id)) return;
    this.#context.agenda.cancel(sponsorship.timeout);
    this.#sponsored.delete(subject);
    if (sponsorship.examiners.size < MAX_EXAMINERS && this.#needsVoucher(peer)) {
      this.#askExaminer(peer, sponsorship.examiners, by);
    } else this.#tell(peer, by);
  }

  sweep(): void {
    const { now, times } = this.#context;
    for (const [id, at] of this.#triedAt) if (now - at > times.vouchRetryMs) this.#triedAt.delete(id);
  }

  /** @param lastFailure what to tell the newcomer if nobody is left to try */
  #askExaminer(peer: Peer, tried: Set<SupernodeId>, lastFailure: "udp" | "tcp" | null = null): void {
    const { agenda, now, times, table } = this.#context;
    const examiner = table.sample(MAX_EXAMINERS + 1, peer.id).find(({ id }) => !tried.has(id));
    if (!examiner) {
      if (lastFailure) this.#tell(peer, lastFailure);
      // Of two there is no third to ask.
      else this.examine(peer, null);
      return;
    }
    tried.add(examiner.id);
    const timeout = agenda.schedule(now + times.reachMs * 1.5, () => {
      this.#sponsored.delete(peer.id);
      if (tried.size < MAX_EXAMINERS && this.#needsVoucher(peer)) this.#askExaminer(peer, tried, lastFailure);
    });
    this.#sponsored.set(peer.id, { examiners: tried, timeout });
    const certificate = this.#certificateOf(peer);
    const message = { type: "vouch", certificate, announcement: peer.announcement } as const;
    send(this.#context, examiner, message);
  }

  /**
   * A hello first: until it has our key, the newcomer cannot tell our ping from a stranger's. Both
   * come from a port that it has never sent to.
   */
  #tryUdp(peer: Peer, triesLeft: number): void {
    const examination = this.#examined.get(peer.id);
    if (examination?.by !== "udp" || triesLeft === 0) return;
    const { agenda, now, times } = this.#context;
    greet(this.#context, this.#certificateOf(peer), "hello", "other");
    const waitMs = times.reachMs / 2 / UDP_TRIES;
    agenda.schedule(now + waitMs / 2, () => {
      if (this.#examined.get(peer.id) === examination) this.#ping(peer, examination.nonce);
    });
    agenda.schedule(now + waitMs, () => this.#tryUdp(peer, triesLeft - 1));
  }

  #ping(peer: Peer, nonce: number): void {
    send(this.#context, peer, { type: "ping", nonce, items: [] }, "other");
  }

  #turnAway(peer: Peer): void {
    const examination = this.#examined.get(peer.id);
    if (!examination) return;
    this.#endExamination(peer);
    this.#context.metrics.turnedAway++;
    if (!this.#needsVoucher(peer)) return;
    const message = { type: "unreachable", subject: peer.id, by: examination.by } as const;
    if (examination.sponsor) send(this.#context, examination.sponsor, message);
    else this.#tell(peer, examination.by);
  }

  #tell(newcomer: Peer, by: "udp" | "tcp"): void {
    const message = { type: "unreachable", subject: newcomer.id, by } as const;
    send(this.#context, newcomer, message);
  }

  #endExamination(peer: Peer): void {
    this.#context.agenda.cancel(this.#examined.get(peer.id)?.timeout);
    this.#examined.delete(peer.id);
  }

  #needsVoucher(peer: Peer): boolean {
    return peer.voucher === null || this.#certificateOf(peer).value.serial > peer.voucher.value.certificateSerial;
  }

  /** The newest that we know, which may be newer than the one that was vouched for. */
  #certificateOf(peer: Peer): Signed<SupernodeCertificate> {
    return this.#context.certificates.get(peer.id) ?? peer.certificate;
  }
}
