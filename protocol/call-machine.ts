/**
 * The call, as one pure function: (state, event) to (state, effects). It knows nothing of
 * time, sockets or WebRTC; the call session (main/calls) carries the effects out.
 *
 *   idle ──dial──> outgoing ──accept received──> connecting ──sound──> active <──> held
 *     └──invite──> incoming ──accept pressed───────┘             │ trouble ^
 *                                                        reconnecting ─────┘
 *   every phase ──> ended(reason) ──dial or invite──> …
 *
 * The rule that matters most: `open-media` (microphone and ICE) is an effect of entering
 * `connecting`, and `connecting` is entered only by the callee's own accept, by the
 * callee's accept signal at the caller, or when both have dialled each other.
 */
import { cancelOthers, endCall, toPeer } from "./call-ending.ts";
import type { CallEffect, CallEvent, CallRecord, CallStep, CallTimer } from "./call-event.ts";
import type { CallSignal } from "./call-signal.ts";
import {
  type CallState,
  connectedPart,
  heldBy,
  isConnected,
  isLive,
  isTalking,
  type LiveCall,
  type TalkingCall,
  withHold,
  withSound,
} from "./call-state.ts";
import type { CallId, DeviceAddress, DeviceId, UserId } from "./identifiers.ts";

/** Nothing happens: the event means nothing in this phase (late, doubled, or hostile). */
function ignore(state: CallState): CallStep {
  return { state, effects: [] };
}

/** @param now ms since 1970 */
export function stepCall(state: CallState, event: CallEvent, now: number): CallStep {
  switch (event.type) {
    case "dial":
      return state.phase === "idle" || state.phase === "ended" ? dial(event.callId, event.peer) : ignore(state);
    case "accept":
      return state.phase === "incoming" ? accept(state) : ignore(state);
    case "decline":
      return state.phase === "incoming" ? endCall(state, "declined", now) : ignore(state);
    case "hang-up":
      return hangUp(state, now);
    case "mute":
      return mute(state, event.muted);
    case "hold":
      return hold(state, "us", event.held);
    case "signal":
      return receive(state, event.from, event.signal, now);
    case "media":
      return isLive(state) && state.callId === event.callId ? media(state, event.media, now) : ignore(state);
    case "media-signals":
      return isTalking(state) && state.callId === event.callId
        ? { state, effects: [toPeer(state, { kind: "media", callId: state.callId, signals: [...event.signals] })] }
        : ignore(state);
    case "peer-presence":
      return peerPresence(state, event.peer, event.online, now);
    case "unreachable":
      return state.phase === "outgoing" && state.callId === event.callId
        ? endCall(state, "unreachable", now)
        : ignore(state);
    case "timer":
      return timer(state, event.timer, now);
    default:
      return event satisfies never;
  }
}

function dial(callId: CallId, peer: UserId): CallStep {
  return {
    state: { phase: "outgoing", callId, peer, direction: "outgoing", ringing: false },
    effects: [
      { type: "send", to: peer, device: "all", signal: { kind: "invite", callId } },
      { type: "start-timer", timer: "ring" },
    ],
  };
}

function accept(state: Extract<CallState, { phase: "incoming" }>): CallStep {
  return {
    state: { ...state, phase: "connecting" },
    effects: [
      { type: "stop-ringing" },
      { type: "stop-timer", timer: "ring" },
      toPeer(state, { kind: "accept", callId: state.callId }),
      { type: "start-timer", timer: "connect" },
      { type: "open-media", callId: state.callId, initiator: true },
    ],
  };
}

function hangUp(state: CallState, now: number): CallStep {
  switch (state.phase) {
    case "idle":
    case "ended":
      return ignore(state);
    case "outgoing":
      return endCall(state, "gave-up", now);
    case "incoming":
      return endCall(state, "declined", now);
    case "connecting":
    case "active":
    case "held":
    case "reconnecting":
      return endCall(state, "hung-up", now);
    default:
      return state satisfies never;
  }
}

function mute(state: CallState, muted: boolean): CallStep {
  if (!isConnected(state)) return ignore(state);
  const next = { ...state, muted };
  return { state: next, effects: [sending(next)] };
}

