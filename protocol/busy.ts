/**
 * How a supernode that takes no newcomers just now says so, at two prices. Those whom it can
 * afford to tell more are let in as far as `attach` and refused there, typed, before any
 * signature is checked. The crowd gets a TLS alert in answer to its first words: no handshake,
 * no key, a hundredth of the work.
 */
import { KithError } from "./errors.ts";
import { SupernodeId } from "./identifiers.ts";

/** Supernodes with room, named in one refusal or farewell. */
export const MAX_ELSEWHERE = 4;

/** For how long a supernode wants to be left alone after an alert, which has no room for a number. */
const ALERT_WAIT_SECONDS = 5;
/** Nobody is sent away for longer, whatever the refusal says. */
const MAX_WAIT_SECONDS = 120;

/**
 * A fatal `internal_error` in a record of its own (RFC 8446 §5.1 and §6.2: "such as a memory
 * allocation failure"), as it may come before the server's first message.
 */
export const BUSY_ALERT: Uint8Array = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 80);

/** What a newcomer learns from a refusal. */
export interface Busy {
  readonly waitSeconds: number;
  /** Supernodes that had room lately, best first. */
  readonly elsewhere: readonly SupernodeId[];
}

/** `supernode-busy` as the supernode throws it. */
export function busyRefusal({ waitSeconds, elsewhere }: Busy): KithError {
  return new KithError("supernode-busy", {
    seconds: waitSeconds,
    elsewhere: elsewhere.slice(0, MAX_ELSEWHERE).join(" "),
  });
}

/** What a `supernode-busy` says; nothing in it is believed beyond its bounds. */
export function readBusy({ details }: KithError): Busy {
  const { seconds, elsewhere } = details;
  const wait = typeof seconds === "number" && seconds >= 1 ? Math.min(seconds, MAX_WAIT_SECONDS) : ALERT_WAIT_SECONDS;
  const names = typeof elsewhere === "string" ? elsewhere.split(" ", MAX_ELSEWHERE) : [];
  return {
    waitSeconds: wait,
    elsewhere: names.flatMap((name) => {
      const id = SupernodeId.safeParse(name);
      return id.success ? [id.data] : [];
    }),
  };
}

/** Whether TLS failed by a supernode's BUSY_ALERT. */
export function isBusyAlert(error: Error): boolean {
  return "code" in error && error.code === "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR";
}
