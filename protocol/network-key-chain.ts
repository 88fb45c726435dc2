/**
 * The keys that a network has had, as one party knows them: from the first key, which is pinned,
 * along signed successions to the present one. Pure: the time is passed in, and every step either
 * returns another chain or says why there is none.
 */
import { equalBytes } from "./bytes.ts";
import { KithError } from "./errors.ts";
import type { NetworkId } from "./identifiers.ts";
import { TIMES } from "./limits.ts";
import { decodeSuccessions, encodeSuccessions, type ProvedSuccession, requireSuccession } from "./network-key.ts";
import { networkIdOf } from "./node-crypto.ts";
import type { Signed } from "./signed.ts";

export interface NetworkKeyChain {
  readonly networkId: NetworkId;
  readonly firstKey: Uint8Array;
  /** Those that are believed, in their order. */
  readonly successions: readonly Signed<ProvedSuccession>[];
  /** What follows them is for a person to confirm, and the newest of them is believed no longer; null: nothing such. */
  readonly unconfirmed: Signed<ProvedSuccession> | null;
}

export type Followed =
  | { readonly kind: "same" }
  /** What is offered ends earlier than what is known. */
  | { readonly kind: "behind" }
  | { readonly kind: "followed"; readonly chain: NetworkKeyChain }
  /** The next key was not believed by itself: as far as it went without. */
  | { readonly kind: "unconfirmed"; readonly chain: NetworkKeyChain }
  /** Another key is offered where one is known: somebody else has the key before. */
  | { readonly kind: "forked" };

export function firstChain(firstKey: Uint8Array): NetworkKeyChain {
  return { networkId: networkIdOf(firstKey), firstKey, successions: [], unconfirmed: null };
}

/** As it is kept and passed on: with what is not confirmed, so that everybody hears of it. */
export function encodeChain({ successions, unconfirmed }: NetworkKeyChain): Uint8Array {
  return encodeSuccessions(unconfirmed ? [...successions, unconfirmed] : successions);
}

/** @param isCutOff whether the last one is not confirmed @throws KithError `malformed`, `too-large` */
export function restoreChain(firstKey: Uint8Array, encoded: Uint8Array, isCutOff: boolean): NetworkKeyChain {
  const successions = decodeSuccessions(encoded);
  const unconfirmed = isCutOff ? (successions.pop() ?? null) : null;
  return { ...firstChain(firstKey), successions, unconfirmed };
}

/**
 * Goes on from what is known to what is offered. A planned succession is followed as long as a
 * year after the old key's end, since whoever has been away knows no other; later an old backup
 * could have been found. One that names the old key stolen is never followed unasked.
 * @param confirmed the fingerprint of a key that a person has confirmed: whatever leads to it is believed, against what is known too
 * @throws KithError `network-key-forged`, `clock-skew`
 */
export function follow(
  known: NetworkKeyChain,
  offered: readonly Signed<ProvedSuccession>[],
  now: number,
  confirmed: NetworkId | null,
): Followed {
  const common = commonLength(known.successions, offered);
  requireChain(known, offered, common, now);
  const length = known.successions.length;
  if (common === offered.length) {
    if (known.unconfirmed) return { kind: "unconfirmed", chain: known };
    return { kind: common < length ? "behind" : "same" };
  }
  const vouched = confirmed === null ? 0 : offered.findIndex(({ value }) => networkIdOf(value.key) === confirmed) + 1;
  if (common < length && vouched <= common) return { kind: "forked" };
  const start = common < length ? vouched : Math.max(vouched, length);
  // What a stolen key signs later is no better than what it was told to be stolen by.
  const isOver = known.unconfirmed !== null && start === length && common === length;
  const stop = isOver ? length : offered.findIndex(({ value }, at) => at >= start && needsConfirmation(value, now));
  if (stop === -1) return { kind: "followed", chain: { ...known, successions: offered, unconfirmed: null } };
  if (isOver) return { kind: "unconfirmed", chain: known };
  const [unconfirmed = null] = offered.slice(stop);
  return { kind: "unconfirmed", chain: { ...known, successions: offered.slice(0, stop), unconfirmed } };
}

