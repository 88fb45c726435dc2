/** What is to be done when: a binary heap (Williams 1964) of tasks by time, for a clock that is passed in. */

export interface Appointment {
  readonly task: () => void;
  at: number;
  isCancelled: boolean;
}

export class Agenda {
  readonly #heap: Appointment[] = [];
  /** Added to every appointment that is in the heap: see postponeAll. */
  #delay = 0;

  schedule(at: number, task: () => void): Appointment {
    const appointment = { task, at: at - this.#delay, isCancelled: false };
    this.#heap.push(appointment);
    this.#siftUp(this.#heap.length - 1);
    return appointment;
  }

  cancel(appointment: Appointment | null | undefined): void {
    if (appointment) appointment.isCancelled = true;
  }

  /** When something is due next; Infinity if nothing is planned. */
  nextAt(): number {
    while (this.#heap[0]?.isCancelled) this.#takeFirst();
    const first = this.#heap[0];
    return first ? first.at + this.#delay : Number.POSITIVE_INFINITY;
  }

  /** Does everything that is due, in order. */
  run(now: number): void {
    while (this.nextAt() <= now) this.#takeFirst()?.task();
  }

  /** Everything that is planned happens this much later. */
  postponeAll(byMs: number): void {
    this.#delay += byMs;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #takeFirst(): Appointment | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first && last && first !== last) {
      heap[0] = last;
      this.#siftDown(0);
    }
    return first;
  }

  #siftUp(start: number): void {
    const heap = this.#heap;
    const moving = heap[start] as Appointment;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Appointment;
      if (above.at <= moving.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = moving;
  }

  #siftDown(start: number): void {
    const heap = this.#heap;
    const moving = heap[start] as Appointment;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Appointment).at < (heap[child] as Appointment).at) child++;
      const below = heap[child] as Appointment;
      if (below.at >= moving.at) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = moving;
  }
}
