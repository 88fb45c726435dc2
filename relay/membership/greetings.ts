/** Hellos: how two supernodes learn each other's present keys, before any packet between them can be sealed. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { Hello } from "../../protocol/gossip-packet.ts";
import type { Announcement } from "../../protocol/gossip-statement.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Signed } from "../../protocol/signed.ts";
import { TokenBucket } from "../token-bucket.ts";
import { type GossipContext, greet, isGenuine, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";

/** No supernode is answered more often than this. */
const ANSWER_EVERY_MS = 1_000;

export interface GreetingOutcomes {
  /** A genuine hello, by who is known from now on. */
  onHello(hello: Hello, from: Peer): void;
}

export class Greetings {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  readonly #outcomes: GreetingOutcomes;
  readonly #hellos: TokenBucket;

  constructor(context: GossipContext, roster: Roster, outcomes: GreetingOutcomes) {
    this.#context = context;
    this.#roster = roster;
    this.#outcomes = outcomes;
    this.#hellos = new TokenBucket(GOSSIP_LIMITS.helloBurst, GOSSIP_LIMITS.hellosPerSecond);
  }

  receive(hello: Hello): void {
    const { certificates, metrics, now } = this.#context;
    if (!this.#hellos.take(now)) {
      metrics.refused.flooded++;
      return;
    }
    const peer = this.introduce(hello.certificate, hello.announcement);
    if (!peer) return;
    if (!hello.isAnswer && now - peer.greetedAt >= ANSWER_EVERY_MS) {
      peer.greetedAt = now;
      greet(this.#context, certificates.get(peer.id) ?? peer.certificate, "answer");
    }
    if (!hello.isMember) this.#tellOfItself(peer);
    this.#outcomes.onHello(hello, peer);
  }

  /**
   * A supernode that shows its certificate and announcement, or for which another one does: known
   * from now on if both are genuine. Nobody is blamed if not: anybody can send a hello in any name.
   */
  introduce(certificate: Signed<SupernodeCertificate>, announcement: Signed<Announcement>): Peer | null {
    const { certificates, table, self, metrics, now } = this.#context;
    const { supernodeId, signKey } = certificate.value;
    if (supernodeId !== announcement.value.supernodeId || supernodeId === self.id) return null;
    if (!certificates.learn(certificate)) {
      metrics.refused.forged++;
      return null;
    }
    // Taken back by the network.
    if (!certificates.get(supernodeId)) return null;
    const known = table.get(supernodeId);
    if (known) {
      this.#roster.applyAnnouncement(announcement, null);
      return known;
    }
    // As of members: else those who met it would count a member that those who only hear of it refuse.
    if (announcement.value.incarnation > now + TIMES.maxClockSkewMs) {
      metrics.refused["from-the-future"]++;
      return null;
    }
    if (!isGenuine(this.#context, "announcement", announcement, signKey, null)) return null;
    const peer = new Peer(certificate, announcement, null, now);
    table.add(peer);
    return peer;
  }

  /** After a restart it may not know that somebody vouches for it. */
  #tellOfItself(peer: Peer): void {
    const { stage, certificates, self } = this.#context;
    if (stage.kind !== "member" || !peer.isLive || !peer.item) return;
    const guarantor = peer.item.voucher.value.voucher;
    const certificate = guarantor === self.id ? self.certificate : certificates.get(guarantor);
    const items = [...(certificate ? [{ kind: "certificate", certificate } as const] : []), peer.item];
    send(this.#context, peer, { type: "gossip", items });
  }
}
