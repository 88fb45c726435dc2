/** WebRTC's signals come in bursts: those of a few milliseconds travel in one envelope. */
import type { MediaSignal } from "../../protocol/call-signal.ts";
import type { CallId } from "../../protocol/identifiers.ts";
import type { Clock } from "../core/clock.ts";

/** JSON characters in one envelope; well below the limit of an envelope, whatever is escaped. */
const MAX_BATCH_CHARACTERS = 24_000;
/** The schema's limit. */
const MAX_BATCH_SIGNALS = 64;

export class SignalBatch {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #flush: (callId: CallId, signals: readonly MediaSignal[]) => void;
  #pending: { readonly callId: CallId; readonly signals: MediaSignal[]; readonly cancel: () => void } | null = null;

  constructor(clock: Clock, waitMs: number, flush: (callId: CallId, signals: readonly MediaSignal[]) => void) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#flush = flush;
  }

  add(callId: CallId, signals: readonly MediaSignal[]): void {
    if (this.#pending?.callId !== callId) this.drop();
    this.#pending ??= { callId, signals: [], cancel: this.#clock.after(this.#waitMs, () => this.#send()) };
    this.#pending.signals.push(...signals);
  }

  drop(): void {
    this.#pending?.cancel();
    this.#pending = null;
  }

  #send(): void {
    const pending = this.#pending;
    this.#pending = null;
    if (!pending) return;
    for (const batch of batches(pending.signals)) this.#flush(pending.callId, batch);
  }
}

function batches(signals: readonly MediaSignal[]): MediaSignal[][] {
  const all: MediaSignal[][] = [];
  let batch: MediaSignal[] = [];
  let characters = 0;
  for (const signal of signals) {
    const size = JSON.stringify(signal).length;
    if (batch.length > 0 && (batch.length === MAX_BATCH_SIGNALS || characters + size > MAX_BATCH_CHARACTERS)) {
      all.push(batch);
      batch = [];
      characters = 0;
    }
    batch.push(signal);
    characters += size;
  }
  if (batch.length > 0) all.push(batch);
  return all;
}
