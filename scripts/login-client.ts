/** A client that signs in with handle and password, and waits as our app does when the server asks for it. */
import { Agent, request } from "node:http";
import { setTimeout as passing } from "node:timers/promises";
import * as opaque from "@serenity-kit/opaque";
import type { z } from "zod";
import { backoffMs } from "../protocol/backoff.ts";
import type { DeviceId, Handle } from "../protocol/identifiers.ts";
import { HttpError, LOGIN_HTTP } from "../protocol/login-api.ts";
import { Failure } from "./failure.ts";
import { KEY_STRETCHING, PASSWORD } from "./login-accounts.ts";

/** Longer than the app waits: a server that never answers is found out by the count of failures. */
const PATIENCE_MS = 60_000;

export interface Login {
  /** From the first byte sent to the last one read, of both requests: what the client computes in between is not in it. */
  readonly servedMs: number;
  readonly certificate: Uint8Array;
}

/** The server asks to come again after so many seconds; 0: it does not say when. */
class ComeAgain extends Error {
  readonly seconds: number;

  constructor(seconds: number, cause?: unknown) {
    super("come again", { cause });
    this.seconds = seconds;
  }
}

/** What a client has ready before it connects: the first message of OPAQUE. */
export type Opening = ReturnType<typeof opaque.client.startLogin>;

export function openingMessage(): Opening {
  return opaque.client.startLogin({ password: PASSWORD });
}

/** @throws ComeAgain, Failure */
export async function login(
  agent: Agent,
  url: string,
  handle: Handle,
  deviceId: DeviceId,
  { clientLoginState, startLoginRequest }: Opening = openingMessage(),
): Promise<Login> {
  const start = await post(agent, url, LOGIN_HTTP.loginStart, { handle, request: startLoginRequest });
  const proof = opaque.client.finishLogin({
    password: PASSWORD,
    clientLoginState,
    loginResponse: start.answer.response,
    keyStretching: KEY_STRETCHING,
  });
  if (!proof) throw new Failure(`The server refuses the password of ${handle}.`);
  const finish = await post(agent, url, LOGIN_HTTP.loginFinish, {
    attempt: start.answer.attempt,
    request: proof.finishLoginRequest,
    deviceId,
    deviceName: "benchmark",
  });
  return { servedMs: start.ms + finish.ms, certificate: Buffer.from(finish.answer.certificate, "base64") };
}

/** Tries until it is in. @returns how often it was turned away, or null if it gave up */
export async function loginInStorm(
  url: string,
  handle: Handle,
  deviceId: DeviceId,
  { opening, deadline }: { readonly opening: Opening; readonly deadline: number },
): Promise<number | null> {
  for (let attempt = 0; performance.now() < deadline; attempt++) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      // Whoever was turned away has had no answer to it: the same message may go out again.
      await login(agent, url, handle, deviceId, opening);
      return attempt;
    } catch (error) {
      if (!(error instanceof ComeAgain)) throw error;
      await passing(error.seconds * 1_000 + backoffMs(attempt, Math.random()));
    } finally {
      agent.destroy();
    }
  }
  return null;
}

function post<O extends z.ZodType>(
  agent: Agent,
  url: string,
  { path, output }: { readonly path: string; readonly output: O },
  input: object,
): Promise<{ ms: number; answer: z.infer<O> }> {
  const body = JSON.stringify(input);
  return new Promise((resolve, reject) => {
    const sentAt = performance.now();
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url + path, { method: "POST", agent, headers, timeout: PATIENCE_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", (error) => reject(new ComeAgain(0, error)));
      response.on("end", () => {
        const ms = performance.now() - sentAt;
        // Node itself hangs up, without a body, on a connection that waited too long for its turn (408).
        if (response.statusCode === 408) return reject(new ComeAgain(0));
        const json: unknown = JSON.parse(Buffer.concat(chunks).toString());
        if (response.statusCode === 200) return resolve({ ms, answer: output.parse(json) });
        const { code, details } = HttpError.parse(json).error;
        const again = response.statusCode === 503 || code === "login-attempt-over";
        reject(again ? new ComeAgain(Number(details.seconds ?? 0)) : new Failure(`The server answers ${code}.`));
      });
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", (error) => reject(new ComeAgain(0, error)));
    sent.end(body);
  });
}
