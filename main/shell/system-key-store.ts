/** The operating system's key store, where it really protects: Keychain, DPAPI, Secret Service or KWallet. */
import type { SafeStorage } from "electron";
import type { SystemKeyStore } from "../storage/profile-key.ts";

/** null where there is none: on Linux without a keyring Electron would obfuscate with a fixed password ("basic_text"). */
export function systemKeyStore(safeStorage: SafeStorage, platform: NodeJS.Platform): SystemKeyStore | null {
  if (!safeStorage.isEncryptionAvailable()) return null;
  if (platform === "linux" && safeStorage.getSelectedStorageBackend() === "basic_text") return null;
  return {
    protect: (plain) => new Uint8Array(safeStorage.encryptString(Buffer.from(plain).toString("base64"))),
    unprotect: (sealed) => new Uint8Array(Buffer.from(safeStorage.decryptString(Buffer.from(sealed)), "base64")),
  };
}
