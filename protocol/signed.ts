/**
 * Signed structures. What is signed is the exact bytes that travel, behind a domain
 * string that no other kind of signature shares: a signature over one kind of statement
 * can never be presented as another (domain separation).
 */
import { ByteReader, concatBytes, utf8 } from "./bytes.ts";
import { KithError } from "./errors.ts";
import { SIGNATURE_BYTES } from "./identifiers.ts";

export const DOMAINS = {
  userCertificate: "kith user certificate 1",
  supernodeCertificate: "kith supernode certificate 1",
  supernodeList: "kith supernode list 1",
  /** The state of the key log at one epoch. */
  keyLogHead: "kith key log head 1",
  revocationList: "kith revocation list 1",
  /** The network's key names the one that follows it, … */
  networkKey: "kith network key 1",
  /** … and that one proves that it is held. */
  networkKeyProof: "kith network key proof 1",
  /** An account's signing key vouches for its sealing key. */
  keyBinding: "kith key binding 1",
  lease: "kith lease 1",
  envelope: "kith envelope 1",
  /** What somebody wants to be found by. */
  profile: "kith profile 1",
  /** A node or supernode proves its key to the supernode that it attaches to. */
  attach: "kith attach 1",
  /** The supernode's answer to it. */
  attachAnswer: "kith attach answer 1",
  /** A device opens a session with the login server. */
  loginSession: "kith login session 1",
  /** A new account proves that it holds the keys that it registers. */
  registration: "kith registration 1",
  /** Somebody who has forgotten the password proves the recovery key. */
  recovery: "kith recovery 1",
  /** An account vouches for the recovery key that was made for it. */
  recoveryKey: "kith recovery key 1",
  /** A supernode proves that it holds the key that it enrols. */
  enrolment: "kith enrolment 1",
  /** A supernode tells the login server that it is there, and how full it is. */
  supernodeReport: "kith supernode report 1",
  /** A supernode tells the others that it is there, or leaves. */
  announcement: "kith announcement 1",
  /** A supernode got no answer from another one. */
  suspicion: "kith suspicion 1",
  /** A supernode has reached a newcomer from outside, by UDP and TCP. */
  voucher: "kith voucher 1",
} as const;
export type Domain = keyof typeof DOMAINS;

/** Ed25519 (RFC 8032), in tweetnacl's formats: 32-byte public key, 64-byte secret key (seed and public key). */
export interface SignatureScheme {
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** False for anything that is not a valid signature, keys and signatures of the wrong size included. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
}

/** The bytes that a signature of this domain covers. */
export function statement(domain: Domain, body: Uint8Array): Uint8Array {
  return concatBytes([utf8(`${DOMAINS[domain]}\0`), body]);
}

export function signBody(scheme: SignatureScheme, domain: Domain, body: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return concatBytes([body, scheme.sign(statement(domain, body), secretKey)]);
}

/** A structure as it travelled: its decoded fields plus what is needed to check who signed it. */
export interface Signed<T> {
  readonly value: T;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
  /** Body and signature, to store or pass on unchanged. */
  readonly bytes: Uint8Array;
}

/** @throws KithError `malformed`, `too-large` */
export function decodeSigned<T>(
  bytes: Uint8Array,
  what: string,
  maxBytes: number,
  decodeBody: (reader: ByteReader) => T,
): Signed<T> {
  if (bytes.length > maxBytes) throw new KithError("too-large", { what, limit: `${maxBytes} bytes` });
  if (bytes.length <= SIGNATURE_BYTES) throw new KithError("malformed", { what });
  const body = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  const reader = new ByteReader(body, what);
  const value = decodeBody(reader);
  reader.end();
  return { value, body, signature: bytes.subarray(bytes.length - SIGNATURE_BYTES), bytes };
}

/** @throws KithError `signature-invalid` */
export function requireSignature(
  scheme: SignatureScheme,
  domain: Domain,
  signed: Signed<unknown>,
  publicKey: Uint8Array,
): void {
  if (!scheme.verify(statement(domain, signed.body), signed.signature, publicKey)) {
    throw new KithError("signature-invalid", { what: DOMAINS[domain] });
  }
}
