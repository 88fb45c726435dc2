/** The operator's own HTTP listener: health, readiness, metrics and the status page. Never on the public port. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { authority } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { FigureSection, SupernodeState } from "./figures.ts";
import { metricsRegistry } from "./metrics.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./page-assets.ts";
import { Rates } from "./rates.ts";
import { statusPage } from "./status-page.ts";

export interface StatusAddress {
  /** IP address. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

export interface StatusServerParts {
  readonly state: () => SupernodeState;
  readonly sections: readonly FigureSection[];
  /** ms since 1970 */
  readonly now: () => number;
  readonly log: Logger;
}

export interface StatusServer {
  readonly url: string;
  close(): Promise<void>;
}

const SAMPLE_MS = 5_000;
/** A scraper and a few browsers; more would be somebody's mistake. */
const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_MS = 2_000;
const MAX_HEADER_BYTES = 8 * 1024;
const LOOPBACK = /^(127\.|::1$)/;

const hashOf = (source: string) => `'sha256-${createHash("sha256").update(source).digest("base64")}'`;

const HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    `style-src ${hashOf(PAGE_STYLE)}`,
    `script-src ${hashOf(PAGE_SCRIPT)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** @throws KithError `port-in-use`, `option-invalid` */
export async function startStatusServer(address: StatusAddress, parts: StatusServerParts): Promise<StatusServer> {
  const rates = new Rates(parts.sections);
  rates.sample(performance.now());
  const registry = metricsRegistry(parts.sections, parts.state().version);
  const isLocal = LOOPBACK.test(address.host);
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => {
      answer(request, isLocal, registry, rates, parts).then(
        (reply) => send(request, response, reply),
        (error: unknown) => {
          parts.log.error({ err: error }, "a status request failed");
          send(request, response, plain(500, "internal error"));
        },
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  const port = await listen(server, address);
  const sampling = setInterval(() => rates.sample(performance.now()), SAMPLE_MS);
  return {
    url: `http://${authority({ host: address.host, port })}/`,
    async close() {
      clearInterval(sampling);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function plain(status: number, body: string): Reply {
  return { status, type: "text/plain; charset=utf-8", body: `${body}\n` };
}

async function answer(
  request: IncomingMessage,
  isLocal: boolean,
  registry: Registry,
  rates: Rates,
  { state, sections, now }: StatusServerParts,
): Promise<Reply> {
  if (isLocal && !namesThisMachine(request.headers.host))
    return plain(421, "this listener answers to its address only");
  if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "GET only");
  switch (request.url?.split("?")[0]) {
    case "/":
      return {
        status: 200,
        type: "text/html; charset=utf-8",
        body: statusPage({ state: state(), sections, rates, now: now() }),
      };
    case "/health":
      return plain(200, "alive");
    case "/ready": {
      const { phase } = state();
      return plain(phase === "ready" ? 200 : 503, phase);
    }
    case "/metrics":
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    default:
      return plain(404, "not here: /, /health, /ready and /metrics are");
  }
}

/** A page from elsewhere whose name was pointed at loopback (DNS rebinding) must not read what is meant for this machine. */
function namesThisMachine(host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false;
  const name = new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "");
  return name === "localhost" || isIP(name) !== 0;
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Reply): void {
  response.writeHead(status, { ...HEADERS, "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(request.method === "HEAD" ? undefined : body);
}

function listen(server: Server, { host, port }: StatusAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new KithError("port-in-use", { port }, { cause: error })
          : new KithError(
              "option-invalid",
              { option: "--status-listen", why: `cannot listen on ${host} (${error.code})` },
              { cause: error },
            ),
      );
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
