/** The call as the window shows it: without the device and what only the machine needs. */
import type { CallState } from "../../protocol/call-state.ts";
import type { CallView } from "../../protocol/ipc-schema.ts";

export function callView(state: CallState): CallView {
  if (state.phase === "idle") return state;
  const { callId, peer, direction } = state;
  const call = { callId, peer, direction };
  switch (state.phase) {
    case "outgoing":
      return { phase: "outgoing", ...call, ringing: state.ringing };
    case "incoming":
    case "connecting":
      return { phase: state.phase, ...call };
    case "active":
    case "reconnecting":
      return { phase: state.phase, ...call, connectedAt: state.connectedAt, muted: state.muted };
    case "held":
      return { phase: "held", ...call, connectedAt: state.connectedAt, muted: state.muted, by: state.by };
    case "ended":
      return {
        phase: "ended",
        ...call,
        reason: state.reason,
        connectedAt: state.connectedAt,
        endedAt: state.endedAt,
      };
    default:
      return state satisfies never;
  }
}
