/** The lines of one conversation as the window knows them. */
import type { LineView } from "../../protocol/ipc-schema.ts";

export interface ConversationState {
  /** Oldest first. */
  readonly lines: readonly LineView[];
  /** What lies before the first line: not asked yet, being asked, more, or nothing. */
  readonly history: "unasked" | "loading" | "more" | "complete";
}

export const EMPTY_CONVERSATION: ConversationState = { lines: [], history: "unasked" };

/** A new line goes to its place in time, behind those of the same moment; a known one changes where it is. */
export function withLine(state: ConversationState, line: LineView): ConversationState {
  const known = state.lines.findIndex(({ lineId }) => lineId === line.lineId);
  if (known >= 0) return { ...state, lines: state.lines.with(known, line) };
  const before = state.lines.findLastIndex(({ at }) => at <= line.at);
  return { ...state, lines: state.lines.toSpliced(before + 1, 0, line) };
}

/** A page of older lines, oldest first. What was pushed meanwhile stays. */
export function withOlderLines(state: ConversationState, page: readonly LineView[], more: boolean): ConversationState {
  const fetched = new Set(page.map(({ lineId }) => lineId));
  const pushed = state.lines.filter(({ lineId }) => !fetched.has(lineId));
  return { lines: [...page, ...pushed], history: more ? "more" : "complete" };
}
