/** How a line stands beside the one before it. */
import type { LineView } from "../../protocol/ipc-schema.ts";

export interface LineContext {
  /** The first line of its day: the day stands above it. */
  readonly newDay: boolean;
  /** Goes on with what the same person has just said: no gap, no name. */
  readonly continued: boolean;
}

const SAME_BREATH_MS = 5 * 60_000;

export function lineContext(previous: LineView | undefined, line: LineView): LineContext {
  if (previous === undefined) return { newDay: true, continued: false };
  const newDay = !sameDay(previous.at, line.at);
  const spoken = previous.kind !== "call" && line.kind !== "call";
  const continued =
    !newDay && spoken && previous.mine === line.mine && Math.abs(line.at - previous.at) < SAME_BREATH_MS;
  return { newDay, continued };
}

/** By the calendar of this computer. */
export function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** Today and yesterday have words of their own. */
export function dayKind(at: number, now: number): "today" | "yesterday" | "other" {
  if (sameDay(at, now)) return "today";
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  return sameDay(at, yesterday.getTime()) ? "yesterday" : "other";
}
