/** Keeps the home supernode told whose presence this device wants to know. */
import { backoffMs } from "../../protocol/backoff.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import type { Attachment } from "./attachment.ts";
import type { DirectoryView } from "./directory-view.ts";

type WatchSurroundings = Pick<Surroundings, "clock" | "random" | "log" | "background">;

export class Watch {
  readonly #attachment: Attachment;
  readonly #directory: Pick<DirectoryView, "apply" | "keepOnly">;
  readonly #watched: () => UserId[];
  readonly #surroundings: WatchSurroundings;
  #failures = 0;
  #running = false;
  #again = false;
  #cancelTimer: () => void = () => {};

  /** @param watched whom to watch, asked at every renewal */
  constructor(
    attachment: Attachment,
    directory: Pick<DirectoryView, "apply" | "keepOnly">,
    watched: () => UserId[],
    surroundings: WatchSurroundings,
  ) {
    this.#attachment = attachment;
    this.#directory = directory;
    this.#watched = watched;
    this.#surroundings = surroundings;
  }

  /** There is another home, or other people to watch. */
  renew(): void {
    this.#again = this.#running;
    if (this.#running || !this.#attachment.home) return;
    this.#running = true;
    this.#cancelTimer();
    this.#surroundings.background.run("watch", this.#ask());
  }

  stop(): void {
    this.#cancelTimer();
  }

  async #ask(): Promise<void> {
    const { clock, random, log } = this.#surroundings;
    const userIds = this.#watched().slice(0, LIMITS.maxWatchedUsers);
    try {
      const { presences } = await this.#attachment.request("watch", { userIds });
      for (const presence of presences) this.#directory.apply(presence);
      this.#directory.keepOnly(userIds);
      this.#failures = 0;
    } catch (error) {
      log.warn("watch", { cause: error });
      this.#cancelTimer = clock.after(backoffMs(this.#failures++, uniform(random)), () => this.renew());
    } finally {
      this.#running = false;
      if (this.#again) this.renew();
    }
  }
}
