/** The certificate in files of the host's own; whatever renews them, the server takes the new ones without a restart. */
import { readFileSync } from "node:fs";
import type { Server } from "node:https";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { KithError } from "../../protocol/errors.ts";

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateAndKey {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Renewals are days apart; this only has to be sooner than anybody waits for it. */
const LOOK_EVERY_MS = 2_000;

/** @throws KithError `option-invalid` for files that are missing, damaged or do not belong together */
export function readTlsFiles(files: TlsFiles): CertificateAndKey {
  try {
    const pair = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
    createSecureContext(pair);
    return pair;
  } catch (error) {
    const why = `${files.cert} and ${files.key} are not a certificate and its key (${reasonOf(error)})`;
    throw new KithError("option-invalid", { option: "--tls-cert", why }, { cause: error });
  }
}

/**
 * Takes new certificates over while the server runs; open connections keep theirs. A pair that does not fit,
 * as in the moment between the two files' renewals, changes nothing.
 * @param shown what the server began with
 * @returns stops looking
 */
export function followTlsFiles(files: TlsFiles, shown: CertificateAndKey, server: Server, log: Logger): () => void {
  let latest = shown;
  let complaint: string | null = null;
  // Compared by what is in them: file times, and watchers that begin with them, can miss a change that comes early.
  const look = () => {
    try {
      const pair = readTlsFiles(files);
      complaint = null;
      if (pair.cert.equals(latest.cert) && pair.key.equals(latest.key)) return;
      server.setSecureContext(pair);
      latest = pair;
      log.info("certificate read again");
    } catch (error) {
      const { code, message } = KithError.from(error);
      if (message !== complaint) log.error({ code }, "the certificate's files do not fit: the one before stays");
      complaint = message;
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "not readable";
}
