/**
 * Typed requests over a socket.io connection. A method is a name with two schemas; both
 * ends derive their types from the same table, and both check what they receive. Works
 * over any emitter with acknowledgements, so this file knows nothing of socket.io.
 */
import { z } from "zod";
import { type ErrorDetails, KithError, type WireError } from "./errors.ts";
import { TIMES } from "./limits.ts";

export interface Method<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly input: I;
  readonly output: O;
}
export type MethodTable = Readonly<Record<string, Method>>;

export function method<I extends z.ZodType, O extends z.ZodType>(input: I, output: O): Method<I, O> {
  return { input, output };
}

/** The empty answer. */
export const Nothing = z.strictObject({});

export type Input<M extends Method> = z.infer<M["input"]>;
export type Output<M extends Method> = z.infer<M["output"]>;

export type Handlers<T extends MethodTable> = {
  readonly [K in keyof T]: (input: Input<T[K]>) => Output<T[K]> | Promise<Output<T[K]>>;
};

/** What this file needs of a socket, ours or the peer's end. */
export interface RpcSocket {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  timeout(ms: number): { emitWithAck(event: string, ...args: unknown[]): Promise<unknown> };
}

const WireErrorShape = z.object({
  code: z.string().max(64),
  message: z.string().max(2_000),
  details: z.record(z.string(), z.union([z.string().max(2_000), z.number()])),
});
const Answer = z.union([
  z.strictObject({ ok: z.literal(true), value: z.unknown() }),
  z.strictObject({ ok: z.literal(false), error: WireErrorShape }),
]);

/**
 * Answers a method table on one socket. A request of the wrong shape is refused with
 * `malformed`, one with too many bytes with `too-large`; whatever a handler throws is answered by its code.
 * @param onFault is told of errors that are ours (code `internal`), for the log.
 * @param onAnswer is told of each answer: `ok` or the code of the refusal, for metrics.
 */
export function serve<T extends MethodTable>(
  socket: RpcSocket,
  table: T,
  handlers: Handlers<T>,
  onFault: (methodName: string, error: KithError) => void,
  onAnswer: (methodName: string, outcome: string) => void = () => undefined,
): void {
  for (const name of Object.keys(table)) {
    socket.on(name, (...args) => {
      void answer(table[name] as Method, handlers[name] as (input: unknown) => unknown, name, args[0]).then(
        (result) => {
          if (!result.ok && result.error.code === "internal") onFault(name, result.cause);
          onAnswer(name, result.ok ? "ok" : result.error.code);
          const acknowledge = args[1];
          if (typeof acknowledge === "function") {
            acknowledge(result.ok ? result : { ok: false, error: result.error });
          }
        },
      );
    });
  }
}

export type Result = { ok: true; value: unknown } | { ok: false; error: WireError; cause: KithError };

/** Checks one request and has it handled; for transports other than a socket (IPC). */
export async function answer(
  { input }: Method,
  handler: (input: unknown) => unknown,
  name: string,
  received: unknown,
): Promise<Result> {
  const parsed = input.safeParse(received);
  try {
    if (!parsed.success) throw refusalOf(parsed.error, name);
    return { ok: true, value: await handler(parsed.data) };
  } catch (thrown) {
    const cause = KithError.from(thrown);
    return { ok: false, error: cause.toWire(), cause };
  }
}

function refusalOf(error: z.ZodError, name: string): KithError {
  for (const issue of error.issues) {
    const limit: unknown = issue.code === "custom" ? issue.params?.limitBytes : undefined;
    if (typeof limit === "number") return new KithError("too-large", { what: name, limit: `${limit} bytes` });
  }
  return new KithError("malformed", { what: name });
}

export type Caller<T extends MethodTable> = <K extends keyof T & string>(
  name: K,
  input: Input<T[K]>,
) => Promise<Output<T[K]>>;

/**
 * Calls methods of the other end.
 * @throws KithError `timeout`, `malformed` (an answer of the wrong shape), or the code that the other end answered
 */
export function caller<T extends MethodTable>(
  socket: RpcSocket,
  table: T,
  timeoutMs: number = TIMES.requestTimeoutMs,
): Caller<T> {
  return async (name, input) => {
    let received: unknown;
    try {
      received = await socket.timeout(timeoutMs).emitWithAck(name, input);
    } catch (error) {
      throw new KithError("timeout", {}, { cause: error });
    }
    return readAnswer(table[name] as Method, name, received) as Output<T[typeof name]>;
  };
}

function readAnswer({ output }: Method, name: string, received: unknown): unknown {
  const parsed = Answer.safeParse(received);
  if (!parsed.success) throw new KithError("malformed", { what: `the answer to ${name}` });
  if (!parsed.data.ok) {
    const { code, message, details } = parsed.data.error;
    throw KithError.fromWire({ code, message, details: details as ErrorDetails });
  }
  const value = output.safeParse(parsed.data.value);
  if (!value.success) throw new KithError("malformed", { what: `the answer to ${name}` });
  return value.data;
}
