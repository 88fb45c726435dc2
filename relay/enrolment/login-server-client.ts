/** The few requests that a supernode makes of its login server. Whatever comes back is checked before it is used. */
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../../protocol/limits.ts";
import { HttpError, LOGIN_HTTP } from "../../protocol/login-api.ts";
import type { EnrolmentClaim, ReportClaim } from "../../protocol/login-proof.ts";
import { networkIdOf } from "../../protocol/node-crypto.ts";
import { tlsFault } from "../../protocol/tls-fault.ts";
import type { FetchedNotices } from "./network-notices.ts";

const ANSWER_TIMEOUT_MS = 10_000;
/** The supernode list of the largest network, in base64. */
const MAX_ANSWER_BYTES = 6 * 1024 * 1024;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

type Route = (typeof LOGIN_HTTP)[keyof typeof LOGIN_HTTP];

export class LoginServerClient {
  readonly address: string;

  /**
   * @param typed `https://host[:port]`; plain http on this machine only.
   * @throws KithError `login-server-address`, `login-server-insecure`
   */
  constructor(typed: string) {
    const url = URL.canParse(typed) ? new URL(typed) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) throw new KithError("login-server-address", { address: typed });
    if (url.protocol === "http:" && !LOOPBACK.has(url.hostname)) {
      throw new KithError("login-server-insecure", { address: typed });
    }
    this.address = url.origin;
  }

  /**
   * The network's first key, and what leads from it to the present one, unchecked.
   * @throws KithError `login-server-unreachable`, `login-server-certificate`, `login-server-nonsense`, `protocol-version`
   */
  async network(): Promise<{ key: Uint8Array; successions: Uint8Array }> {
    const network = await this.#ask(LOGIN_HTTP.network);
    if (network.protocolVersion !== PROTOCOL_VERSION) {
      throw new KithError("protocol-version", { who: "The login server" });
    }
    const key = bytesOf(network.networkKey);
    if (networkIdOf(key) !== network.networkId) throw this.#nonsense();
    return { key, successions: bytesOf(network.successions) };
  }

  /**
   * A fresh certificate.
   * @param proof signs login-proof.ts's enrolmentStatement of the same claim.
   * @throws KithError as network, and what the server answers, e.g. `enrolment-refused`
   */
  async enrol(claim: EnrolmentClaim, token: string, proof: Uint8Array): Promise<Uint8Array> {
    const { certificate } = await this.#ask(LOGIN_HTTP.enrol, {
      token,
      signKey: base64Of(claim.signKey),
      tlsFingerprint: base64Of(claim.tlsFingerprint),
      host: claim.host,
      port: claim.port,
      proof: base64Of(proof),
    });
    return bytesOf(certificate);
  }

  /** @throws KithError as network, and what the server answers */
  async report(claim: ReportClaim, proof: Uint8Array): Promise<void> {
    const { supernodeId, at, room } = claim;
    await this.#ask(LOGIN_HTTP.report, { supernodeId, at, room, proof: base64Of(proof) });
  }

  /** The signed supernode list, unchecked. @throws KithError as network */
  async supernodeList(): Promise<Uint8Array> {
    return bytesOf((await this.#ask(LOGIN_HTTP.supernodes)).list);
  }

  /** What it says to the whole network, unchecked. @throws KithError as network */
  async notices(): Promise<FetchedNotices> {
    const { keyLogHead, revocations, successions } = await this.#ask(LOGIN_HTTP.notices);
    return {
      keyLogHead: bytesOf(keyLogHead),
      revocations: bytesOf(revocations),
      successions: bytesOf(successions),
    };
  }

  async #ask<R extends Route>(route: R, body?: z.infer<R["input"]>): Promise<z.infer<R["output"]>> {
    const response = await this.#fetch(route, body);
    const json = await this.#readJson(response);
    if (!response.ok) {
      const refusal = HttpError.safeParse(json);
      throw refusal.success ? KithError.fromWire(refusal.data.error) : this.#nonsense();
    }
    const parsed = route.output.safeParse(json);
    if (!parsed.success) throw this.#nonsense();
    return parsed.data as z.infer<R["output"]>;
  }

  async #fetch(route: Route, body: unknown): Promise<Response> {
    try {
      return await fetch(this.address + route.path, {
        method: route.verb,
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
        ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      });
    } catch (error) {
      const why = tlsFault(error);
      throw why === null
        ? this.#unreachable(error)
        : new KithError("login-server-certificate", { address: this.address, why }, { cause: error });
    }
  }

  async #readJson(response: Response): Promise<unknown> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of response.body ?? []) {
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) throw this.#nonsense();
        chunks.push(chunk);
      }
    } catch (error) {
      if (error instanceof KithError) throw error;
      throw this.#unreachable(error);
    }
    try {
      return JSON.parse(Buffer.concat(chunks).toString());
    } catch (error) {
      // A proxy that stands before a stopped login server answers in words of its own.
      if (response.status >= 502 && response.status <= 504) throw this.#unreachable(error);
      throw new KithError("login-server-nonsense", { address: this.address }, { cause: error });
    }
  }

  #unreachable(cause: unknown): KithError {
    return new KithError("login-server-unreachable", { address: this.address }, { cause });
  }

  #nonsense(): KithError {
    return new KithError("login-server-nonsense", { address: this.address });
  }
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}
