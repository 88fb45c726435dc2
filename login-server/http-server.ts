/** JSON over HTTP: routes from the protocol's table, limits before parsing, every error in one form. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { z } from "zod";
import { KithError } from "../protocol/errors.ts";
import { subscriberOf } from "./client-address.ts";
import { readJsonBody } from "./http-body.ts";
import { statusOf } from "./http-status.ts";
import { refusalFor } from "./storage/storage-fault.ts";

/** Who asks: the address that rate limits count. */
export interface Caller {
  readonly subscriber: string;
}

export interface Route {
  readonly verb: "GET" | "POST";
  readonly path: string;
  answer(body: unknown, caller: Caller): Promise<unknown>;
}

interface Endpoint<I extends z.ZodType, O extends z.ZodType> {
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

/** An HTTP server that does not listen yet. */
export function httpServer(routes: readonly Route[], log: Logger): Server {
  return createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => {
      void respond(routes, request, response, log);
    },
  );
}

async function respond(
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> {
  const startedAt = performance.now();
  const path = (request.url ?? "").split("?")[0] ?? "";
  const candidates = routes.filter((candidate) => candidate.path === path);
  const found = candidates.find((candidate) => candidate.verb === request.method);
  try {
    if (!found) throw new KithError("unknown-method", { what: candidates.length === 0 ? "path" : "verb" });
    const body = found.verb === "POST" ? await readJsonBody(request) : {};
    const answer = await found.answer(body, { subscriber: subscriberOf(request.socket.remoteAddress) });
    send(response, 200, answer);
  } catch (thrown) {
    refuse(request, response, refusalFor(thrown), candidates, log);
  }
  // The path of a route, not what was asked for: that may be anything.
  log.debug(
    { route: found?.path ?? null, status: response.statusCode, ms: Math.round(performance.now() - startedAt) },
    "request",
  );
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
