/**
 * Call signals to one device: all on their way at once, and yet taken in order. The way keeps
 * the order by itself; only when one is lost, it and all after it are sent again.
 */
import type { CallSignal } from "../../protocol/call-signal.ts";
import type { MessageId } from "../../protocol/identifiers.ts";
import type { Clock } from "../core/clock.ts";

export interface SignalLaneParts {
  readonly clock: Pick<Clock, "monotonic" | "after">;
  readonly newId: () => MessageId;
  /** Resolves with whether the device has taken it; null: there is no such device any more. */
  readonly transmit: (id: MessageId, signal: CallSignal) => Promise<boolean | null>;
}

/** Long enough to change the home supernode on both sides; a call waits no longer for anything. */
const GIVE_UP_MS = 15_000;
const RETRY_MS = 400;

interface Waiting {
  readonly signal: CallSignal;
  readonly giveUpAt: number;
  readonly settle: (taken: boolean) => void;
  /** The same at a retry, so that the device takes it once. */
  id: MessageId;
  taken: boolean;
}

export class SignalLane {
  readonly #parts: SignalLaneParts;
  #waiting: Waiting[] = [];
  /** Counts the times that we went back; an answer to what was sent before is late. */
  #round = 0;
  #cancelRetry: (() => void) | null = null;

  constructor(parts: SignalLaneParts) {
    this.#parts = parts;
  }

  /** Nothing is on its way. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** @returns whether the device has taken it, and all before it that it could take */
  send(signal: CallSignal): Promise<boolean> {
    return new Promise((settle) => {
      const { clock, newId } = this.#parts;
      const one = { signal, giveUpAt: clock.monotonic() + GIVE_UP_MS, settle, id: newId(), taken: false };
      this.#waiting.push(one);
      if (this.#cancelRetry === null) void this.#attempt(one);
    });
  }

  stop(): void {
    this.#round++;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    for (const { settle } of this.#waiting.splice(0)) settle(false);
  }

  async #attempt(one: Waiting): Promise<void> {
    const round = this.#round;
    const taken = await this.#parts.transmit(one.id, one.signal);
    if (round !== this.#round) return;
    if (taken === false) {
      this.#goBack(one);
      return;
    }
    if (taken === null) this.#drop(one);
    else one.taken = true;
    while (this.#waiting[0]?.taken) this.#waiting.shift()?.settle(true);
  }

  /** Those after the lost one may have been taken too early: they are to be taken once more, as others. */
  #goBack(lost: Waiting): void {
    this.#round++;
    for (const one of this.#waiting.slice(this.#waiting.indexOf(lost) + 1)) {
      one.id = this.#parts.newId();
      one.taken = false;
    }
    this.#cancelRetry = this.#parts.clock.after(RETRY_MS, () => {
      this.#cancelRetry = null;
      for (const one of [...this.#waiting]) this.#again(one);
    });
  }

  #again(one: Waiting): void {
    if (this.#parts.clock.monotonic() >= one.giveUpAt) this.#drop(one);
    else void this.#attempt(one);
  }

  #drop(one: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== one);
    one.settle(false);
  }
}
