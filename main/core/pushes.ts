/** What the window is told without asking. */
import type { IpcPush, IpcPushes } from "../../protocol/ipc-schema.ts";

export type PushListener = <K extends keyof IpcPushes & string>(name: K, value: IpcPush<K>) => void;

export class Pushes {
  readonly #listeners = new Set<PushListener>();

  readonly push: PushListener = (name, value) => {
    for (const listener of this.#listeners) listener(name, value);
  };

  /** @returns stops listening */
  listen(listener: PushListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
