/** `bench -- attach-load`: a process full of clients, told over its channel what to do (bench-attach.ts). */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { Background } from "../main/core/background.ts";
import { DEFAULT_TIMES } from "../main/core/client-options.ts";
import { NetworkClock, systemClock } from "../main/core/clock.ts";
import { silentLog } from "../main/core/log.ts";
import { trustAnchor } from "../protocol/network-trust.ts";
import { signingKeyPair } from "../protocol/node-crypto.ts";
import { trustSupernodeList } from "../protocol/trust.ts";
import { LoadNode } from "./attach-load-node.ts";
import { AttachTurns } from "./attach-turns.ts";

export const LoadOrder = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("begin"),
    /** Secret seed of the network's key, base64: this process certifies its own clients. */
    networkSeed: z.string(),
    /** The signed supernode list, base64. */
    list: z.string(),
    /** The one that all of them know at first; null: all. */
    only: z.string().nullable(),
    /** Number of the first client. */
    first: z.number(),
    count: z.number(),
    buddies: z.number(),
    perSecond: z.number(),
  }),
  z.object({ kind: z.literal("know-all") }),
  z.object({ kind: z.literal("tally") }),
]);
export type LoadOrder = z.infer<typeof LoadOrder>;

export const LoadTally = z.object({
  clients: z.number(),
  atHome: z.number(),
  withStandby: z.number(),
  /** Registered at home, and seeing every buddy where they are. */
  right: z.number(),
  /** Links, by supernode. */
  homes: z.record(z.string(), z.number()),
});
export type LoadTally = z.infer<typeof LoadTally>;

/** Of one process. */
const ATTEMPTS_AT_ONCE = 64;

export async function runAttachLoad(): Promise<void> {
  let load: Load | undefined;
  process.on("message", (message) => {
    const order = LoadOrder.parse(message);
    if (order.kind === "begin") load = new Load(order);
    else if (order.kind === "know-all") load?.knowAll();
    else process.send?.(load?.tally());
  });
  for (const end of ["disconnect", "SIGTERM"] as const) process.once(end, () => process.exit(0));
}

class Load {
  readonly #nodes: LoadNode[];
  readonly #supernodes;

  constructor(order: Extract<LoadOrder, { kind: "begin" }>) {
    const { networkSeed, list, only, first, count, buddies, perSecond } = order;
    const networkKeys = signingKeyPair(Buffer.from(networkSeed, "base64"));
    const anchor = trustAnchor(networkKeys.publicKey, Date.now);
    const surroundings = {
      times: DEFAULT_TIMES,
      clock: new NetworkClock(systemClock()),
      random: (length: number) => new Uint8Array(randomBytes(length)),
      log: silentLog,
      background: new Background(silentLog),
      turns: new AttachTurns(ATTEMPTS_AT_ONCE),
    };
    this.#supernodes = trustSupernodeList(anchor, Buffer.from(list, "base64")).value.supernodes;
    const known = this.#supernodes.filter(({ value }) => only === null || value.supernodeId === only);
    this.#nodes = Array.from({ length: count }, (_, i) => new LoadNode(first + i, anchor, networkKeys, surroundings));
    for (const [index, node] of this.#nodes.entries()) {
      const watched = Array.from({ length: buddies }, (_, i) => this.#nodes[(index + 1 + i) % count] as LoadNode);
      setTimeout(() => node.start(known, watched), (index * 1_000) / perSecond);
    }
  }

  knowAll(): void {
    for (const node of this.#nodes) node.learn(this.#supernodes);
  }

  tally(): LoadTally {
    const tally: LoadTally = { clients: this.#nodes.length, atHome: 0, withStandby: 0, right: 0, homes: {} };
    for (const { attachment, isRight } of this.#nodes) {
      const { home, standby } = attachment;
      if (home) {
        tally.atHome++;
        tally.homes[home.supernodeId] = (tally.homes[home.supernodeId] ?? 0) + 1;
      }
      if (standby) tally.withStandby++;
      if (isRight) tally.right++;
    }
    return tally;
  }
}
