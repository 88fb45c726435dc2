/** Another supernode, as this one sees it. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { MemberItem } from "../../protocol/gossip-item.ts";
import type { Announcement, Suspicion, Voucher } from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { Appointment } from "./agenda.ts";
import type { News } from "./broadcast-queue.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";

/**
 * - `candidate`: certified, and it has announced itself, but nobody has vouched for it yet;
 * - `alive`, `suspect`: a member; suspicion is nobody's business outside the gossip;
 * - `dead`: it did not refute a suspicion in time; `left`: it said so itself.
 */
export type PeerStatus = "candidate" | "alive" | "suspect" | "dead" | "left";

/** What is held against one peer, until it refutes it or its time is up. */
export interface Trial {
  startedAt: number;
  /** The first one first. */
  readonly accusers: SupernodeId[];
  readonly news: News[];
  death: Appointment;
}

export class Peer {
  readonly id: SupernodeId;
  /** The first byte of the ID: its place in the digest. */
  readonly bucket: number;
  certificate: Signed<SupernodeCertificate>;
  announcement: Signed<Announcement>;
  voucher: Signed<Voucher> | null;
  /** Only MemberTable changes it. */
  status: PeerStatus = "candidate";
  /** ms since 1970. */
  statusSince: number;
  /** Its place in the list of the live or of the dead (MemberTable); -1 if it is in neither. */
  place = -1;
  /** When it was last told what we hold against it, and last answered a hello: neither more often than once a second. */
  chargedAt = 0;
  greetedAt = 0;
  /** The suspicion that it has not refuted: it is told of it whenever we talk to it (Lifeguard, section 3.3). */
  suspicion: Signed<Suspicion> | null = null;
  /** While it may still refute: who accuses it, and when its time is up. Only Suspicions changes it. */
  trial: Trial | null = null;
  /** Suspicions that it has refuted lately, as of `statusSince`. */
  #refutations = 0;
  #packets: TokenBucket | null = null;
  #announcements: TokenBucket | null = null;
  #suspicions: TokenBucket | null = null;

  constructor(
    certificate: Signed<SupernodeCertificate>,
    announcement: Signed<Announcement>,
    voucher: Signed<Voucher> | null,
    now: number,
  ) {
    this.id = announcement.value.supernodeId;
    this.bucket = Number.parseInt(this.id.slice(0, 2), 16);
    this.certificate = certificate;
    this.announcement = announcement;
    this.voucher = voucher;
    this.statusSince = now;
  }

  get isLive(): boolean {
    return this.status === "alive" || this.status === "suspect";
  }

  get item(): MemberItem | null {
    return this.voucher && { kind: "member", announcement: this.announcement, voucher: this.voucher };
  }

  /** Called when it has refuted a suspicion, before its status changes. */
  hasRefuted(now: number): void {
    this.#refutations = Math.min(GOSSIP_LIMITS.maxPatience, Math.ceil(this.patience(now)));
  }

  /**
   * How many times longer than for others its answer is waited for: one that is suspected time and again and
   * always there is slow, or far away. Without this, a few slow ones have all others spread suspicions all day.
   */
  patience(now: number): number {
    const forgotten = (now - this.statusSince) / GOSSIP_LIMITS.patienceMs;
    return Math.max(1, 1 + this.#refutations - Math.max(0, forgotten));
  }

  packets(): TokenBucket {
    this.#packets ??= new TokenBucket(GOSSIP_LIMITS.packetBurst, GOSSIP_LIMITS.packetsPerSecond);
    return this.#packets;
  }

  announcements(): TokenBucket {
    this.#announcements ??= new TokenBucket(GOSSIP_LIMITS.announcementBurst, GOSSIP_LIMITS.announcementsPerSecond);
    return this.#announcements;
  }

  suspicions(): TokenBucket {
    this.#suspicions ??= new TokenBucket(GOSSIP_LIMITS.suspicionBurst, GOSSIP_LIMITS.suspicionsPerSecond);
    return this.#suspicions;
  }
}
