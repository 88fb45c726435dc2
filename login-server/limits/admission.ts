/**
 * Who may begin just now. When everybody comes back at once, each beginning costs a hundred
 * times as much as turning somebody away: so what was begun is finished in time, and the rest
 * is told when to come again.
 */
import { KithError } from "../../protocol/errors.ts";

/** Work that has been waiting for longer makes newcomers wait elsewhere. */
const LONGEST_WAIT_MS = 200;
/** So many always get in between two ticks: a machine that was busy with other things turns nobody away. */
const ALWAYS_LET_IN = 25;
const TICK_MS = 20;
/** Over how many seconds those who are turned away are spread: few at first, more while it goes on. */
const MIN_SPREAD_SECONDS = 2;
const MAX_SPREAD_SECONDS = 60;
/** What one processor gets done in a second, about, of what is begun. */
const BEGUN_PER_SECOND = 150;
const FORGET_MS = 10_000;

interface AdmissionParts {
  /** Milliseconds that only grow. */
  elapsed(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #ticking: NodeJS.Timeout;
  #lastTick: number;
  #letIn = 0;
  #turnedAway = 0;
  #countedSince: number;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#lastTick = parts.elapsed();
    this.#countedSince = this.#lastTick;
    this.#ticking = setInterval(() => this.tick(), TICK_MS).unref();
  }

  /** The process has come around to its timers: nothing older than this waits. */
  tick(): void {
    this.#lastTick = this.#parts.elapsed();
    this.#letIn = 0;
    if (this.#lastTick - this.#countedSince < FORGET_MS) return;
    this.#turnedAway = Math.floor(this.#turnedAway / 2);
    this.#countedSince = this.#lastTick;
  }

  /** @throws KithError `login-server-crowded` with the seconds after which to come again, different ones for different people */
  begin(): void {
    const waitedMs = this.#parts.elapsed() - this.#lastTick;
    if (waitedMs <= LONGEST_WAIT_MS || this.#letIn < ALWAYS_LET_IN) {
      this.#letIn++;
      return;
    }
    this.#turnedAway++;
    const spread = Math.min(MAX_SPREAD_SECONDS, MIN_SPREAD_SECONDS + this.#turnedAway / BEGUN_PER_SECOND);
    throw new KithError("login-server-crowded", { seconds: 1 + Math.floor(this.#parts.random() * spread) });
  }

  close(): void {
    clearInterval(this.#ticking);
  }
}
