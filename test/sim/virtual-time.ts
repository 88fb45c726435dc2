/** A clock that jumps from one event to the next. Everything in a simulation happens in one order, given by the seed. */
import { Agenda, type Appointment } from "../../relay/membership/agenda.ts";

export class VirtualTime {
  /** ms since 1970. */
  now: number;
  readonly #agenda = new Agenda();

  constructor(start: number) {
    this.now = start;
  }

  at(time: number, task: () => void): Appointment {
    return this.#agenda.schedule(Math.max(time, this.now), task);
  }

  after(ms: number, task: () => void): Appointment {
    return this.at(this.now + ms, task);
  }

  cancel(appointment: Appointment | null): void {
    this.#agenda.cancel(appointment);
  }

  /** Lets this much time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#agenda.nextAt(); next <= end; next = this.#agenda.nextAt()) {
      this.now = Math.max(this.now, next);
      this.#agenda.run(this.now);
    }
    this.now = end;
  }
}

/** A seeded source of chance (sfc32, Doty-Humphrey, PractRand): the same seed gives the same run. */
export function seededRandom(seed: number): () => number {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = 0xb7e15162;
  let d = seed | 0;
  const next = () => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let warmUp = 0; warmUp < 15; warmUp++) next();
  return next;
}
