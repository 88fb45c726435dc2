/** JSON over HTTP: routes from the protocol's table, limits before parsing, every error in one form. */
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { Logger } from "pino";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { refusalFor } from "../storage/storage-fault.ts";
import { subscriberOf, type TrustedProxies, unmapped } from "./client-address.ts";
import { readJsonBody } from "./http-body.ts";
import { statusOf } from "./http-status.ts";

/** Who asks: the address that rate limits count, and what it shows of its right to ask. */
export interface Caller {
  readonly subscriber: string;
  /** The Authorization header. */
  readonly authorization: string;
}

/** Something that is no JSON. */
export interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Route {
  readonly verb: "GET" | "POST";
  readonly path: string;
  answer(body: unknown, caller: Caller): Promise<unknown>;
}

export interface Endpoint<I extends z.ZodType, O extends z.ZodType> {
  readonly verb: "GET" | "POST";
  readonly path: string;
  readonly input: I;
  readonly output: O;
}

/** Binds an endpoint of the protocol to what answers it; what arrives is checked against its schema. */
export function route<I extends z.ZodType, O extends z.ZodType>(
  endpoint: Endpoint<I, O>,
  handler: (input: z.infer<I>, caller: Caller) => z.infer<O> | Promise<z.infer<O>>,
): Route {
  return {
    verb: endpoint.verb,
    path: endpoint.path,
    answer: async (body, caller) => {
      const parsed = endpoint.input.safeParse(body);
      if (!parsed.success) throw refusalOfInput(parsed.error, endpoint.path);
      return handler(parsed.data, caller);
    },
  };
}

/** How long one request may take to arrive: a slow drip must not hold a connection for ever. */
const REQUEST_TIMEOUT_MS = 15_000;
const HEADERS_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 8 * 1024;
/**
 * Longer than a slow client stretches a password for between two requests of one sign-in:
 * Node's own 5 s would close the connection just as the second one is written to it.
 */
const KEEP_ALIVE_MS = 60_000;

export interface HttpServerParts {
  readonly routes: readonly Route[];
  /** Pages for people and programs other than ours, by path; null for any other path. */
  readonly page?: (path: string) => Promise<Page | null>;
  /** Certificate and key in PEM; null for plain HTTP. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  /** Believed about a client's address. Plain HTTP from elsewhere than these and loopback is hung up on; null: anybody may connect. */
  readonly proxies: TrustedProxies | null;
  readonly log: Logger;
  /** Told of each answer. */
  readonly answered?: (route: string, status: number, seconds: number) => void;
}

/** An HTTP server that does not listen yet. */
export function httpServer(parts: HttpServerParts): Server | SecureServer {
  const options: ServerOptions = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => void respond(parts, request, response);
  if (parts.tls) return createSecureServer({ ...options, ...parts.tls, minVersion: "TLSv1.2" }, listener);
  const server = createServer(options, listener);
  const { proxies } = parts;
  if (proxies) {
    server.on("connection", (socket) => {
      if (!proxies.includes(socket.remoteAddress) && !isLoopback(socket.remoteAddress)) socket.destroy();
    });
  }
  return server;
}

function isLoopback(address: string | undefined): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address ?? "");
}

/** The client's own address, also where a proxy of ours stands in between. */
export function subscriberAt(
  proxies: TrustedProxies | null,
  remoteAddress: string | undefined,
  forwardedFor: string | string[] | undefined,
): string {
  return subscriberOf(addressAt(proxies, remoteAddress, forwardedFor));
}

/** The client's own address. */
export function addressAt(
  proxies: TrustedProxies | null,
  remoteAddress: string | undefined,
  forwardedFor: string | string[] | undefined,
): string | undefined {
  const header = Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor;
  const address = proxies ? proxies.clientOf(remoteAddress, header) : remoteAddress;
  return address === undefined ? undefined : unmapped(address);
}

async function respond(parts: HttpServerParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { routes, log } = parts;
  const startedAt = performance.now();
  const path = (request.url ?? "").split("?")[0] ?? "";
  const candidates = routes.filter((candidate) => candidate.path === path);
  // Node leaves the body of an answer to HEAD out.
  const verb = request.method === "HEAD" ? "GET" : request.method;
  const found = candidates.find((candidate) => candidate.verb === verb);
  let shown = found?.path ?? null;
  try {
    const page = verb === "GET" && candidates.length === 0 ? await parts.page?.(path) : null;
    if (page) {
      shown = "page";
      sendPage(response, page);
    } else {
      if (!found) throw new KithError("unknown-method", { what: candidates.length === 0 ? "path" : "verb" });
      const body = found.verb === "POST" ? await readJsonBody(request) : {};
      const { remoteAddress } = request.socket;
      const subscriber = subscriberAt(parts.proxies, remoteAddress, request.headers["x-forwarded-for"]);
      send(response, 200, await found.answer(body, { subscriber, authorization: request.headers.authorization ?? "" }));
    }
  } catch (thrown) {
    refuse(request, response, refusalFor(thrown), candidates, log);
  }
  const ms = performance.now() - startedAt;
  // The path of a route, not what was asked for: that may be anything.
  log.debug({ route: shown, status: response.statusCode, ms: Math.round(ms) }, "request");
  parts.answered?.(shown ?? "unknown", response.statusCode, ms / 1_000);
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: KithError,
  candidates: readonly Route[],
  log: Logger,
): void {
  if (error.code === "internal" || error.code === "login-server-busy") log.error({ err: error.cause }, error.code);
  const isWrongVerb = error.code === "unknown-method" && candidates.length > 0;
  if (isWrongVerb) response.setHeader("allow", candidates.map((candidate) => candidate.verb).join(", "));
  if (typeof error.details.seconds === "number") response.setHeader("retry-after", error.details.seconds);
  // Unread rest of a body: the connection cannot be used for another request.
  if (!request.complete) response.setHeader("connection", "close");
  send(response, isWrongVerb ? 405 : statusOf(error.code), { error: error.toWire() });
}

function sendPage(response: ServerResponse, { status, headers, body }: Page): void {
  const text = Buffer.from(body);
  response.writeHead(status, { ...headers, "content-length": text.length, "x-content-type-options": "nosniff" });
  response.end(text);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": text.length,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

function refusalOfInput(error: z.ZodError, path: string): KithError {
  const fields = new Set(error.issues.map((issue) => issue.path[0]));
  return fields.size === 1 && fields.has("handle")
    ? new KithError("handle-malformed")
    : new KithError("malformed", { what: path });
}
