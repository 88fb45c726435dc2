/** What a storage engine's error means to the one who asked. */
import { KithError } from "../../protocol/errors.ts";

/** The engine's own code, e.g. `SQLITE_FULL` or `53100`; empty if the error carries none. */
export function engineCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The engine works but cannot write: the request may be repeated once an operator has made room. */
const SQLITE_REFUSES_FOR_NOW = ["SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY"];

/**
 * The same in PostgreSQL (its manual, appendix A): insufficient resources, a full disk among
 * them; an operator's intervention; read-only; two that waited for each other; a lock or an
 * answer that took too long; trouble with its disk.
 */
const POSTGRES_REFUSES_FOR_NOW = ["53", "57", "25006", "40001", "40P01", "55P03", "58"];
/** Connections that PostgreSQL ended or does not take: class 08, it is shutting down or starting up, we were idle for too long. */
const POSTGRES_GONE = ["08", "57P01", "57P02", "57P03", "57P05", "25P03"];
const NETWORK_FAULTS = [
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
];
/** What pg says without a code. */
const SAID_BY_PG =
  /^Connection terminated|^timeout e|^Query read timeout|^Client has encountered a connection error|^Client was closed/;

/** A text that PostgreSQL cannot hold, above all one with a NUL in it. */
const POSTGRES_NOT_A_TEXT = "22021";

/** After this long the request may be repeated. */
const COME_AGAIN_SECONDS = 5;

/** The connection to PostgreSQL is of no more use. */
export function isConnectionLost(error: unknown): boolean {
  const code = engineCode(error);
  if (POSTGRES_GONE.some((known) => code.startsWith(known)) || NETWORK_FAULTS.includes(code)) return true;
  return error instanceof Error && code === "" && SAID_BY_PG.test(error.message);
}

/** PostgreSQL cannot be reached, or cannot do it just now. */
export function isOutOfReach(error: unknown): boolean {
  const code = engineCode(error);
  if (isConnectionLost(error) || POSTGRES_REFUSES_FOR_NOW.some((known) => code.startsWith(known))) return true;
  return error instanceof AggregateError && error.errors.some(isOutOfReach);
}

export function storageBusy(cause: unknown): KithError {
  return new KithError("login-server-busy", { seconds: COME_AGAIN_SECONDS }, { cause });
}

/** Whatever a request threw, as the answer to it; an unforeseen error becomes `internal` and keeps its cause. */
export function refusalFor(thrown: unknown): KithError {
  const code = engineCode(thrown);
  if (SQLITE_REFUSES_FOR_NOW.some((known) => code.startsWith(known))) return storageBusy(thrown);
  if (code === POSTGRES_NOT_A_TEXT) return new KithError("malformed", { what: "text" }, { cause: thrown });
  return KithError.from(thrown);
}