function hold(state: CallState, side: "us" | "peer", held: boolean): CallStep {
  if (!isConnected(state)) return ignore(state);
  const before = heldBy(state);
  const after = withHold(before, side, held);
  if (after === before) return ignore(state);
  const next = state.phase === "reconnecting" ? { ...state, heldBy: after } : withSound(connectedPart(state), after);
  const tell = side === "us" ? [toPeer(state, { kind: "hold", callId: state.callId, held })] : [];
  return { state: next, effects: [...tell, sending(next)] };
}

function receive(state: CallState, from: DeviceAddress, signal: CallSignal, now: number): CallStep {
  if (signal.kind === "invite") return invited(state, from, signal.callId, now);
  if (!isLive(state) || signal.callId !== state.callId || from.userId !== state.peer) return stray(state, from, signal);
  switch (signal.kind) {
    case "ringing":
      return state.phase === "outgoing" ? { state: { ...state, ringing: true }, effects: [] } : ignore(state);
    case "accept":
      return state.phase === "outgoing" ? accepted(state, from.deviceId) : acceptedTwice(state, from);
    case "decline":
      if (state.phase !== "outgoing") return ignore(state);
      return endCall(state, signal.reason === "busy" ? "peer-busy" : "peer-declined", now, from.deviceId);
    case "cancel":
      return state.phase === "incoming" && from.deviceId === state.peerDevice
        ? endCall(state, CANCELLED[signal.reason], now)
        : ignore(state);
    case "hang-up":
      return isTalking(state) && from.deviceId === state.peerDevice
        ? endCall(state, signal.reason === "failed" ? "connect-failed" : "peer-hung-up", now)
        : ignore(state);
    case "hold":
      return isTalking(state) && from.deviceId === state.peerDevice ? hold(state, "peer", signal.held) : ignore(state);
    case "media":
      return isTalking(state) && from.deviceId === state.peerDevice
        ? { state, effects: [{ type: "media-signals", callId: state.callId, signals: signal.signals }] }
        : ignore(state);
    default:
      return signal satisfies never;
  }
}

const CANCELLED = {
  "gave-up": "gave-up",
  "no-answer": "no-answer",
  "answered-elsewhere": "answered-elsewhere",
  "declined-elsewhere": "declined-elsewhere",
} as const;

/** An accept for a call that we have given up must not leave the other side waiting with an open microphone. */
function stray(state: CallState, from: DeviceAddress, signal: CallSignal): CallStep {
  if (signal.kind !== "accept") return ignore(state);
  return { state, effects: [hangUpAt(from, signal.callId)] };
}

/** Two devices of the callee were quick: the second one is told that the first has the call. */
function acceptedTwice(state: LiveCall, from: DeviceAddress): CallStep {
  if (state.direction !== "outgoing" || !isTalking(state) || state.peerDevice === from.deviceId) return ignore(state);
  return { state, effects: [hangUpAt(from, state.callId)] };
}

function hangUpAt(to: DeviceAddress, callId: CallId): CallEffect {
  return { type: "send", to: to.userId, device: to.deviceId, signal: { kind: "hang-up", callId, reason: "hung-up" } };
}

function invited(state: CallState, from: DeviceAddress, callId: CallId, now: number): CallStep {
  if (!isLive(state)) return ring(from, callId);
  if (state.callId === callId) return ignore(state);
  if (state.phase === "outgoing" && state.peer === from.userId) return glare(state, from, callId);
  const busy: CallRecord = {
    callId,
    peer: from.userId,
    direction: "incoming",
    reason: "no-answer",
    durationMs: null,
    endedAt: now,
  };
  return {
    state,
    effects: [
      { type: "send", to: from.userId, device: from.deviceId, signal: { kind: "decline", callId, reason: "busy" } },
      { type: "record", entry: busy },
    ],
  };
}

function ring(from: DeviceAddress, callId: CallId): CallStep {
  const identity = { callId, peer: from.userId, peerDevice: from.deviceId, direction: "incoming" } as const;
  return {
    state: { phase: "incoming", ...identity },
    effects: [
      { type: "send", to: from.userId, device: from.deviceId, signal: { kind: "ringing", callId } },
      { type: "ring" },
      { type: "start-timer", timer: "ring" },
    ],
  };
}

