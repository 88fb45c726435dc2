/** The lines of one conversation as the window knows them. */
import type { LineView } from "../../protocol/ipc-schema.ts";

export interface ConversationState {
  /** Oldest first. */
  readonly lines: readonly LineView[];
  /** What lies before the first line: not asked yet, being asked, more, or nothing. */
  readonly history: "unasked" | "loading" | "more" | "complete";
}

export const EMPTY_CONVERSATION: ConversationState = { lines: [], history: "unasked" };

/**
 * A known line changes where it is. A new one comes last, unless its sender has said something
 * later that is here already: then it goes before that. Main keeps the same order.
 */
export function withLine(state: ConversationState, line: LineView): ConversationState {
  const known = state.lines.findIndex(({ lineId }) => lineId === line.lineId);
  if (known >= 0) return { ...state, lines: state.lines.with(known, line) };
  const overtaken = state.lines.findIndex((other) => isLaterWordOf(line, other));
  return { ...state, lines: state.lines.toSpliced(overtaken < 0 ? state.lines.length : overtaken, 0, line) };
}

function isLaterWordOf(line: LineView, other: LineView): boolean {
  return line.kind !== "call" && other.kind !== "call" && other.mine === line.mine && other.at > line.at;
}

/** A page of older lines, oldest first. What was pushed meanwhile stays. */
export function withOlderLines(state: ConversationState, page: readonly LineView[], more: boolean): ConversationState {
  const fetched = new Set(page.map(({ lineId }) => lineId));
  const pushed = state.lines.filter(({ lineId }) => !fetched.has(lineId));
  return { lines: [...page, ...pushed], history: more ? "more" : "complete" };
}
