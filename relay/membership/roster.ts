/**
 * Who is believed to be what: applies what is told about members. Nothing here depends on
 * who told it, only on who signed it. Death is a conclusion that each draws for itself,
 * from suspicions that their subject has not refuted in time.
 */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipItem, MemberItem } from "../../protocol/gossip-item.ts";
import type { Announcement } from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { blame, type GossipContext, isGenuine } from "./gossip-context.ts";
import { Peer } from "./peer.ts";
import { Suspicions } from "./suspicions.ts";

/** What the roster leaves to others. */
export interface RosterOutcomes {
  /** It cannot tell who this is without the announcement, the voucher and perhaps the certificate. */
  readonly onUnknown: (from: Peer, id: SupernodeId, withCertificate: boolean) => void;
  /** Somebody has vouched for this supernode. */
  readonly onAdmitted: (by: Peer, isFirst: boolean) => void;
  readonly onSecondOpinion: (peer: Peer) => void;
}

export class Roster {
  readonly #context: GossipContext;
  readonly #outcomes: RosterOutcomes;
  readonly #suspicions: Suspicions;

  constructor(context: GossipContext, outcomes: RosterOutcomes) {
    this.#context = context;
    this.#outcomes = outcomes;
    this.#suspicions = new Suspicions(context, {
      onSelf: (incarnation) => this.#refute(incarnation),
      onUnknownAccuser: (from, id) => outcomes.onUnknown(from, id, !context.certificates.get(id)),
      onDeath: (peer) => this.#end(peer, "dead"),
      onSecondOpinion: outcomes.onSecondOpinion,
    });
  }

  apply(item: GossipItem, from: Peer): void {
    switch (item.kind) {
      case "member":
        this.#applyMember(item, from);
        return;
      case "announcement":
        this.applyAnnouncement(item.announcement, from);
        return;
      case "suspicion":
        this.#suspicions.apply(item.suspicion, from);
        return;
      case "certificate":
        if (!this.#context.certificates.learn(item.certificate)) blame(this.#context, from);
        return;
      default:
        item satisfies never;
    }
  }

  applyAnnouncement(announcement: Signed<Announcement>, from: Peer | null): void {
    const { table, self } = this.#context;
    const { supernodeId, incarnation } = announcement.value;
    if (supernodeId === self.id) {
      if (incarnation > self.announcement.value.incarnation) this.#recallFormerLife(announcement, from);
      return;
    }
    const peer = table.get(supernodeId);
    if (!peer) {
      if (from) this.#outcomes.onUnknown(from, supernodeId, !this.#context.certificates.get(supernodeId));
      return;
    }
    if (incarnation <= peer.announcement.value.incarnation) return;
    const newest = this.#context.certificates.get(supernodeId);
    const isRenewed = newest?.value.serial === announcement.value.certificateSerial;
    const { signKey } = (isRenewed ? newest : peer.certificate).value;
    if (this.#isAcceptable(peer, announcement, signKey, from)) this.#accept(peer, announcement);
  }

  /** A member as we knew it before: the round of probes will tell whether it still lives. */
  remember(certificate: Signed<SupernodeCertificate>, item: MemberItem): void {
    const { table, now } = this.#context;
    if (table.get(certificate.value.supernodeId)) return;
    const peer = new Peer(certificate, item.announcement, item.voucher, now);
    table.add(peer);
    table.setStatus(peer, "alive", now);
    this.#context.emit({ type: "changed", change: { kind: "joined", member: certificate } });
  }

  /** True if it is our present life that is remembered: then we are a member still. */
  rememberSelf(item: MemberItem): boolean {
    const { self, now } = this.#context;
    const former = item.announcement.value.incarnation;
    // By a clock that was far ahead: nobody would believe us if we went beyond that.
    if (former < self.announcement.value.incarnation || former > now + TIMES.maxClockSkewMs) return false;
    this.#changeSelf(() => {
      if (former === self.announcement.value.incarnation) self.voucher = item.voucher;
      else self.renew(now, former);
    });
    return self.voucher !== null;
  }

  /** Our own probe of a member has failed. */
  accuse(peer: Peer): void {
    this.#suspicions.accuse(peer);
  }

  /** Our own voucher for a newcomer: it is a member now. */
  admit(peer: Peer): MemberItem {
    const voucher = this.#context.self.vouchFor(peer.certificate.value);
    const item: MemberItem = { kind: "member", announcement: peer.announcement, voucher };
    this.#enter(peer, item);
    return item;
  }

  /** So many suspect it that one more changes nothing. */
  isAmplyAccused(peer: Peer): boolean {
    return this.#suspicions.isAmple(peer);
  }

  /** Many members seem to have died at once: it is worth to look faster for the others. */
  get isAlarmed(): boolean {
    return this.#suspicions.isAlarming;
  }

  /** What to tell a peer about itself: the suspicion that it has not refuted, if we hold one. */
  chargeAgainst(peer: Peer): GossipItem[] {
    return this.#suspicions.against(peer);
  }

  /** This process has been asleep: what others had no time to say, they still may. */
  postpone(byMs: number): void {
    this.#suspicions.postpone(byMs);
  }

  /** Forgets the long dead, and those whose certificate has expired or was taken back. */
  sweep(): void {
    const { table, certificates, times, now } = this.#context;
    certificates.sweep(now);
    for (const peer of [...table.all()]) {
      const isOver = certificates.isOver(peer.certificate, now);
      const isForgotten = !peer.isLive && now - peer.statusSince > times.deadMemoryMs;
      if (isOver && peer.isLive) this.#end(peer, "dead");
      if (isOver || isForgotten) table.remove(peer);
    }
  }

  #applyMember(item: MemberItem, from: Peer): void {
    const { table, self, certificates, now } = this.#context;
    const { supernodeId } = item.announcement.value;
    const voucher = item.voucher.value;
    if (voucher.subject !== supernodeId || voucher.voucher === supernodeId) {
      blame(this.#context, from);
      return;
    }
    const peer = table.get(supernodeId);
    const knownSerial =
      supernodeId === self.id ? self.voucher?.value.certificateSerial : peer?.voucher?.value.certificateSerial;
    if (knownSerial !== undefined && knownSerial >= voucher.certificateSerial) {
      this.applyAnnouncement(item.announcement, from);
      if (supernodeId === self.id) this.#outcomes.onAdmitted(from, false);
      return;
    }
    const certificate = supernodeId === self.id ? self.certificate : certificates.get(supernodeId);
    const guarantor = voucher.voucher === self.id ? self.certificate : certificates.get(voucher.voucher);
    if (!certificate || !guarantor || certificate.value.serial < voucher.certificateSerial) {
      if (supernodeId !== self.id) this.#outcomes.onUnknown(from, supernodeId, true);
      return;
    }
    // A voucher for an earlier certificate, perhaps for another address, says nothing about this one.
    if (certificate.value.serial !== voucher.certificateSerial) return;
    if (!isGenuine(this.#context, "voucher", item.voucher, guarantor.value.signKey, from)) return;
    if (supernodeId === self.id) {
      this.applyAnnouncement(item.announcement, from);
      this.#changeSelf(() => {
        self.voucher = item.voucher;
      });
      this.#outcomes.onAdmitted(from, true);
      return;
    }
    const newcomer = peer ?? new Peer(certificate, item.announcement, null, now);
    const isNewer = !peer || item.announcement.value.incarnation > peer.announcement.value.incarnation;
    if (isNewer && !this.#isAcceptable(newcomer, item.announcement, certificate.value.signKey, from)) return;
    newcomer.certificate = certificate;
    if (!peer) table.add(newcomer);
    const announcement = isNewer ? item.announcement : newcomer.announcement;
    this.#enter(newcomer, { kind: "member", announcement, voucher: item.voucher });
  }

  #enter(peer: Peer, item: MemberItem): void {
    const { table, queue, now } = this.#context;
    const wasLive = peer.isLive;
    const isRefuted = item.announcement !== peer.announcement;
    peer.voucher = item.voucher;
    table.setAnnouncement(peer, item.announcement);
    queue.add(`member ${peer.id}`, item);
    if (item.announcement.value.leaving) {
      this.#end(peer, "left");
      return;
    }
    if (peer.status === "suspect" && !isRefuted) return;
    this.#suspicions.refuted(peer);
    table.setStatus(peer, "alive", now);
    const kind = wasLive ? "renewed" : "joined";
    this.#context.emit({ type: "changed", change: { kind, member: peer.certificate } });
  }

  #accept(peer: Peer, announcement: Signed<Announcement>): void {
    const { table, queue, metrics, now } = this.#context;
    const former = peer.status;
    const isRestart = announcement.value.gossipKey.some((byte, at) => peer.announcement.value.gossipKey[at] !== byte);
    table.setAnnouncement(peer, announcement);
    if (!peer.voucher) return;
    queue.remove(`member ${peer.id}`);
    queue.add(`announcement ${peer.id}`, { kind: "announcement", announcement });
    if (announcement.value.leaving) {
      this.#end(peer, "left");
      return;
    }
    this.#suspicions.refuted(peer);
    if (peer.isLive) {
      table.setStatus(peer, "alive", now);
      return;
    }
    // It may have come back elsewhere: then somebody must reach it there first.
    if (announcement.value.certificateSerial !== peer.voucher.value.certificateSerial) {
      peer.voucher = null;
      table.setStatus(peer, "candidate", now);
      return;
    }
    if (former === "dead" && !isRestart) metrics.resurrections++;
    table.setStatus(peer, "alive", now);
    this.#context.emit({ type: "changed", change: { kind: "joined", member: peer.certificate } });
  }

  /** A newer certificate of our own, for the same key. */
  renewCertificate(certificate: Signed<SupernodeCertificate>): void {
    const { self, now } = this.#context;
    this.#changeSelf(() => self.renewCertificate(certificate, now));
    this.tellOfSelf();
  }

  /** The last announcement: we are going. */
  leave(): void {
    const { self, now } = this.#context;
    this.#changeSelf(() => self.renew(now, self.announcement.value.incarnation, true));
    this.tellOfSelf();
  }

  /** Having left, and being reachable again: those who know us need no voucher anew. */
  comeBack(): void {
    const { self, now } = this.#context;
    this.#changeSelf(() => self.renew(now, self.announcement.value.incarnation));
    this.tellOfSelf();
  }

  /** Puts our own announcement into the news. */
  tellOfSelf(): void {
    const { self, queue } = this.#context;
    queue.add(`announcement ${self.id}`, { kind: "announcement", announcement: self.announcement });
  }

  #refute(accusedIncarnation: number): void {
    const { self, health, metrics, now } = this.#context;
    // Of an announcement that is replaced already: those who suspect have not heard the new one yet.
    if (accusedIncarnation >= self.announcement.value.incarnation) {
      this.#changeSelf(() => self.renew(now, accusedIncarnation));
      health.worsen(1);
      metrics.selfRefutations++;
    }
    this.tellOfSelf();
  }

  /** An announcement of ours that we do not remember: from before a restart, by a clock that was ahead. */
  #recallFormerLife(announcement: Signed<Announcement>, from: Peer | null): void {
    const { self, metrics, now } = this.#context;
    if (announcement.value.incarnation > now + TIMES.maxClockSkewMs) {
      metrics.refused["from-the-future"]++;
      return;
    }
    if (!isGenuine(this.#context, "announcement", announcement, self.certificate.value.signKey, from)) return;
    this.#changeSelf(() => self.renew(now, announcement.value.incarnation));
    this.tellOfSelf();
  }

  /** We stand in our own digest as long as somebody vouches for us. */
  #changeSelf(change: () => void): void {
    const { table, self } = this.#context;
    const before = self.item;
    change();
    if (before) table.count(self.id, before.announcement.value.incarnation);
    if (self.item) table.count(self.id, self.announcement.value.incarnation);
  }

  #end(peer: Peer, status: "dead" | "left"): void {
    const { table, metrics, now } = this.#context;
    const wasLive = peer.isLive;
    this.#suspicions.over(peer);
    table.setStatus(peer, status, now);
    if (!wasLive) return;
    if (status === "dead") metrics.deaths++;
    this.#context.emit({ type: "changed", change: { kind: "left", supernodeId: peer.id } });
  }

  #isAcceptable(peer: Peer, announcement: Signed<Announcement>, key: Uint8Array, from: Peer | null): boolean {
    const { metrics, now } = this.#context;
    if (announcement.value.incarnation > now + TIMES.maxClockSkewMs) {
      metrics.refused["from-the-future"]++;
      return false;
    }
    // Genuine first: forged ones must not use up what its subject may say.
    if (!isGenuine(this.#context, "announcement", announcement, key, from)) return false;
    if (peer.announcements().take(now)) return true;
    metrics.refused.flooded++;
    return false;
  }
}
