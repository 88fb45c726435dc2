/**
 * "The network is continued by this key": how a network gets another signing key and stays the same
 * network. Each statement is signed by the key before it, and the new key's own signature stands
 * inside it, so that nobody can be made to continue a network whose key they do not hold.
 */
import { ByteWriter, concatBytes, equalBytes, fromHex } from "./bytes.ts";
import { KithError } from "./errors.ts";
import { NETWORK_ID_BYTES, type NetworkId, SIGN_KEY_BYTES, SIGNATURE_BYTES } from "./identifiers.ts";
import { nodeSignatures, type SigningKeyPair } from "./node-crypto.ts";
import { readNetworkId } from "./raw-identifiers.ts";
import { decodeSigned, type Signed, signBody, statement } from "./signed.ts";

const FORMAT_VERSION = 1;
const REASONS = ["planned", "stolen"] as const;
/** `planned`: whoever believes the old key believes the new one. `stolen`: nobody does, because the thief can sign the same. */
export type SuccessionReason = (typeof REASONS)[number];

/** More keys than a network has in fifty years of yearly changes; stops a chain that never ends. */
export const MAX_SUCCESSIONS = 64;
export const SUCCESSION_BYTES = 1 + NETWORK_ID_BYTES + 2 + SIGN_KEY_BYTES + 8 + 8 + 1 + 2 * SIGNATURE_BYTES;
export const MAX_SUCCESSIONS_BYTES = MAX_SUCCESSIONS * SUCCESSION_BYTES;

export interface Succession {
  /** Of the first key: it never changes. */
  readonly networkId: NetworkId;
  /** From 1: how many keys there were before. */
  readonly number: number;
  /** Ed25519, the new key. */
  readonly key: Uint8Array;
  /** ms since 1970: what is issued from then on is signed by the new key. */
  readonly from: number;
  /** Until then what the old key has signed before is believed; equal to `from` where the old one was stolen. */
  readonly until: number;
  readonly reason: SuccessionReason;
}

/** As it travels: `proof` is the new key's signature (domain `networkKeyProof`) over everything before it. */
export interface ProvedSuccession extends Succession {
  readonly proof: Uint8Array;
}

export function signSuccession(succession: Omit<Succession, "key">, old: SigningKeyPair, next: SigningKeyPair) {
  const fields = encodeFields({ ...succession, key: next.publicKey });
  const proof = nodeSignatures.sign(statement("networkKeyProof", fields), next.secretKey);
  return signBody(nodeSignatures, "networkKey", concatBytes([fields, proof]), old.secretKey);
}

function encodeFields({ networkId, number, key, from, until, reason }: Succession): Uint8Array {
  return new ByteWriter()
    .u8(FORMAT_VERSION)
    .fixed(fromHex(networkId), NETWORK_ID_BYTES)
    .u16(number)
    .fixed(key, SIGN_KEY_BYTES)
    .u64(from)
    .u64(until)
    .u8(REASONS.indexOf(reason))
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it: see requireSuccession. */
export function decodeSuccession(bytes: Uint8Array): Signed<ProvedSuccession> {
  return decodeSigned(bytes, "network key", SUCCESSION_BYTES, (reader) => {
    if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
    const networkId = readNetworkId(reader);
    const number = reader.u16();
    const key = reader.fixed(SIGN_KEY_BYTES);
    const [from, until] = [reader.u64(), reader.u64()];
    const reason = REASONS[reader.u8()];
    if (reason === undefined) throw reader.refuse("a reason that is not known here");
    if (until < from || (reason === "stolen" && until !== from)) throw reader.refuse("an end that does not fit");
    return { networkId, number, key, from, until, reason, proof: reader.fixed(SIGNATURE_BYTES) };
  });
}

/** All successions of a network, one behind the other. @throws KithError `malformed`, `too-large` */
export function decodeSuccessions(bytes: Uint8Array): Signed<ProvedSuccession>[] {
  if (bytes.length > MAX_SUCCESSIONS_BYTES) {
    throw new KithError("too-large", { what: "network keys", limit: `${MAX_SUCCESSIONS} keys` });
  }
  if (bytes.length % SUCCESSION_BYTES !== 0) throw new KithError("malformed", { what: "network keys" });
  const successions: Signed<ProvedSuccession>[] = [];
  for (let at = 0; at < bytes.length; at += SUCCESSION_BYTES) {
    successions.push(decodeSuccession(bytes.slice(at, at + SUCCESSION_BYTES)));
  }
  return successions;
}

export function encodeSuccessions(successions: readonly Pick<Signed<Succession>, "bytes">[]): Uint8Array {
  return concatBytes(successions.map(({ bytes }) => bytes));
}

/** A fingerprint in groups that can be read aloud. */
export function readable(fingerprint: NetworkId): string {
  return fingerprint.match(/.{5}/g)?.join(" ") ?? fingerprint;
}

/**
 * Whether the old key names the new one, and the new one agrees.
 * @throws KithError `network-key-forged`
 */
export function requireSuccession(succession: Signed<ProvedSuccession>, oldKey: Uint8Array): void {
  const { key, proof } = succession.value;
  const fields = succession.body.subarray(0, succession.body.length - SIGNATURE_BYTES);
  const isSigned = nodeSignatures.verify(statement("networkKey", succession.body), succession.signature, oldKey);
  const isProved = nodeSignatures.verify(statement("networkKeyProof", fields), proof, key);
  if (!isSigned || !isProved || equalBytes(key, oldKey)) throw new KithError("network-key-forged");
}
