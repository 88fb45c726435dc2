import { type FuseV1Config, FuseV1Options, FuseVersion, flipFuses } from "@electron/fuses";

/** How a packaged app may not be turned into something else (https://www.electronjs.org/docs/latest/tutorial/fuses). */
export const RELEASE_FUSES = {
  /** Not a Node for whoever can start programs. */
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  /** No debugger that reads keys out of a running app. */
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  /** No unpacked app put in the place of ours. */
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  /** The window comes from app://, so files need no privileges of their own. */
  [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
  [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
} satisfies Partial<Record<FuseV1Options, boolean>>;

/**
 * Sets them in a packaged app; on macOS and Windows also the check of the archive against
 * the hash that electron-builder puts into the executable (Electron has none on Linux).
 */
export async function setReleaseFuses(executable: string, platform: string): Promise<void> {
  const fuses: FuseV1Config = {
    version: FuseVersion.V1,
    resetAdHocDarwinSignature: platform === "darwin",
    ...RELEASE_FUSES,
    [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: platform === "darwin" || platform === "win32",
  };
  await flipFuses(executable, fuses);
}
