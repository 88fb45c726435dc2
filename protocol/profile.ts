/**
 * A profile: what somebody wants to be found by, published under each of its words'
 * beginnings. It carries the certificate, so that whoever has the network's key can check
 * it alone. It says nothing of presence: its time is that of a day, its sequence no time at all.
 */
import { ByteWriter, fromHex, toHex } from "./bytes.ts";
import { decodeUserCertificate, type UserCertificate } from "./certificate.ts";
import { KithError } from "./errors.ts";
import { type Handle, SEARCH_KEY_BYTES, SearchKey, SIGNATURE_BYTES, type UserId } from "./identifiers.ts";
import { LIMITS, TIMES } from "./limits.ts";
import { nodeSignatures } from "./node-crypto.ts";
import { searchKey, searchTerms } from "./search-term.ts";
import { decodeSigned, requireSignature, type Signed } from "./signed.ts";
import { type TrustAnchor, trustUserCertificate } from "./trust.ts";

const PROFILE = 9;
const FORMAT_VERSION = 1;
const WITHDRAWN = 0;
const FINDABLE = 1;
const MAX_TEXT_BYTES = 255;
export const MAX_PROFILE_BYTES =
  2 +
  (2 + LIMITS.maxCertificateBytes) +
  1 +
  2 * (1 + MAX_TEXT_BYTES) +
  (1 + LIMITS.maxFormerKeys * SEARCH_KEY_BYTES) +
  16 +
  SIGNATURE_BYTES;

/** What the user says of themselves, beside the handle. Empty where there is nothing to say. */
export interface ProfileTexts {
  readonly displayName: string;
  /** Any other words to be found by. */
  readonly words: string;
}

export interface Profile {
  /** As it travels; its handle and user ID are the profile's. */
  readonly certificate: Signed<UserCertificate>;
  readonly userId: UserId;
  readonly handle: Handle;
  /** Null: withdrawn. The holders forget what was published before. */
  readonly texts: ProfileTexts | null;
  /** Where earlier versions may still be, so that they are superseded there. */
  readonly formerKeys: readonly SearchKey[];
  /** Of two profiles of one user the higher sequence holds. */
  readonly sequence: number;
  /** The beginning of a day (UTC), ms since 1970. */
  readonly issuedAt: number;
}

export type ProfileDraft = Omit<Profile, "userId" | "handle" | "certificate"> & { readonly certificate: Uint8Array };

export function encodeProfile({ certificate, texts, formerKeys, sequence, issuedAt }: ProfileDraft): Uint8Array {
  const writer = new ByteWriter().u8(PROFILE).u8(FORMAT_VERSION).bytes16(certificate);
  if (texts === null) writer.u8(WITHDRAWN);
  else writer.u8(FINDABLE).string8(texts.displayName).string8(texts.words);
  writer.u8(formerKeys.length);
  for (const key of formerKeys) writer.fixed(fromHex(key), SEARCH_KEY_BYTES);
  return writer.u64(sequence).u64(issuedAt).finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it: see trustProfile. */
export function decodeProfile(bytes: Uint8Array): Signed<Profile> {
  return decodeSigned(bytes, "profile", MAX_PROFILE_BYTES, (reader) => {
    if (reader.u8() !== PROFILE) throw reader.refuse("another kind of structure");
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const certificate = decodeUserCertificate(reader.bytes16(LIMITS.maxCertificateBytes));
    const state = reader.u8();
    if (state !== WITHDRAWN && state !== FINDABLE) throw reader.refuse("a state that is not known here");
    const texts = state === WITHDRAWN ? null : { displayName: reader.string8(), words: reader.string8() };
    if (texts && !areProfileTexts(texts)) throw reader.refuse("texts against the rules");
    const count = reader.u8();
    if (count > LIMITS.maxFormerKeys) throw reader.refuse(`${count} former keys`);
    const formerKeys = Array.from({ length: count }, () => SearchKey.parse(toHex(reader.fixed(SEARCH_KEY_BYTES))));
    const [sequence, issuedAt] = [reader.u64(), reader.u64()];
    if (issuedAt % DAY_MS !== 0) throw reader.refuse("a time that tells more than the day");
    const { userId, handle } = certificate.value;
    return { certificate, userId, handle, texts, formerKeys, sequence, issuedAt };
  });
}

const DAY_MS = 24 * 3_600_000;

/** The time in a profile that is issued now. */
export function dayOf(now: number): number {
  return now - (now % DAY_MS);
}

/** When it is forgotten, withdrawn or not. */
export function profileEndsAt(profile: Pick<Profile, "issuedAt">): number {
  return profile.issuedAt + TIMES.profileValidityMs;
}

/** Where the profile has its places among the supernodes: those of its words, then those of its earlier versions. */
export function profileKeys({ handle, texts, formerKeys }: Pick<Profile, "handle" | "texts" | "formerKeys">) {
  const own = texts === null ? [] : profileTerms(handle, texts).map(searchKey);
  return [...new Set([...own, ...formerKeys])];
}

/** The beginnings under which it is found. The handle's come first, so that they are never cut off. */
export function profileTerms(handle: Handle, { displayName, words }: ProfileTexts): string[] {
  return searchTerms([handle, displayName, words]);
}

/** Whether texts fit a profile: short, of one line. */
export function areProfileTexts({ displayName, words }: ProfileTexts): boolean {
  return isLine(displayName, LIMITS.maxDisplayNameLength) && isLine(words, LIMITS.maxProfileWordsLength);
}

/** Control characters and line breaks have no place in a name, nor what would turn the text around it. */
const UNFIT = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

function isLine(text: string, maxLength: number): boolean {
  return text.length <= maxLength && new TextEncoder().encode(text).length <= MAX_TEXT_BYTES && !UNFIT.test(text);
}

/**
 * A profile that its own account signed, of this network and not from the future.
 * @throws KithError `malformed`, `too-large`, `signature-invalid`, `profile-stale`, and as trustUserCertificate
 */
export function trustProfile(anchor: TrustAnchor, bytes: Uint8Array): Signed<Profile> {
  const profile = decodeProfile(bytes);
  const now = anchor.now();
  if (profile.value.issuedAt > now + TIMES.maxClockSkewMs) {
    throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
  }
  if (profileEndsAt(profile.value) <= now) throw new KithError("profile-stale");
  trustUserCertificate(anchor, profile.value.certificate.bytes);
  requireSignature(nodeSignatures, "profile", profile, profile.value.certificate.value.signKey);
  return profile;
}
