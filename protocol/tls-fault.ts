/** What is wrong with a server's TLS certificate, in words, out of the errors of Node's TLS. */

const WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has run out",
  CERT_NOT_YET_VALID: "it is not valid yet",
  CERT_REVOKED: "it was revoked",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for another name",
  HOSTNAME_MISMATCH: "it is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "nobody but itself has signed it",
  SELF_SIGNED_CERT_IN_CHAIN: "nobody whom this computer trusts has signed it",
  UNABLE_TO_GET_ISSUER_CERT: "its chain is not complete",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "nobody whom this computer trusts has signed it",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its chain is not complete, or nobody whom this computer trusts has signed it",
};

/** @returns null if the error, or what caused it, is no complaint about a certificate */
export function tlsFault(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const words = "code" in at && typeof at.code === "string" ? WORDS[at.code] : undefined;
    if (words !== undefined) return words;
  }
  return null;
}