/**
 * Both have dialled each other. Both sides see both call IDs and keep the smaller one;
 * both people have asked to talk, so nobody has to press Accept.
 */
function glare(state: Extract<CallState, { phase: "outgoing" }>, from: DeviceAddress, theirs: CallId): CallStep {
  if (state.callId < theirs) return ignore(state);
  const next = { callId: theirs, peer: from.userId, peerDevice: from.deviceId, direction: "incoming" } as const;
  return {
    state: { phase: "connecting", ...next },
    effects: [
      { type: "stop-timer", timer: "ring" },
      // Their other devices were ringing for our own invitation.
      cancelOthers(state, "answered-elsewhere", from.deviceId),
      { type: "send", to: from.userId, device: from.deviceId, signal: { kind: "accept", callId: theirs } },
      { type: "start-timer", timer: "connect" },
      { type: "open-media", callId: theirs, initiator: true },
    ],
  };
}

function accepted(state: Extract<CallState, { phase: "outgoing" }>, peerDevice: DeviceId): CallStep {
  const { callId, peer, direction } = state;
  return {
    state: { phase: "connecting", callId, peer, peerDevice, direction },
    effects: [
      { type: "stop-timer", timer: "ring" },
      cancelOthers(state, "answered-elsewhere", peerDevice),
      { type: "start-timer", timer: "connect" },
      { type: "open-media", callId, initiator: false },
    ],
  };
}

function media(state: LiveCall, what: "connected" | "interrupted" | "failed", now: number): CallStep {
  if (!isTalking(state)) return ignore(state);
  if (what === "failed") {
    return endCall(state, state.phase === "connecting" ? "media-failed" : "connection-lost", now);
  }
  if (what === "interrupted") {
    if (state.phase === "connecting" || state.phase === "reconnecting") return ignore(state);
    if (state.peerGone) return endCall(state, "peer-vanished", now);
    return {
      state: { phase: "reconnecting", ...connectedPart(state), heldBy: heldBy(state) },
      effects: [{ type: "start-timer", timer: "reconnect" }],
    };
  }
  if (state.phase === "connecting") {
    const { callId, peer, peerDevice, direction } = state;
    return {
      state: { phase: "active", callId, peer, peerDevice, direction, connectedAt: now, muted: false, peerGone: false },
      effects: [{ type: "stop-timer", timer: "connect" }],
    };
  }
  if (state.phase !== "reconnecting") return ignore(state);
  return {
    state: withSound(connectedPart(state), state.heldBy),
    effects: [{ type: "stop-timer", timer: "reconnect" }],
  };
}

/** The directory alone never ends a call that still has sound: only silence and absence together do. */
function peerPresence(state: CallState, peer: DeviceAddress, online: boolean, now: number): CallStep {
  if (!isLive(state) || state.phase === "outgoing") return ignore(state);
  if (peer.userId !== state.peer || peer.deviceId !== state.peerDevice) return ignore(state);
  switch (state.phase) {
    case "incoming":
      return online ? ignore(state) : endCall(state, "gave-up", now);
    case "connecting":
      return online ? ignore(state) : endCall(state, "peer-vanished", now);
    case "active":
    case "held":
      return { state: { ...state, peerGone: !online }, effects: [] };
    case "reconnecting":
      return online ? ignore(state) : endCall(state, "peer-vanished", now);
    default:
      return state satisfies never;
  }
}

function timer(state: CallState, name: CallTimer, now: number): CallStep {
  switch (name) {
    case "ring":
      return state.phase === "outgoing" || state.phase === "incoming"
        ? endCall(state, "no-answer", now)
        : ignore(state);
    case "connect":
      return state.phase === "connecting" ? endCall(state, "connect-failed", now) : ignore(state);
    case "reconnect":
      return state.phase === "reconnecting" ? endCall(state, "connection-lost", now) : ignore(state);
    default:
      return name satisfies never;
  }
}

/** Muted or on hold: not even comfort noise is sent. */
function sending(state: TalkingCall): CallEffect {
  const silent = isConnected(state) && (state.muted || heldBy(state) !== "nobody");
  return { type: "set-sending", callId: state.callId, sending: !silent };
}
