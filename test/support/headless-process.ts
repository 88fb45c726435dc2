/** The client core alone in a process of its own, driven over Node's IPC channel: what `kill -9` is tried on. */
import { openClient } from "../../main/core/client.ts";
import { silentLog } from "../../main/core/log.ts";
import { KithError } from "../../protocol/errors.ts";

/** What the parent asks: one of the window's methods. */
export interface ProcessRequest {
  readonly id: number;
  readonly method: string;
  readonly input: unknown;
}

/** What the child says. */
export type ProcessWord =
  | { readonly kind: "ready" }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly code: string }
  | { readonly kind: "push"; readonly name: string; readonly value: unknown };

const [folder, loginServer] = process.argv.slice(2);
if (!folder || !loginServer) throw new Error("usage: headless-process FOLDER LOGIN-SERVER");
const say = (word: ProcessWord) => process.send?.(word);

const client = await openClient({
  dataFolder: folder,
  deviceName: "headless process",
  defaultLoginServer: loginServer,
  systemKeyStore: null,
  log: silentLog,
});
client.onPush((name, value) => say({ kind: "push", name, value }));
process.on("message", ({ id, method, input }: ProcessRequest) => {
  const handler = (client.methods as Record<string, (input: unknown) => unknown>)[method];
  Promise.resolve()
    .then(() => handler?.(input))
    .then(
      (value) => say({ kind: "answer", id, value }),
      (error: unknown) => say({ kind: "refused", id, code: KithError.from(error).code }),
    );
});
say({ kind: "ready" });
