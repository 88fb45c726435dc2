/** Composition root of the client core. It imports no Electron: tests and headless clients run the same code. */
import { KithError } from "../../protocol/errors.ts";
import type { IpcMethods, IpcPush, IpcPushes } from "../../protocol/ipc-schema.ts";
import type { Handlers } from "../../protocol/rpc.ts";
import type { ClientOptions } from "./client-options.ts";

export type PushListener = <K extends keyof IpcPushes & string>(name: K, value: IpcPush<K>) => void;

export interface KithClient {
  /** The window's requests. Each throws a KithError whose sentence a person may read. */
  readonly methods: Handlers<IpcMethods>;
  /** @returns stops listening */
  onPush(listener: PushListener): () => void;
  /** Whether a call or a recording is going on that the user asked for. */
  mayUseMicrophone(): boolean;
  /** Says goodbye to the network and closes the profile. */
  close(): Promise<void>;
}

/**
 * Opens a profile and, if somebody is signed in there, connects in the background.
 * @throws KithError `data-folder-unwritable`, `data-corrupt`, `data-newer`, `data-in-use`, `profile-locked`
 */
export async function openClient(_options: ClientOptions): Promise<KithClient> {
  throw new KithError("not-authenticated");
}
