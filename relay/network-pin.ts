/** The network that this supernode belongs to: its key is learnt at the first start and held to from then on. */
import { equalBytes } from "../protocol/bytes.ts";
import { KithError } from "../protocol/errors.ts";
import { SIGN_KEY_BYTES } from "../protocol/identifiers.ts";
import type { DataFolder } from "./data-folder.ts";
import type { LoginServerClient } from "./login-server-client.ts";

const FILE = "network-key";

/**
 * The network key. A login server that does not answer is no obstacle once the key is known.
 * @throws KithError `network-changed`, `data-corrupt`; at the first start also what the login server's silence or answer gives
 */
export async function pinNetworkKey(folder: DataFolder, loginServer: LoginServerClient): Promise<Uint8Array> {
  const pinned = folder.read(FILE);
  if (!pinned) {
    const key = await loginServer.networkKey();
    folder.write(FILE, key);
    return key;
  }
  if (pinned.length !== SIGN_KEY_BYTES) throw new KithError("data-corrupt", { path: folder.pathOf(FILE) });
  const shown = await loginServer.networkKey().catch(absence);
  if (shown && !equalBytes(shown, pinned)) throw new KithError("network-changed");
  return pinned;
}

function absence(error: unknown): null {
  if (error instanceof KithError && /^login-server-(unreachable|certificate)$/.test(error.code)) return null;
  throw error;
}
