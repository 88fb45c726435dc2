/** The certificate in files of the host's own; whatever renews them, the server takes the new ones without a restart. */
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { Server } from "node:https";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { KithError } from "../protocol/errors.ts";

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
 * @returns stops looking
 */
export function followTlsFiles(files: TlsFiles, server: Server, log: Logger): () => void {
  const reload = () => {
    try {
      server.setSecureContext(readTlsFiles(files));
      log.info("certificate read again");
    } catch (error) {
      log.error({ code: KithError.from(error).code }, "the certificate's files do not fit: the one before stays");
    }
  };
  const paths = [files.cert, files.key];
  for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, reload);
  return () => {
    for (const path of paths) unwatchFile(path, reload);
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "not readable";
}
