/** The secrets of a network. Whoever has this file is the login server: it goes into every backup and nowhere else. */
import { randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { networkIdOf, type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";

/** A network that still has its first key is written as version 1, which every login server reads. */
const FORMAT_VERSION = 2;
const SEED_BYTES = 32;

export interface NetworkKeys {
  readonly networkId: NetworkId;
  /** The network's first key, by which it is known for ever. */
  readonly signing: SigningKeyPair;
  /** Keys that were made to follow it; which of them do, the database knows. */
  readonly successors: readonly SigningKeyPair[];
  /** OPAQUE's server setup: without it no password works any more. */
  readonly opaqueSetup: string;
  /** What operators enrol supernodes with, unless an option names another one. */
  readonly enrolmentToken: string;
}

const Seed = z.base64().refine((text) => Buffer.from(text, "base64").length === SEED_BYTES);
const KeysFile = z.object({
  version: z.union([z.literal(1), z.literal(FORMAT_VERSION)]),
  networkSeed: Seed,
  successorSeeds: z.array(Seed).optional(),
  opaqueSetup: z.string().min(1),
  enrolmentToken: z.string().min(16),
});
type KeysFile = z.infer<typeof KeysFile>;
const AnyVersion = z.object({ version: z.number().int() });

/** Fresh keys of a fresh network, and the text to keep them as. */
export async function createNetworkKeys(): Promise<{ keys: NetworkKeys; text: string }> {
  await opaque.ready;
  const file: KeysFile = {
    version: 1,
    networkSeed: randomBytes(SEED_BYTES).toString("base64"),
    opaqueSetup: opaque.server.createSetup(),
    // Hexadecimal: base64url may begin with a hyphen, which a command line takes for another option.
    enrolmentToken: randomBytes(24).toString("hex"),
  };
  return { keys: keysOf(file), text: textOf(file) };
}

/** @param text of a keys file that was read before @param seed of a key that is to follow */
export function withSuccessor(text: string, seed: Uint8Array): string {
  const file = KeysFile.parse(JSON.parse(text));
  const successorSeeds = [...(file.successorSeeds ?? []), Buffer.from(seed).toString("base64")];
  return textOf({ ...file, version: FORMAT_VERSION, successorSeeds });
}

function textOf(file: KeysFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/**
 * @param path names the file in a refusal.
 * @throws KithError `data-corrupt`, `data-newer`
 */
export async function parseNetworkKeys(text: string, path: string): Promise<NetworkKeys> {
  await opaque.ready;
  try {
    const json: unknown = JSON.parse(text);
    if (AnyVersion.parse(json).version > FORMAT_VERSION) throw new KithError("data-newer", { path });
    const keys = keysOf(KeysFile.parse(json));
    opaque.server.getPublicKey(keys.opaqueSetup);
    return keys;
  } catch (error) {
    if (error instanceof KithError) throw error;
    // Without the cause: a parser's message may quote what it stumbled over.
    throw new KithError("data-corrupt", { path });
  }
}

function keysOf(file: KeysFile): NetworkKeys {
  const signing = signingKeyPair(Buffer.from(file.networkSeed, "base64"));
  return {
    networkId: networkIdOf(signing.publicKey),
    signing,
    successors: (file.successorSeeds ?? []).map((seed) => signingKeyPair(Buffer.from(seed, "base64"))),
    opaqueSetup: file.opaqueSetup,
    enrolmentToken: file.enrolmentToken,
  };
}
