/**
 * A method table with its handlers, shared by all sockets of one kind: what differs from
 * socket to socket is the session that every handler is given.
 */
import type { KithError } from "../../protocol/errors.ts";
import { answer, type Input, type Method, type MethodTable, type Output, type Result } from "../../protocol/rpc.ts";

export type SessionHandlers<T extends MethodTable, S> = {
  readonly [K in keyof T]: (session: S, input: Input<T[K]>) => Output<T[K]> | Promise<Output<T[K]>>;
};

export class Endpoint<S> {
  readonly #table: MethodTable;
  readonly #handlers: Readonly<Record<string, (session: S, input: unknown) => unknown>>;
  readonly #onFault: (method: string, error: KithError) => void;

  /** Use `endpoint`, which knows the types. */
  constructor(
    table: MethodTable,
    handlers: Readonly<Record<string, (session: S, input: unknown) => unknown>>,
    onFault: (method: string, error: KithError) => void,
  ) {
    this.#table = table;
    this.#handlers = handlers;
    this.#onFault = onFault;
  }

  has(method: string): boolean {
    return Object.hasOwn(this.#table, method);
  }

  /** Only for a method that it `has`. Never throws. */
  async answer(session: S, method: string, received: unknown): Promise<Result> {
    const handler = this.#handlers[method] as (session: S, input: unknown) => unknown;
    const result = await answer(this.#table[method] as Method, (input) => handler(session, input), method, received);
    if (!result.ok && result.error.code === "internal") this.#onFault(method, result.cause);
    return result;
  }
}

/** @param onFault is told of errors that are ours (code `internal`), for the log. */
export function endpoint<T extends MethodTable, S>(
  table: T,
  handlers: SessionHandlers<T, S>,
  onFault: (method: string, error: KithError) => void,
): Endpoint<S> {
  // The table checks every input before its handler sees it.
  return new Endpoint(table, handlers as Readonly<Record<string, (session: S, input: unknown) => unknown>>, onFault);
}
