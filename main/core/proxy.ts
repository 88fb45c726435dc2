/**
 * Ways out of networks that let nobody out but through an HTTP proxy that knows CONNECT
 * (RFC 9110, section 9.3.6). Which proxy, if any, the operating system says.
 */
import http from "node:http";
import https from "node:https";
import { type Duplex, PassThrough, Readable } from "node:stream";
import tls from "node:tls";
import { TIMES } from "../../protocol/limits.ts";
import type { OpenStream } from "../../protocol/pinned-tls.ts";

/**
 * Asks the system for the way to a URL. The answer is as in proxy auto-configuration:
 * "DIRECT", or "PROXY host:port" (also "HTTPS host:port"), several with semicolons between.
 */
export type FindProxy = (url: string) => Promise<string>;

const DIRECT: FindProxy = async () => "DIRECT";

export class Routes {
  readonly #findProxy: FindProxy;

  constructor(findProxy: FindProxy = DIRECT) {
    this.#findProxy = findProxy;
  }

  /** How to connect to there; null: as always, without a proxy. @param url `https:`, also for a WebSocket */
  async to(url: string): Promise<OpenStream | null> {
    const { hostname } = new URL(url);
    const proxy = firstProxy(await this.#findProxy(url));
    if (proxy === null || hostname === "localhost") return null;
    return (host, port) => tunnel(proxy, host, port);
  }

  /** For https to there; undefined without a proxy. */
  async agentTo(url: string): Promise<https.Agent | undefined> {
    const open = url.startsWith("https:") ? await this.to(url) : null;
    return open === null ? undefined : new TunnelAgent(open);
  }

  /** As the global `fetch`, which knows no proxies. */
  readonly fetch: typeof fetch = async (input, init) => {
    const agent = typeof input === "string" ? await this.agentTo(input) : undefined;
    return agent === undefined ? fetch(input, init) : fetchBy(agent, String(input), init);
  };
}

interface Proxy {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
}

/** The first that we can use. SOCKS is not spoken here: the next in the list is taken, or none. */
function firstProxy(answer: string): Proxy | null {
  for (const entry of answer.split(";")) {
    const [, kind, host, port] = /^\s*(PROXY|HTTPS|DIRECT)(?:\s+\[?([\w.:-]+?)\]?:(\d{1,5}))?\s*$/i.exec(entry) ?? [];
    if (kind?.toUpperCase() === "DIRECT") return null;
    if (kind === undefined || host === undefined) continue;
    return { isTls: kind.toUpperCase() === "HTTPS", host, port: Number(port) };
  }
  return null;
}

function tunnel({ isTls, ...proxy }: Proxy, host: string, port: number): Promise<Duplex> {
  const target = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const request = (isTls ? https : http).request({
      ...proxy,
      method: "CONNECT",
      path: target,
      headers: { host: target },
      agent: false,
      timeout: TIMES.requestTimeoutMs,
    });
    request.once("connect", ({ statusCode }, socket: Duplex) => {
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy answered ${statusCode}`));
    });
    request.once("response", ({ statusCode }) => reject(new Error(`the proxy answered ${statusCode}`)));
    request.once("timeout", () => request.destroy(new Error("the proxy does not answer")));
    request.once("error", reject);
    request.end();
  });
}

/** TLS to the far end through the tunnel, checked as without one. */
class TunnelAgent extends https.Agent {
  readonly #open: OpenStream;

  constructor(open: OpenStream) {
    super({ keepAlive: false });
    this.#open = open;
  }

  override createConnection(
    options: https.RequestOptions,
    connected?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host, port, servername } = options;
    // The host is what the certificate is checked for.
    const identity = { host: host ?? "", ...(servername !== undefined && { servername }) };
    this.#open(identity.host, Number(port ?? 443)).then(
      (socket) => connected?.(null, tls.connect({ socket, ...identity })),
      (error: Error) => connected?.(error, new PassThrough()),
    );
    return undefined;
  }
}

function fetchBy(agent: https.Agent, url: string, init: RequestInit = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, {
      agent,
      method: init.method ?? "GET",
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(init.signal && { signal: init.signal }),
    });
    request.once("response", (response) => {
      const body = Readable.toWeb(response) as ReadableStream;
      resolve(new Response(body, { status: response.statusCode ?? 502 }));
    });
    request.once("error", reject);
    request.end(typeof init.body === "string" ? init.body : undefined);
  });
}
