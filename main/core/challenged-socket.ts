/** Every server of Kith speaks first, with a challenge: a socket is of use once that has come. */
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { Clock } from "./clock.ts";

export type ChallengedSocket<C> = { readonly socket: Socket; readonly challenge: C };

/** How long to wait, and what ends the waiting before. */
export interface Patience {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Opens a socket and waits for the challenge. A socket that fails is closed.
 * @throws KithError `timeout`, `malformed`, or the KithError that the transport failed with; otherwise the transport's error
 */
export function openChallengedSocket<C>(
  url: string,
  options: Partial<ManagerOptions & SocketOptions>,
  schema: z.ZodType<C>,
  { clock, timeoutMs, signal }: Patience,
): Promise<ChallengedSocket<C>> {
  return new Promise((resolve, reject) => {
    const socket = io(url, options);
    const settle = () => {
      cancel();
      signal.removeEventListener("abort", giveUp);
    };
    const fail = (error: Error) => {
      settle();
      socket.off();
      socket.disconnect();
      reject(error);
    };
    const giveUp = () => fail(new KithError("timeout"));
    const cancel = clock.after(timeoutMs, giveUp);
    signal.addEventListener("abort", giveUp);
    socket.once("connect_error", (error) => fail(rootOf(error)));
    socket.once("disconnect", (reason) => fail(new Error(reason)));
    socket.once("challenge", (received: unknown) => {
      const challenge = schema.safeParse(received);
      if (!challenge.success) return fail(new KithError("malformed", { what: "challenge" }));
      settle();
      socket.off("connect_error").off("disconnect");
      resolve({ socket, challenge: challenge.data });
    });
  });
}

/** engine.io wraps what went wrong below it. */
function rootOf(error: Error): Error {
  let root: unknown = error;
  for (let depth = 0; depth < 5; depth++) {
    if (root instanceof KithError) return root;
    if (typeof root !== "object" || root === null) break;
    if ("description" in root && root.description) root = root.description;
    else if ("error" in root && root.error) root = root.error;
    else if ("context" in root && root.context) root = root.context;
    else break;
  }
  return error;
}
