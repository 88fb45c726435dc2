/** Supernodes that come and go as Skype's did: sessions with a median of 5.5 hours (Guha, Daswani and Jain, IPTPS 2006). */
import type { SimDirectory } from "./sim-directory.ts";
import type { SimNode } from "./sim-node.ts";

export const SKYPE_MEDIAN_SESSION_MS = 5.5 * 3_600_000;
/** Of the sessions that end; the others crash, lose their line or are unplugged. */
const GRACEFUL_SHARE = 0.5;

/** From now on sessions end at random, and for each that ends another supernode starts: the network keeps its size. */
export function startChurn(directory: SimDirectory, medianSessionMs: number): void {
  const { time, random } = directory.gossip;
  const meanMs = medianSessionMs / Math.LN2;
  const lives = (node: SimNode) => {
    time.after(-Math.log(1 - random()) * meanMs, () => {
      if (!node.isUp) return;
      directory.end(node, random() < GRACEFUL_SHARE);
      lives(directory.join());
    });
  };
  for (const node of directory.gossip.up) lives(node);
}
