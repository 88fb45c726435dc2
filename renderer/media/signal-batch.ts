/** Candidates come in bursts: gathered for a moment, they travel in one envelope instead of ten. */
import type { MediaSignal } from "../../protocol/call-signal.ts";
import type { Clock } from "../app/clock.ts";

/** Short beside the hundreds of ms that connecting takes. */
export const BATCH_MS = 25;
/** As many as one request may carry. */
const MAX_BATCH = 64;

export interface SignalBatch {
  /** An offer or answer goes at once, with what has gathered before it. */
  add(signal: MediaSignal): void;
  close(): void;
}

export function openSignalBatch(clock: Clock, send: (signals: MediaSignal[]) => void): SignalBatch {
  let waiting: MediaSignal[] = [];
  let stopTimer: (() => void) | null = null;

  function flush(): void {
    stopTimer?.();
    stopTimer = null;
    if (waiting.length > 0) send(waiting.splice(0));
  }

  return {
    add(signal) {
      waiting.push(signal);
      if (signal.type !== "candidate" || waiting.length === MAX_BATCH) flush();
      else stopTimer ??= clock.after(BATCH_MS, flush);
    },
    close() {
      stopTimer?.();
      stopTimer = null;
      waiting = [];
    },
  };
}
