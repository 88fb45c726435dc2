/** What the parts of the gossip share. One context belongs to one core, which sets `now` before anything happens. */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipMessage } from "../../protocol/gossip-message.ts";
import { type Domain, type SignatureScheme, type Signed, statement } from "../../protocol/signed.ts";
import type { Agenda } from "./agenda.ts";
import type { BroadcastQueue } from "./broadcast-queue.ts";
import type { CertificateDirectory } from "./certificate-directory.ts";
import type { GossipMetrics } from "./gossip-metrics.ts";
import { GOSSIP_LIMITS, type GossipTimes } from "./gossip-times.ts";
import type { Identity } from "./identity.ts";
import type { LocalHealth } from "./local-health.ts";
import type { MemberTable } from "./member-table.ts";
import type { MembershipChange, Stage } from "./membership-source.ts";
import type { Peer } from "./peer.ts";

/**
 * The port to send from: our own, or another one, which a firewall that only lets answers in has
 * never seen a packet go to.
 */
export type Door = "own" | "other";

export type GossipEffect =
  | { readonly type: "send"; readonly to: Peer; readonly message: GossipMessage; readonly through: Door }
  | {
      readonly type: "hello";
      readonly to: Signed<SupernodeCertificate>;
      readonly isAnswer: boolean;
      readonly through: Door;
    }
  /** Connect by TCP to where the certificate says, check its TLS fingerprint, and report `tcp-probed`. */
  | { readonly type: "probe-tcp"; readonly certificate: Signed<SupernodeCertificate> }
  | { readonly type: "changed"; readonly change: MembershipChange }
  | { readonly type: "stage"; readonly stage: Stage };

export interface GossipContext {
  /** ms since 1970, never going back. */
  now: number;
  stage: Stage;
  readonly self: Identity;
  readonly table: MemberTable;
  readonly certificates: CertificateDirectory;
  readonly queue: BroadcastQueue;
  readonly agenda: Agenda;
  readonly health: LocalHealth;
  readonly times: GossipTimes;
  readonly metrics: GossipMetrics;
  readonly scheme: SignatureScheme;
  readonly random: () => number;
  emit(effect: GossipEffect): void;
}

/** Members, this supernode included. */
export function memberCount(context: GossipContext): number {
  return context.table.live.length + 1;
}

/** A time that differs from node to node and from round to round, so that they do not fall into step. */
export function jittered(context: GossipContext, ms: number): number {
  return ms * (0.9 + 0.2 * context.random());
}

/**
 * Whether `key` signed this. Members check before they pass anything on, so who brings a
 * forgery made it, or does not check.
 * @param from null if anybody may have sent it in any name
 */
export function isGenuine(
  context: GossipContext,
  domain: Domain,
  signed: Signed<unknown>,
  key: Uint8Array,
  from: Peer | null,
): boolean {
  context.metrics.signaturesChecked++;
  if (context.scheme.verify(statement(domain, signed.body), signed.signature, key)) return true;
  if (from) blame(context, from);
  else context.metrics.refused.forged++;
  return false;
}

/** A member that sends forgeries is hardly listened to for a while: checking them is what it wants us to do. */
export function blame(context: GossipContext, from: Peer): void {
  context.metrics.refused.forged++;
  from.packets().charge(GOSSIP_LIMITS.forgeryCost, context.now);
}

export function send(context: GossipContext, to: Peer, message: GossipMessage, through: Door = "own"): void {
  context.emit({ type: "send", to, message, through });
}

export function greet(
  context: GossipContext,
  to: Signed<SupernodeCertificate>,
  kind: "hello" | "answer",
  through: Door = "own",
): void {
  context.emit({ type: "hello", to, isAnswer: kind === "answer", through });
}
