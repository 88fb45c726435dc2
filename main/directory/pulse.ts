/**
 * Feels whether the links to supernodes still carry anything, as long as a call needs them. A
 * NAT that forgets kills a connection in silence: the socket's own pings, which are rare
 * because ten thousand nodes get them, would notice within a minute.
 */
import { KithError } from "../../protocol/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { SupernodeLink } from "./supernode-link.ts";

const BEAT_MS = 3_000;
const PATIENCE_MS = 6_000;
/** Once the sound has stopped, most of the waiting is done: so many round trips are left, and at least this. */
const ALARMED_ROUND_TRIPS = 4;
const ALARMED_PATIENCE_MS = 700;
/** After a machine has slept or stalled, timers run before the answers that lie ready. */
const SECOND_LOOK_MS = 100;

export type FeltLink = Pick<SupernodeLink, "request" | "abandon" | "roundTripMs">;

export class Pulse {
  readonly #links: () => readonly FeltLink[];
  readonly #clock: Clock;
  #cancelTimer: (() => void) | null = null;

  /** @param links those that are open just now */
  constructor(links: () => readonly FeltLink[], clock: Clock) {
    this.#links = links;
    this.#clock = clock;
  }

  start(): void {
    if (this.#cancelTimer) return;
    const beat = () => {
      this.#cancelTimer = this.#clock.after(BEAT_MS, beat);
      this.#feel(() => PATIENCE_MS);
    };
    this.#cancelTimer = this.#clock.after(BEAT_MS, beat);
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  /** Something else has gone silent: a link that does not answer soon is given up. */
  alarm(): void {
    this.#feel(({ roundTripMs }) => Math.max(ALARMED_PATIENCE_MS, ALARMED_ROUND_TRIPS * roundTripMs));
  }

  #feel(patienceMs: (link: FeltLink) => number): void {
    for (const link of this.#links()) feel(link, patienceMs(link), this.#clock);
  }
}

/**
 * Gives the link up unless it answers a ping in this time.
 * @param settled once the answer has come, or the time is over
 */
export function feel(link: FeltLink, patienceMs: number, clock: Clock, settled: () => void = () => undefined): void {
  let isSilent = true;
  let cancel = clock.after(patienceMs, () => {
    cancel = clock.after(SECOND_LOOK_MS, () => {
      if (isSilent) link.abandon();
      settled();
    });
  });
  const heard = () => {
    isSilent = false;
    cancel();
    settled();
  };
  // A refusal is a sign of life as well; a link that has closed has told so itself.
  link.request("ping", {}).then(heard, (error: unknown) => {
    if (KithError.from(error).code !== "timeout") heard();
  });
}
