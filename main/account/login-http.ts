/** Requests to a login server over HTTP: every answer is checked, every failure has its own sentence. */
import { z } from "zod";
import { isErrorCode, KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { PROTOCOL_VERSION, TIMES } from "../../protocol/limits.ts";
import { HttpError, LOGIN_HTTP, type RegistrationMode } from "../../protocol/login-api.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import { tlsFault } from "../../protocol/tls-fault.ts";
import type { NetworkClock } from "../core/clock.ts";

/** The supernode list is the largest answer; what is larger is not read to its end. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export interface Network {
  readonly networkId: NetworkId;
  /** The first one. */
  readonly networkKey: Uint8Array;
  /** What leads from it to the present one, unchecked. */
  readonly successions: Uint8Array;
  readonly name: string;
  readonly registration: RegistrationMode;
}

/**
 * The address of a login server as a person types it: `https://` may be left out, and on
 * this computer itself plain http will do.
 * @returns an origin such as `https://kith.example.org`
 * @throws KithError `login-server-address`, `login-server-insecure`
 */
export function parseLoginServer(typed: string): string {
  const address = typed.trim();
  const url = parseUrl(address) ?? parseUrl(withScheme(address));
  if (!url?.hostname || url.username || url.password || !["", "/"].includes(url.pathname) || url.search || url.hash) {
    throw new KithError("login-server-address", { address });
  }
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw new KithError("login-server-insecure", { address });
  }
  return url.origin;
}

function parseUrl(text: string): URL | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return new URL(text);
}

function withScheme(address: string): string {
  const host = address.replace(/:\d+$/, "").toLowerCase();
  return LOOPBACK.test(host) ? `http://${address}` : `https://${address}`;
}

export class LoginHttp {
  readonly #origin: string;
  readonly #fetch: typeof fetch;
  readonly #clock: NetworkClock;
  readonly #abort: AbortSignal;

  /**
   * @param origin as parseLoginServer returns it
   * @param clock is set right by the server's
   * @param abort ends what is under way
   */
  constructor(origin: string, fetchFunction: typeof fetch, clock: NetworkClock, abort = new AbortController().signal) {
    this.#origin = origin;
    this.#fetch = fetchFunction;
    this.#clock = clock;
    this.#abort = abort;
  }

  /**
   * Asks the server who it is.
   * @throws KithError `login-server-unreachable`, `login-server-certificate`, `login-server-nonsense`,
   * `protocol-version`, `clock-skew`
   */
  async network(): Promise<Network> {
    const answer = await this.#exchange(LOGIN_HTTP.network.path, { method: "GET" });
    const head = z.object({ kith: z.literal("login-server"), protocolVersion: z.number() }).safeParse(answer);
    if (!head.success) throw this.#nonsense();
    if (head.data.protocolVersion !== PROTOCOL_VERSION) {
      throw new KithError("protocol-version", { who: "The login server" });
    }
    const { networkId, networkKey, successions, name, registration, now } = this.#parse(
      LOGIN_HTTP.network.output,
      answer,
    );
    const key = fromBase64(networkKey);
    if (key.length !== 32 || networkIdOf(key) !== networkId) throw this.#nonsense();
    const lagMs = this.#clock.lagBehind(now);
    if (Math.abs(lagMs) > TIMES.maxClockSkewMs) {
      throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
    }
    this.#clock.setRight(lagMs);
    return { networkId, networkKey: key, successions: fromBase64(successions), name, registration };
  }

  /** The signed supernode list, not yet checked. Errors as `post`. */
  async supernodes(): Promise<Uint8Array> {
    const answer = await this.#exchange(LOGIN_HTTP.supernodes.path, { method: "GET" });
    return fromBase64(this.#parse(LOGIN_HTTP.supernodes.output, answer).list);
  }

  /**
   * @throws KithError `login-server-unreachable`, `login-server-certificate`, `login-server-nonsense`, or the code that the
   * server answered
   */
  async post<I, O>(
    route: { readonly path: string; readonly input: z.ZodType<unknown, I>; readonly output: z.ZodType<O> },
    input: I,
  ): Promise<O> {
    const body = JSON.stringify(input);
    const headers = { "content-type": "application/json" };
    return this.#parse(route.output, await this.#exchange(route.path, { method: "POST", headers, body }));
  }

  #parse<T>(schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (!parsed.success) throw this.#nonsense(parsed.error);
    return parsed.data;
  }

  async #exchange(path: string, init: RequestInit): Promise<unknown> {
    let status: number;
    let text: string;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(TIMES.requestTimeoutMs), this.#abort]);
      const response = await this.#fetch(`${this.#origin}${path}`, { ...init, redirect: "manual", signal });
      status = response.status;
      text = await readLimited(response);
    } catch (error) {
      if (error instanceof KithError) throw error;
      throw this.#silence(error);
    }
    const answer = this.#json(text, status);
    if (status >= 200 && status < 300) return answer;
    const refused = HttpError.safeParse(answer);
    if (!refused.success || !isErrorCode(refused.data.error.code)) throw this.#refusal(status);
    throw KithError.fromWire(refused.data.error);
  }

  #silence(cause: unknown): KithError {
    const address = this.#origin;
    const why = tlsFault(cause);
    if (why !== null) return new KithError("login-server-certificate", { address, why }, { cause });
    return new KithError("login-server-unreachable", { address }, { cause });
  }

  #json(text: string, status: number): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#refusal(status, error);
    }
  }

  /**
   * A proxy that stands before a stopped login server answers 502 to 504 in words of its own; Node hangs up with
   * an empty 408 on a connection whose turn did not come in time.
   */
  #refusal(status: number, cause?: unknown): KithError {
    return status === 408 || (status >= 502 && status <= 504)
      ? new KithError("login-server-unreachable", { address: this.#origin }, { cause })
      : this.#nonsense(cause);
  }

  #nonsense(cause?: unknown): KithError {
    return new KithError("login-server-nonsense", { address: this.#origin }, { cause });
  }
}

async function readLimited(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > MAX_ANSWER_BYTES) {
      throw new KithError("too-large", { what: "an answer of the login server", limit: `${MAX_ANSWER_BYTES} bytes` });
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