function needsConfirmation({ reason, until }: ProvedSuccession, now: number): boolean {
  return reason === "stolen" || now > until + TIMES.networkKeyFollowMs;
}

function commonLength(known: NetworkKeyChain["successions"], offered: NetworkKeyChain["successions"]): number {
  const differs = offered.findIndex(({ body }, index) => !known[index] || !equalBytes(known[index].body, body));
  return differs === -1 ? offered.length : differs;
}

/** Every succession after the first `checked` must be one of this network, at its place, signed by the key before it. */
function requireChain(
  { networkId, firstKey }: NetworkKeyChain,
  offered: readonly Signed<ProvedSuccession>[],
  checked: number,
  now: number,
): void {
  const keys = [firstKey, ...offered.map(({ value }) => value.key)];
  if (new Set(keys.map((key) => networkIdOf(key))).size !== keys.length) throw new KithError("network-key-forged");
  for (const [index, succession] of offered.entries()) {
    if (index < checked) continue;
    const { value } = succession;
    const before = offered[index - 1]?.value.from ?? 0;
    const isInPlace = value.networkId === networkId && value.number === index + 1 && value.from >= before;
    if (!isInPlace || value.until - value.from > TIMES.maxNetworkKeyOverlapMs)
      throw new KithError("network-key-forged");
    if (value.from > now + TIMES.maxNetworkKeyNoticeMs + TIMES.maxClockSkewMs) {
      throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
    }
    requireSuccession(succession, keys[index] as Uint8Array);
  }
}

/** The key that signs at this time, by its place: 0 is the first one. */
export function placeAt({ successions }: Pick<NetworkKeyChain, "successions">, time: number): number {
  return successions.filter(({ value }) => value.from <= time).length;
}

export function keyAt({ firstKey, successions }: NetworkKeyChain, place: number): Uint8Array {
  return successions[place - 1]?.value.key ?? firstKey;
}

/** What a person compares, or a link names, of each key. The first one's is the network's ID. */
export function fingerprintsOf({ networkId, successions }: NetworkKeyChain): NetworkId[] {
  return [networkId, ...successions.map(({ value }) => networkIdOf(value.key))];
}

export function newestFingerprint(chain: NetworkKeyChain): NetworkId {
  return networkIdOf(keyAt(chain, chain.successions.length));
}

/**
 * Until when what a key has signed is believed, in ms since 1970: the end that its successor has
 * set, or the time at which that one's own successor takes over. So two keys are good at a time at the most.
 */
export function endOf({ successions, unconfirmed }: NetworkKeyChain, place: number): number {
  const [next, afterNext] = successions.slice(place);
  if (!next) return unconfirmed ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Math.min(next.value.until, afterNext?.value.from ?? Number.POSITIVE_INFINITY);
}

/** Since when everything is signed by the present key; 0 for the first one. */
export function signingSince({ successions }: Pick<NetworkKeyChain, "successions">, now: number): number {
  return successions[placeAt({ successions }, now) - 1]?.value.from ?? 0;
}

/** Whether what was issued then is believed no longer, whoever signed it. */
export function isRetired(chain: NetworkKeyChain, issuedAt: number, now: number): boolean {
  return endOf(chain, placeAt(chain, issuedAt)) <= now;
}

/**
 * The one key that must have signed what was issued then.
 * @throws KithError `certificate-expired` once that key is over
 */
export function issuerAt(chain: NetworkKeyChain, issuedAt: number, now: number): Uint8Array {
  if (isRetired(chain, issuedAt, now)) throw new KithError("certificate-expired");
  return keyAt(chain, placeAt(chain, issuedAt));
}
