/** Composition root of the client core. It imports no Electron: tests and headless clients run the same code. */
import { randomBytes } from "node:crypto";
import type { NetworkId } from "../../protocol/identifiers.ts";
import type { IpcMethods } from "../../protocol/ipc-schema.ts";
import type { Handlers } from "../../protocol/rpc.ts";
import { AccountStore } from "../account/account-store.ts";
import { Recording } from "../messages/recording.ts";
import { openDatabase } from "../storage/database.ts";
import { loadProfileKey } from "../storage/profile-key.ts";
import { lockProfile } from "../storage/profile-lock.ts";
import { DesktopSupernode } from "../supernode/desktop-supernode.ts";
import type { SupernodeHost } from "../supernode/supernode-host.ts";
import { Background } from "./background.ts";
import { type ClientOptions, DEFAULT_TIMES, type Surroundings } from "./client-options.ts";
import { NetworkClock, systemClock } from "./clock.ts";
import { ipcMethods } from "./ipc-methods.ts";
import { Routes } from "./proxy.ts";
import { Pushes, type PushListener } from "./pushes.ts";
import { SessionKeeper } from "./session-keeper.ts";
import { SettingsKeeper } from "./settings.ts";

export interface KithClient {
  /** The window's requests. Each throws a KithError whose sentence a person may read. */
  readonly methods: Handlers<IpcMethods>;
  /** @returns stops listening */
  onPush(listener: PushListener): () => void;
  /** Whether a call or a recording is going on that the user asked for. */
  mayUseMicrophone(): boolean;
  /**
   * A `kith:` link that the system has handed over, or an invitation's address: shown in the sign-in form.
   * @returns null, or the fingerprint of a network key, which the user is to be asked about
   * @throws KithError `invitation-malformed`, `already-signed-in`, `network-key-known`
   */
  openLink(link: string): NetworkId | null;
  /** The user says that this is the fingerprint that whoever runs the network has told them. */
  confirmNetworkKey(fingerprint: NetworkId): void;
  /** Says goodbye to the network and closes the profile. */
  close(): Promise<void>;
}

/**
 * Opens a profile and, if somebody is signed in there, connects in the background.
 * @throws KithError `data-folder-unwritable`, `data-corrupt`, `data-missing`, `data-newer`, `data-in-use`, `profile-locked`
 */
export async function openClient(options: ClientOptions): Promise<KithClient> {
  const { dataFolder, deviceName, defaultLoginServer, systemKeyStore, log } = options;
  const routes = new Routes(options.findProxy);
  const surroundings: Surroundings = {
    clock: new NetworkClock(systemClock(options.now)),
    random: options.random ?? ((length) => new Uint8Array(randomBytes(length))),
    fetch: options.fetch ?? routes.fetch,
    routes,
    // Said and not left to the library: another default there would lock everybody out.
    keyStretching: options.keyStretching ?? "memory-constrained",
    times: { ...DEFAULT_TIMES, ...options.times },
    log,
    background: new Background(log),
  };
  const profile = openProfile();
  const { db } = profile;
  const store = new AccountStore(db);
  const pushes = new Pushes();
  const recording = new Recording();
  const { keeper, settings, supernode } = await restored().catch(async (error: unknown) => {
    await profile.close();
    throw error;
  });
  return {
    methods: ipcMethods(keeper, recording, settings, supernode, surroundings),
    onPush: (listener) => pushes.listen(listener),
    mayUseMicrophone: () => recording.on || (keeper.session?.calls.mayUseMicrophone ?? false),
    openLink: (link) => keeper.offer(link),
    confirmNetworkKey: (fingerprint) => keeper.session?.confirmNetworkKey(fingerprint),
    close: async () => {
      // While there is a session to take it off the list with.
      await supernode?.close();
      await keeper.close();
      await profile.close();
    },
  };

  async function restored() {
    const settings = await SettingsKeeper.load(db, pushes.push);
    const keeper = new SessionKeeper({
      db,
      store,
      settings,
      surroundings,
      push: pushes.push,
      deviceName,
      defaultLoginServer,
    });
    const supernode = options.supernodeHost ? desktopSupernode(options.supernodeHost, keeper, settings) : null;
    await keeper.restore();
    return { keeper, settings, supernode };
  }

  function desktopSupernode(host: SupernodeHost, keeper: SessionKeeper, settings: SettingsKeeper): DesktopSupernode {
    const supernode = new DesktopSupernode({
      host,
      dataFolder,
      settings: () => settings.value,
      sponsor: () => keeper.session?.supernodeSponsor ?? null,
      surroundings,
      push: pushes.push,
    });
    pushes.listen((name) => {
      if (name === "session") supernode.reconsider();
    });
    return supernode;
  }

  function openProfile() {
    const key = loadProfileKey(dataFolder, systemKeyStore, surroundings.random);
    const unlock = lockProfile(dataFolder);
    try {
      const opened = openDatabase(dataFolder, key);
      return {
        db: opened,
        close: async () => {
          await opened.destroy();
          unlock();
        },
      };
    } catch (error) {
      unlock();
      throw error;
    }
  }
}
