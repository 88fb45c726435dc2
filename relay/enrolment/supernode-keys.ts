/** What a supernode is: its Ed25519 key and its self-signed TLS certificate, made once and kept. */
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { generate } from "selfsigned";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { type SigningKeyPair, sha256, signingKeyPair } from "../../protocol/node-crypto.ts";
import type { DataFolder } from "../data-folder.ts";

const FILE = "keys.json";
const FORMAT_VERSION = 1;
const SEED_BYTES = 32;
/** Nobody looks at a pinned certificate's dates; TLS libraries must merely not stumble over them. */
const TLS_CERTIFICATE_END = new Date("2099-12-31T00:00:00Z");

const KeysFile = z.object({
  version: z.literal(FORMAT_VERSION),
  signSeed: z.base64().refine((text) => Buffer.from(text, "base64").length === SEED_BYTES),
  tlsKey: z.string(),
  tlsCertificate: z.string(),
});
type KeysFile = z.infer<typeof KeysFile>;
const AnyVersion = z.object({ version: z.number().int() });

export interface SupernodeKeys {
  readonly signing: SigningKeyPair;
  /** PEM. */
  readonly tlsKey: string;
  readonly tlsCertificate: string;
  /** SHA-256 of the TLS certificate in DER. */
  readonly tlsFingerprint: Uint8Array;
}

/** @throws KithError `data-corrupt`, `data-newer`, `data-folder-unwritable` */
export async function openSupernodeKeys(folder: DataFolder): Promise<SupernodeKeys> {
  const kept = folder.read(FILE);
  if (kept) return keysOf(parse(kept, folder.pathOf(FILE)));
  const file = await makeKeys();
  folder.write(FILE, Buffer.from(`${JSON.stringify(file, null, 2)}\n`));
  return keysOf(file);
}

async function makeKeys(): Promise<KeysFile> {
  const tls = await generate([{ name: "commonName", value: "kith supernode" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notAfterDate: TLS_CERTIFICATE_END,
  });
  return {
    version: FORMAT_VERSION,
    signSeed: randomBytes(SEED_BYTES).toString("base64"),
    tlsKey: tls.private,
    tlsCertificate: tls.cert,
  };
}

function parse(bytes: Uint8Array, path: string): KeysFile {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (AnyVersion.parse(json).version > FORMAT_VERSION) throw new KithError("data-newer", { path });
    const file = KeysFile.parse(json);
    if (!new X509Certificate(file.tlsCertificate).checkPrivateKey(createPrivateKey(file.tlsKey))) {
      throw new KithError("data-corrupt", { path });
    }
    return file;
  } catch (error) {
    if (error instanceof KithError) throw error;
    // Without the cause: a parser's message may quote the key that it stumbled over.
    throw new KithError("data-corrupt", { path });
  }
}

function keysOf(file: KeysFile): SupernodeKeys {
  return {
    signing: signingKeyPair(Buffer.from(file.signSeed, "base64")),
    tlsKey: file.tlsKey,
    tlsCertificate: file.tlsCertificate,
    tlsFingerprint: sha256(new X509Certificate(file.tlsCertificate).raw),
  };
}
