/** A stored line as the window shows it. */
import type { Selectable } from "kysely";
import type { LineView } from "../../protocol/ipc-schema.ts";
import type { ProfileDatabase } from "../storage/database-schema.ts";

export type LineRow = Selectable<ProfileDatabase["lines"]>;

export function lineView(row: LineRow): LineView {
  const line = { lineId: String(row.line_id), peer: row.peer, mine: row.mine === 1, at: row.at };
  switch (row.kind) {
    case "text":
      return { kind: "text", ...line, ...message(row), text: row.text };
    case "voice":
      return { kind: "voice", ...line, ...message(row), durationMs: row.duration_ms ?? 0 };
    case "call":
      return {
        kind: "call",
        ...line,
        callId: present(row.call_id),
        reason: present(row.reason),
        durationMs: row.duration_ms,
      };
    default:
      return row.kind satisfies never;
  }
}

/** The line as one short text, for the buddy list. */
export function lineSummary({ kind, text }: Pick<LineRow, "kind" | "text">): string {
  switch (kind) {
    case "text":
      return text.slice(0, 200);
    case "voice":
      return "Voice message";
    case "call":
      return "Call";
    default:
      return kind satisfies never;
  }
}

function message(row: LineRow) {
  return { messageId: present(row.message_id), delivery: present(row.delivery) };
}

function present<T>(value: T | null): T {
  if (value === null) throw new Error("a stored line lacks a field of its kind");
  return value;
}
