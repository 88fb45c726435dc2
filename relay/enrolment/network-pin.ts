/** The network that this supernode belongs to: its key is learnt at the first start and held to, or to what follows it by its own word. */
import type { Logger } from "pino";
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { type NetworkId, SIGN_KEY_BYTES } from "../../protocol/identifiers.ts";
import { decodeSuccessions } from "../../protocol/network-key.ts";
import { fingerprintsOf, firstChain, type NetworkKeyChain, restoreChain } from "../../protocol/network-key-chain.ts";
import { NetworkTrust } from "../../protocol/network-trust.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import type { DataFolder } from "../data-folder.ts";
import type { LoginServerClient } from "./login-server-client.ts";

const FIRST_KEY = "network-key";
/** A byte that is 1 where the newest of them is believed no longer, then the successions. */
const SUCCESSIONS = "network-successions";

export interface NetworkPinParts {
  readonly folder: DataFolder;
  readonly loginServer: Pick<LoginServerClient, "network">;
  /** The operator's word for the newest key: its fingerprint; null: none. */
  readonly confirmed: NetworkId | null;
  readonly now: () => number;
  readonly log: Logger;
}

/**
 * The network's keys as far as they are known. A login server that does not answer is no obstacle once the first
 * one is known, nor is one that has not heard of the newest: whatever it signs will be refused.
 * @throws KithError `network-changed`, `network-key-unconfirmed`, `network-key-forked`, `network-key-withheld` by a
 *   login server that does not know the confirmed one, `data-corrupt`; at the first start also what the login server's silence or answer gives
 */
export async function pinNetwork({ folder, loginServer, confirmed, now, log }: NetworkPinParts): Promise<NetworkTrust> {
  const pinned = folder.read(FIRST_KEY);
  if (pinned && pinned.length !== SIGN_KEY_BYTES)
    throw new KithError("data-corrupt", { path: folder.pathOf(FIRST_KEY) });
  const shown = await (pinned ? loginServer.network().catch(absence) : loginServer.network());
  if (pinned && shown && !equalBytes(shown.key, pinned)) throw new KithError("network-changed");
  const key = pinned ?? shown?.key ?? new Uint8Array();
  if (!pinned) folder.write(FIRST_KEY, key);
  // The first time there is nothing to hold the login server's word against, unless the operator has another one.
  const newest = confirmed ?? (pinned || !shown ? null : newestOf(shown.successions));
  const trust = new NetworkTrust(pinned ? remembered(folder, key) : firstChain(key), now, newest);
  trust.onNews((news) => {
    if (news === "forked") return log.error("somebody claims another key for this network than the one that is known");
    folder.write(SUCCESSIONS, Uint8Array.from([trust.chain.unconfirmed ? 1 : 0, ...trust.bytes]));
    if (news === "followed") log.info({ keys: trust.chain.successions.length + 1 }, "the network has another key");
    else log.error("the network has a new key that its host has to vouch for: start again with --network-key");
  });
  const verdict = shown ? trust.take(shown.successions) : trust.take(trust.bytes);
  if (verdict === "unconfirmed") throw new KithError("network-key-unconfirmed");
  if (verdict === "forked") throw new KithError("network-key-forked");
  if (shown && confirmed !== null && !fingerprintsOf(trust.chain).includes(confirmed)) {
    throw new KithError("network-key-withheld");
  }
  if (verdict === "behind") log.warn("the login server does not know the network's newest key");
  return trust;
}

function remembered(folder: DataFolder, key: Uint8Array): NetworkKeyChain {
  const kept = folder.read(SUCCESSIONS);
  if (!kept) return firstChain(key);
  return restoreChain(key, kept.slice(1), kept[0] === 1);
}

function newestOf(successions: Uint8Array): NetworkId | null {
  const newest = decodeSuccessions(successions).at(-1);
  return newest ? networkIdOf(newest.value.key) : null;
}

function absence(error: unknown): null {
  if (error instanceof KithError && /^login-server-(unreachable|certificate)$/.test(error.code)) return null;
  throw error;
}
