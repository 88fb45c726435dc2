/** What a storage engine's error means to the one who asked. */
import { KithError } from "../../protocol/errors.ts";

/** The engine's own code, e.g. `SQLITE_FULL`; empty if the error carries none. */
export function engineCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The engine works but cannot write: the request may be repeated once an operator has made room. */
const REFUSED_FOR_NOW = ["SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY"];

/** Whatever a request threw, as the answer to it; an unforeseen error becomes `internal` and keeps its cause. */
export function refusalFor(thrown: unknown): KithError {
  const code = engineCode(thrown);
  return REFUSED_FOR_NOW.some((known) => code.startsWith(known))
    ? new KithError("login-server-busy", {}, { cause: thrown })
    : KithError.from(thrown);
}
