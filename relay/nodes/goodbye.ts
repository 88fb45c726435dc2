/** A supernode that goes away sends its nodes elsewhere: one after the other, and not all to the same place. */

import type { Rooms } from "../links/rooms.ts";
import type { Attachments } from "./attachments.ts";

/** So many a second are sent away: those who take them in have others to serve as well. */
const FAREWELLS_PER_SECOND = 300;
const TICK_MS = 50;

/**
 * Tells every attached node where there is room, in the first half of the time if need be,
 * and returns when all have gone, or at the end of the time.
 */
export async function goodbye(
  attachments: Pick<Attachments, "all" | "size">,
  rooms: Pick<Rooms, "learn" | "elsewhere">,
  withinMs: number,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  await rooms.learn();
  const toTell = [...attachments.all()];
  const ticks = Math.max(1, Math.floor(withinMs / 2 / TICK_MS));
  const perTick = Math.max(Math.ceil((FAREWELLS_PER_SECOND * TICK_MS) / 1_000), Math.ceil(toTell.length / ticks));
  while (attachments.size > 0 && performance.now() < deadline) {
    const leftMs = Math.max(0, Math.round(deadline - performance.now()));
    for (const attachment of toTell.splice(0, perTick)) {
      attachment.push("goAway", { withinMs: leftMs, elsewhere: rooms.elsewhere() });
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}
