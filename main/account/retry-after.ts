/** A login server to which everybody comes at once asks to be left alone for some seconds: whoever signs in waits them. */
import { backoffMs } from "../../protocol/backoff.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { RandomBytes } from "../core/randomness.ts";
import { uniform } from "../core/randomness.ts";

const MAX_SECONDS_ASKED = 120;

/** A server that is not right in its mind keeps nobody away for long. @returns 0 where it asked for nothing */
export function secondsAskedFor(refusal: KithError | null): number {
  const seconds = refusal?.details.seconds;
  return typeof seconds === "number" ? Math.min(Math.max(seconds, 0), MAX_SECONDS_ASKED) : 0;
}

interface PatienceSurroundings {
  readonly clock: Pick<Clock, "after">;
  readonly random: RandomBytes;
}

export class CrowdPatience {
  readonly #surroundings: PatienceSurroundings;
  readonly #waiting: (ms: number | null) => void;
  #cancel: () => void = () => {};

  /** @param waiting told in how many ms the next try will be, and null when it begins */
  constructor(surroundings: PatienceSurroundings, waiting: (ms: number | null) => void) {
    this.#surroundings = surroundings;
    this.#waiting = waiting;
  }

  /**
   * Repeats what is refused because of a crowd, each time after the seconds that the server asked for and a little more by
   * lot, until it is done or refused for another reason.
   * @throws KithError `sign-in-cancelled`, or what `attempt` throws
   */
  async insist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let refusals = 0; ; refusals++) {
      try {
        return await attempt();
      } catch (thrown) {
        const refusal = KithError.from(thrown);
        if (refusal.code !== "login-server-crowded" && refusal.code !== "login-server-busy") throw thrown;
        await this.#wait(secondsAskedFor(refusal) * 1_000 + backoffMs(refusals, uniform(this.#surroundings.random)));
      }
    }
  }

  /** Ends the waiting; what is being asked just now is not taken back. */
  cancel(): void {
    this.#cancel();
  }

  async #wait(ms: number): Promise<void> {
    this.#waiting(ms);
    try {
      await new Promise<void>((resolve, reject) => {
        const stop = this.#surroundings.clock.after(ms, resolve);
        this.#cancel = () => {
          stop();
          reject(new KithError("sign-in-cancelled"));
        };
      });
    } finally {
      this.#cancel = () => {};
      this.#waiting(null);
    }
  }
}
