import { constants } from "node:os";
import { say } from "./progress.mjs";

/** What a script has started, and ends in the reverse order: whole, once, however it came to the end. */
export class Lifetime {
  private readonly closers: (() => Promise<void>)[] = [];
  private over: Promise<void> | null = null;

  /** Also when the end has come already: what arrives late is closed at once. */
  atEnd(close: () => Promise<void>): void {
    if (this.over) void close();
    else this.closers.push(close);
  }

  get isOver(): boolean {
    return this.over !== null;
  }

  end(): Promise<void> {
    this.over ??= this.closeAll();
    return this.over;
  }

  /** Ctrl-C, `kill` and a closed terminal end everything, then this process. */
  endOnSignals(): void {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      // npm passes on the Ctrl-C that the terminal has sent us too: the second one changes nothing.
      process.on(signal, async () => {
        if (!this.over) say("Ending everything ...");
        await this.end();
        process.exit(128 + constants.signals[signal]);
      });
    }
  }

  private async closeAll(): Promise<void> {
    for (const close of this.closers.reverse()) {
      await close().catch((error) => say(`While ending: ${error instanceof Error ? error.message : error}`));
    }
  }
}
