/** What a call is or was, as text IDs, and how it rings: pure, so that every reason has its words. */
import type { CallView, LineView, SessionView } from "../../protocol/ipc-schema.ts";
import type { CallPath } from "../media/call-path.ts";
import type { Ring } from "../media/ringtone.ts";
import type { TextId } from "../texts/en.ts";

type Ended = Extract<CallView, { phase: "ended" }>;
type Reason = Ended["reason"];
export type CallLine = Extract<LineView, { kind: "call" }>;

/** The end of a call as told right after it. `{handle}` is the peer's. */
export const END_WORDS: Readonly<Record<Reason, TextId>> = {
  "hung-up": "ended.hungUp",
  "peer-hung-up": "ended.peerHungUp",
  "gave-up": "ended.gaveUp",
  "no-answer": "ended.noAnswer",
  declined: "ended.declined",
  "peer-declined": "ended.peerDeclined",
  "peer-busy": "ended.peerBusy",
  "answered-elsewhere": "ended.answeredElsewhere",
  "declined-elsewhere": "ended.declinedElsewhere",
  unreachable: "ended.unreachable",
  "connect-failed": "ended.connectFailed",
  "connection-lost": "ended.connectionLost",
  "peer-vanished": "ended.peerVanished",
  "media-failed": "ended.mediaFailed",
};

/** An incoming call that rang and was neither answered nor declined. */
export function isMissed({ direction, reason }: Pick<Ended, "direction" | "reason">): boolean {
  return direction === "incoming" && (reason === "no-answer" || reason === "gave-up");
}

export function endedText(call: Ended): TextId {
  return isMissed(call) ? "ended.missed" : END_WORDS[call.reason];
}

const DROPPED: ReadonlySet<Reason> = new Set(["connection-lost", "peer-vanished", "media-failed"]);

/** The same call as a line of the conversation. */
export function callLineText(line: Pick<CallLine, "mine" | "reason" | "durationMs">): TextId {
  if (line.durationMs !== null) {
    if (DROPPED.has(line.reason)) return "callLine.dropped";
    return line.mine ? "callLine.outgoing" : "callLine.incoming";
  }
  if (isMissed({ direction: line.mine ? "outgoing" : "incoming", reason: line.reason })) return "callLine.missed";
  return UNCONNECTED[line.reason];
}

const UNCONNECTED: Readonly<Record<Reason, TextId>> = {
  "hung-up": "callLine.brokenOff",
  "peer-hung-up": "callLine.brokenOff",
  "gave-up": "callLine.gaveUp",
  "no-answer": "callLine.noAnswer",
  declined: "callLine.declined",
  "peer-declined": "callLine.peerDeclined",
  "peer-busy": "callLine.peerBusy",
  "answered-elsewhere": "callLine.answeredElsewhere",
  "declined-elsewhere": "callLine.declinedElsewhere",
  unreachable: "callLine.unreachable",
  "connect-failed": "callLine.connectFailed",
  "connection-lost": "callLine.connectFailed",
  "peer-vanished": "callLine.connectFailed",
  "media-failed": "callLine.mediaFailed",
};

/** What the call panel says while the call lives; when all is well, its running duration says it. */
export function callStatus(call: CallView): TextId | null {
  switch (call.phase) {
    case "outgoing":
      return call.ringing ? "call.ringing" : "call.calling";
    case "connecting":
      return "call.connecting";
    case "held":
      return HELD_BY[call.by];
    case "reconnecting":
      return "call.reconnecting";
    case "active":
      return call.muted ? "call.muted" : null;
    case "idle":
    case "incoming":
    case "ended":
      return null;
    default:
      return call satisfies never;
  }
}

const HELD_BY: Readonly<Record<Extract<CallView, { phase: "held" }>["by"], TextId>> = {
  us: "call.heldByUs",
  peer: "call.heldByPeer",
  both: "call.heldByBoth",
};

/** Relayed or not, the sound is sealed from one end to the other: no word here may suggest otherwise. */
export const PATH_WORDS: Readonly<Record<CallPath, TextId>> = {
  direct: "call.pathDirect",
  relayed: "call.pathRelayed",
  "relayed-tcp": "call.pathRelayedTcp",
};

export type Status = Extract<SessionView, { phase: "signed-in" }>["status"];

/** Which ring belongs to a call. Do not disturb means: no sound, the dialog alone. */
export function ringOf(call: CallView, status: Status): Ring | null {
  if (call.phase === "incoming") return status === "busy" ? null : "incoming";
  return call.phase === "outgoing" && call.ringing ? "outgoing" : null;
}
