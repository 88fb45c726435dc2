/** The network that a login server says it has, held against what is known of it, before anything of the user is sent. */
import { KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import type { Invitation } from "../../protocol/invitation.ts";
import { decodeSuccessions } from "../../protocol/network-key.ts";
import {
  encodeChain,
  type Followed,
  fingerprintsOf,
  firstChain,
  follow,
  type NetworkKeyChain,
  restoreChain,
} from "../../protocol/network-key-chain.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Log } from "../core/log.ts";
import type { Network } from "./login-http.ts";

/** What this profile remembers of a network. */
export interface PinnedNetwork {
  readonly networkId: NetworkId;
  /** As network-key.ts encodes them. */
  readonly successions: Uint8Array;
  /** Whether the last one is not confirmed. */
  readonly isCutOff: boolean;
}

export function pinOf(chain: NetworkKeyChain): PinnedNetwork {
  return { networkId: chain.networkId, successions: encodeChain(chain), isCutOff: chain.unconfirmed !== null };
}

/**
 * The keys of the network that answers at the address. Where neither this profile nor the invitation knows of one
 * to hold them against, they are taken as they come; what comes later must follow from them.
 * @throws KithError `network-changed`, `invitation-network`, `network-key-withheld`, `network-key-unconfirmed`,
 *   `network-key-forked`, `network-key-forged`, `clock-skew`
 */
export function chainOf(
  { networkId, networkKey, successions }: Network,
  pinned: PinnedNetwork | null,
  invitation: Invitation | null,
  now: number,
): NetworkKeyChain {
  if (pinned && networkId !== pinned.networkId) throw new KithError("network-changed");
  if (invitation?.networkId && networkId !== invitation.networkId) throw new KithError("invitation-network");
  const shown = decodeSuccessions(successions);
  const first = firstChain(networkKey);
  const known = pinned ? restoreChain(networkKey, pinned.successions, pinned.isCutOff) : first;
  const isFirstMeeting = !pinned && !invitation?.networkId;
  const newest = networkIdOf(shown.at(-1)?.value.key ?? networkKey);
  const confirmed = invitation?.networkKey ?? (isFirstMeeting ? newest : null);
  const followed = follow(known, shown, now, confirmed);
  requireFollowed(followed.kind);
  const chain = followed.kind === "followed" ? followed.chain : known;
  if (invitation?.networkKey && !fingerprintsOf(chain).includes(invitation.networkKey))
    throw new KithError("invitation-network");
  return chain;
}

/** A login server must know the network's newest key and no other. @throws KithError `network-key-…` */
export function requireFollowed(verdict: Followed["kind"]): void {
  if (verdict === "behind") throw new KithError("network-key-withheld");
  if (verdict === "unconfirmed") throw new KithError("network-key-unconfirmed");
  if (verdict === "forked") throw new KithError("network-key-forked");
}

/** Takes what somebody shows; what is made up says nothing. */
export function learn(anchor: Pick<TrustAnchor, "learn">, successions: Uint8Array, log: Log): void {
  try {
    anchor.learn(Uint8Array.from(successions));
  } catch (error) {
    log.warn("network keys", { code: KithError.from(error).code });
  }
}
