/** Orders to a process of a benchmark and its answers, over the IPC channel. */
import { Failure } from "./failure.ts";
import { type OwnedProcess, startNode } from "./owned-process.ts";

/** By name: what is ordered, and what comes back. Both travel as JSON. */
type Orders<T> = { [K in keyof T]: (order: never) => unknown };
type OrderOf<T extends Orders<T>, K extends keyof T> = Parameters<T[K]>[0];
type AnswerTo<T extends Orders<T>, K extends keyof T> = Awaited<ReturnType<T[K]>>;
type Handlers<T extends Orders<T>> = {
  [K in keyof T]: (order: OrderOf<T, K>) => ReturnType<T[K]> | Promise<AnswerTo<T, K>>;
};

interface Envelope {
  readonly id: number;
  readonly name: string;
  readonly order: unknown;
}

interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** In the process that is ordered. It ends with its channel. */
export function serveOrders<T extends Orders<T>>(handlers: Handlers<T>): void {
  const byName = new Map<string, (order: never) => unknown>(Object.entries(handlers));
  process.on("message", async ({ id, name, order }: Envelope) => {
    const answer = await carryOut(byName.get(name), order).then(
      (value): Answer => ({ id, answer: value }),
      (error: unknown): Answer => ({
        id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
    // Nobody may wait for it any more.
    process.send?.(answer, undefined, undefined, () => undefined);
  });
  process.on("disconnect", () => process.exit());
}

async function carryOut(handler: ((order: never) => unknown) | undefined, order: unknown): Promise<unknown> {
  if (!handler) throw new Failure("an order that is not known here");
  return handler(order as never);
}

/** In the process that orders. */
export class OrderedProcess<T extends Orders<T>> {
  readonly #process: OwnedProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #nextId = 1;

  private constructor(owned: OwnedProcess) {
    this.#process = owned;
    owned.child.on("message", ({ id, answer, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Failure(error));
    });
    void owned.ended.then((how) => {
      for (const { reject } of this.#waiting.values()) reject(new Failure(`A process of the benchmark ${how}.`));
    });
  }

  /** Another process of the bundle that this one runs. */
  static async start<T extends Orders<T>>(name: string, ...args: string[]): Promise<OrderedProcess<T>> {
    const script = process.argv[1];
    if (script === undefined) throw new Failure("No script to run.");
    return new OrderedProcess<T>(await startNode(name, script, [name, ...args], process.env, "inherit"));
  }

  order<K extends keyof T & string>(name: K, order: OrderOf<T, K>): Promise<AnswerTo<T, K>> {
    const id = this.#nextId++;
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.child.send({ id, name, order } satisfies Envelope);
    }) as Promise<AnswerTo<T, K>>;
  }

  /** As a crash would: without a word. */
  async kill(): Promise<void> {
    this.#process.child.kill("SIGKILL");
    await this.#process.ended;
  }
}
