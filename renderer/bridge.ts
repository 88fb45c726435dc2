/** The window's one way to the main process: `window.kith`, with types. */
import { type ErrorDetails, KithError } from "../protocol/errors.ts";
import type { IpcMethods, IpcPush, IpcPushes, KithBridge } from "../protocol/ipc-schema.ts";
import type { Caller, Input, Output } from "../protocol/rpc.ts";

declare global {
  interface Window {
    readonly kith: KithBridge;
  }
}

export interface Bridge {
  /** @throws KithError with the code that main answered */
  readonly invoke: Caller<IpcMethods>;
  /** @returns how to stop listening */
  onPush<K extends keyof IpcPushes & string>(name: K, listener: (value: IpcPush<K>) => void): () => void;
}

export function openBridge(kith: KithBridge): Bridge {
  async function invoke<K extends keyof IpcMethods & string>(
    name: K,
    input: Input<IpcMethods[K]>,
  ): Promise<Output<IpcMethods[K]>> {
    const received = await kith.invoke(name, input);
    // Main is the half of Kith that checks: what it answers has the type of the schema.
    return unwrap(received, name) as Output<IpcMethods[K]>;
  }
  return { invoke, onPush: (name, listener) => kith.onPush(name, listener) };
}

/** The value of an rpc.ts result; its error is thrown. */
function unwrap(received: unknown, name: string): unknown {
  if (!isRecord(received)) throw new KithError("malformed", { what: `the answer to ${name}` });
  if (received.ok === true) return received.value;
  const { error } = received;
  if (!isRecord(error)) throw new KithError("malformed", { what: `the answer to ${name}` });
  throw KithError.fromWire({
    code: String(error.code),
    message: String(error.message),
    details: isRecord(error.details) ? (error.details as ErrorDetails) : {},
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
