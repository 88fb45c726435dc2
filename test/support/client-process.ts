/** Starts, drives and kills the client core in a process of its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { IpcMethods, IpcPush, IpcPushes } from "../../protocol/ipc-schema.ts";
import type { Input, Output } from "../../protocol/rpc.ts";
import type { ProcessRequest, ProcessWord } from "./headless-process.ts";

const ROOT = join(import.meta.dirname, "../..");

/** @returns the script's path; inside the working copy, so that its dependencies are found */
export async function buildHeadlessProcess(): Promise<{ script: string; remove(): void }> {
  const script = join(ROOT, "out", "test", `headless-process-${process.pid}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, "headless-process.ts")],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outfile: script,
    logLevel: "error",
  });
  return { script, remove: () => rmSync(script, { force: true }) };
}

export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #listeners = new Set<(name: string, value: unknown) => void>();
  #requests = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (word: ProcessWord) => this.#heard(word));
    child.on("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the process has ended"));
      this.#waiting.clear();
    });
  }

  static async start(script: string, folder: string, loginServer: string): Promise<ClientProcess> {
    const child = fork(script, [folder, loginServer], {
      serialization: "advanced",
      // Not the test runner's own.
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const started = new ClientProcess(child);
    await new Promise<void>((resolve, reject) => {
      child.once("message", () => resolve());
      child.once("exit", (code) => reject(new Error(`the process ended with ${code}`)));
    });
    return started;
  }

  invoke<K extends keyof IpcMethods & string>(method: K, input: Input<IpcMethods[K]>): Promise<Output<IpcMethods[K]>> {
    const id = this.#requests++;
    const request: ProcessRequest = { id, method, input };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Output<IpcMethods[K]>), reject });
      this.#child.send(request);
    });
  }

  onPush<K extends keyof IpcPushes & string>(wanted: K, listener: (value: IpcPush<K>) => void): () => void {
    const heard = (name: string, value: unknown) => {
      if (name === wanted) listener(value as IpcPush<K>);
    };
    this.#listeners.add(heard);
    return () => this.#listeners.delete(heard);
  }

  /** As a crash or a power cut would: nothing of it runs any more. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #heard(word: ProcessWord): void {
    switch (word.kind) {
      case "answer":
        this.#waiting.get(word.id)?.resolve(word.value);
        this.#waiting.delete(word.id);
        return;
      case "refused":
        this.#waiting.get(word.id)?.reject(new Error(word.code));
        this.#waiting.delete(word.id);
        return;
      case "push":
        for (const listener of [...this.#listeners]) listener(word.name, word.value);
        return;
      case "ready":
        return;
      default:
        word satisfies never;
    }
  }
}
