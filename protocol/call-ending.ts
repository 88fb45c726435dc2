/** How a call ends: what is freed, who is told, what is recorded. */
import type { CallEffect, CallRecord, CallStep } from "./call-event.ts";
import type { CallSignal } from "./call-signal.ts";
import { type CallState, type EndReason, isConnected, isTalking, type LiveCall, type Talking } from "./call-state.ts";
import type { DeviceId } from "./identifiers.ts";

/** Ends a live call: tells whoever has to know, frees everything, leaves a record. */
export function endCall(state: LiveCall, reason: EndReason, now: number, decliningDevice?: DeviceId): CallStep {
  const connectedAt = isConnected(state) ? state.connectedAt : null;
  const { callId, peer, direction } = state;
  const entry: CallRecord = {
    callId,
    peer,
    direction,
    reason,
    durationMs: connectedAt === null ? null : Math.max(0, now - connectedAt),
    endedAt: now,
  };
  return {
    state: { phase: "ended", callId, peer, direction, reason, connectedAt, endedAt: now },
    effects: [...release(state), ...farewell(state, reason, decliningDevice), { type: "record", entry }],
  };
}

function release(state: LiveCall): CallEffect[] {
  switch (state.phase) {
    case "outgoing":
      return [{ type: "stop-timer", timer: "ring" }];
    case "incoming":
      return [{ type: "stop-ringing" }, { type: "stop-timer", timer: "ring" }];
    case "connecting":
      return [
        { type: "stop-timer", timer: "connect" },
        { type: "close-media", callId: state.callId },
      ];
    case "active":
    case "held":
      return [{ type: "close-media", callId: state.callId }];
    case "reconnecting":
      return [
        { type: "stop-timer", timer: "reconnect" },
        { type: "close-media", callId: state.callId },
      ];
    default:
      return state satisfies never;
  }
}

function farewell(state: LiveCall, reason: EndReason, decliningDevice: DeviceId | undefined): CallEffect[] {
  switch (reason) {
    case "gave-up":
      return state.phase === "outgoing" ? [cancelOthers(state, "gave-up")] : [];
    case "no-answer":
      return state.phase === "outgoing" ? [cancelOthers(state, "no-answer")] : [];
    case "peer-declined":
    case "peer-busy":
      return state.phase === "outgoing" ? [cancelOthers(state, "declined-elsewhere", decliningDevice)] : [];
    case "declined":
      return state.phase === "incoming"
        ? [toPeer(state, { kind: "decline", callId: state.callId, reason: "declined" })]
        : [];
    case "hung-up":
      return isTalking(state) ? [toPeer(state, { kind: "hang-up", callId: state.callId, reason: "hung-up" })] : [];
    case "connect-failed":
    case "media-failed":
    case "connection-lost":
    case "peer-vanished":
      return isTalking(state) ? [toPeer(state, { kind: "hang-up", callId: state.callId, reason: "failed" })] : [];
    case "peer-hung-up":
    case "answered-elsewhere":
    case "declined-elsewhere":
    case "unreachable":
      return [];
    default:
      return reason satisfies never;
  }
}

/** Stops the ringing at the callee's devices, but for the one that has answered. */
export function cancelOthers(
  state: Extract<CallState, { phase: "outgoing" }>,
  reason: Extract<CallSignal, { kind: "cancel" }>["reason"],
  except?: DeviceId,
): CallEffect {
  const signal: CallSignal = { kind: "cancel", callId: state.callId, reason };
  return { type: "send", to: state.peer, device: "all", ...(except && { except }), signal };
}

export function toPeer(state: Talking, signal: CallSignal): CallEffect {
  return { type: "send", to: state.peer, device: state.peerDevice, signal };
}
