/** The mutual proof of keys with which a node attaches to a supernode, and a supernode joins another one. */
import { concatBytes, fromHex } from "./bytes.ts";
import { KithError } from "./errors.ts";
import type { SupernodeId } from "./identifiers.ts";
import { PROTOCOL_VERSION } from "./limits.ts";
import { nodeSignatures } from "./node-crypto.ts";
import { type Domain, statement } from "./signed.ts";

/** What both proofs are about; every field has a fixed length. */
export interface AttachClaim {
  /** 32 bytes, from the supernode's challenge on this very connection. */
  readonly challengeNonce: Uint8Array;
  /** 32 bytes, drawn by the one who connects. */
  readonly nonce: Uint8Array;
  readonly supernodeId: SupernodeId;
  /** SHA-256 of the TLS certificate as this side sees it: someone between the two has another one. */
  readonly tlsFingerprint: Uint8Array;
}

/** The proof of the one who connects. */
export function signAttach(claim: AttachClaim, secretKey: Uint8Array): Uint8Array {
  return nodeSignatures.sign(attachStatement("attach", claim), secretKey);
}

/** @throws KithError `signature-invalid` */
export function requireAttachProof(claim: AttachClaim, proof: Uint8Array, signKey: Uint8Array): void {
  requireProof("attach", claim, proof, signKey);
}

/** The supernode's proof, in answer. */
export function signAttachAnswer(claim: AttachClaim, secretKey: Uint8Array): Uint8Array {
  return nodeSignatures.sign(attachStatement("attachAnswer", claim), secretKey);
}

/** @throws KithError `signature-invalid` */
export function requireAttachAnswer(claim: AttachClaim, proof: Uint8Array, signKey: Uint8Array): void {
  requireProof("attachAnswer", claim, proof, signKey);
}

/** @param who names the other side in the refusal. @throws KithError `protocol-version` */
export function requireProtocolVersion(version: number, who: string): void {
  if (version !== PROTOCOL_VERSION) throw new KithError("protocol-version", { who });
}

function attachStatement(domain: Domain, claim: AttachClaim): Uint8Array {
  return statement(
    domain,
    concatBytes([claim.challengeNonce, claim.nonce, fromHex(claim.supernodeId), claim.tlsFingerprint]),
  );
}

function requireProof(domain: Domain, claim: AttachClaim, proof: Uint8Array, signKey: Uint8Array): void {
  if (!nodeSignatures.verify(attachStatement(domain, claim), proof, signKey)) {
    throw new KithError("signature-invalid", { what: "proof of identity" });
  }
}
