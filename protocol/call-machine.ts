/**
 * The call, as one pure function: (state, event) to (state, effects). It knows nothing of
 * time, sockets or WebRTC; the call session (main/core) carries the effects out.
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
import type { CallSignal, MediaSignal } from "./call-signal.ts";
import type { CallId, DeviceAddress, DeviceId, UserId } from "./identifiers.ts";
import { TIMES } from "./limits.ts";

export type CallDirection = "outgoing" | "incoming";

export type EndReason =
  | "hung-up" // by us
  | "peer-hung-up"
  | "gave-up" // the caller ended it before an answer
  | "no-answer"
  | "declined" // by us
  | "peer-declined"
  | "peer-busy"
  | "answered-elsewhere" // on another device of ours
  | "declined-elsewhere"
  | "unreachable" // none of the callee's devices is online
  | "connect-failed"
  | "connection-lost" // the network between us, for too long
  | "peer-vanished" // the peer's device is gone from the network
  | "media-failed"; // our own microphone or WebRTC

interface Identity {
  readonly callId: CallId;
  readonly peer: UserId;
  readonly direction: CallDirection;
}
/** The one device that we talk to, known from accept on. */
interface Talking extends Identity {
  readonly peerDevice: DeviceId;
}
interface Connected extends Talking {
  /** ms since 1970: the duration counts from here. */
  readonly connectedAt: number;
  readonly muted: boolean;
  /** The directory says that the peer's device is gone. Ends the call only once the sound has stopped too. */
  readonly peerGone: boolean;
}

export type CallState =
  | { readonly phase: "idle" }
  /** `ringing`: at least one device of the callee has said that it rings. */
  | (Identity & { readonly phase: "outgoing"; readonly ringing: boolean })
  | (Talking & { readonly phase: "incoming" })
  | (Talking & { readonly phase: "connecting" })
  | (Connected & { readonly phase: "active" })
  | (Connected & { readonly phase: "held"; readonly by: "us" | "peer" | "both" })
  | (Connected & { readonly phase: "reconnecting"; readonly heldBy: HeldBy })
  | (Identity & {
      readonly phase: "ended";
      readonly reason: EndReason;
      readonly connectedAt: number | null;
      readonly endedAt: number;
    });

type HeldBy = "nobody" | "us" | "peer" | "both";

export type CallTimer = "ring" | "connect" | "reconnect";

export type CallEvent =
  | { readonly type: "dial"; readonly callId: CallId; readonly peer: UserId }
  | { readonly type: "accept" }
  | { readonly type: "decline" }
  | { readonly type: "hang-up" }
  | { readonly type: "mute"; readonly muted: boolean }
  | { readonly type: "hold"; readonly held: boolean }
  /** A call signal from an authenticated buddy. */
  | { readonly type: "signal"; readonly from: DeviceAddress; readonly signal: CallSignal }
  /** What our WebRTC connection of this call does. */
  | { readonly type: "media"; readonly callId: CallId; readonly media: "connected" | "interrupted" | "failed" }
  /** Our WebRTC connection wants these told to the peer. */
  | { readonly type: "media-signals"; readonly callId: CallId; readonly signals: readonly MediaSignal[] }
  /** The directory: this device of the peer is gone, or back. */
  | { readonly type: "peer-presence"; readonly peer: DeviceAddress; readonly online: boolean }
  /** The invitation reached no device of the callee. */
  | { readonly type: "unreachable"; readonly callId: CallId }
  | { readonly type: "timer"; readonly timer: CallTimer };

export type CallEffect =
  | {
      readonly type: "send";
      readonly to: UserId;
      readonly device: DeviceId | "all";
      readonly except?: DeviceId;
      readonly signal: CallSignal;
    }
  | { readonly type: "start-timer"; readonly timer: CallTimer }
  | { readonly type: "stop-timer"; readonly timer: CallTimer }
  | { readonly type: "ring" }
  | { readonly type: "stop-ringing" }
  /** Open the microphone and WebRTC. The caller's side makes the offer. */
  | { readonly type: "open-media"; readonly callId: CallId; readonly initiator: boolean }
  | { readonly type: "close-media"; readonly callId: CallId }
  | { readonly type: "media-signals"; readonly callId: CallId; readonly signals: readonly MediaSignal[] }
  | { readonly type: "set-sending"; readonly callId: CallId; readonly sending: boolean }
  /** For the conversation: what became of the call. */
  | { readonly type: "record"; readonly entry: CallRecord };

export interface CallRecord {
  readonly callId: CallId;
  readonly peer: UserId;
  readonly direction: CallDirection;
  readonly reason: EndReason;
  /** null: it never connected. An incoming one that never connected is a missed call, unless we declined it. */
  readonly durationMs: number | null;
  readonly endedAt: number;
}

export interface CallStep {
  readonly state: CallState;
  readonly effects: readonly CallEffect[];
}

export const IDLE: CallState = { phase: "idle" };

/** How long each timer of the machine runs, in ms. */
export const CALL_TIMERS: Readonly<Record<CallTimer, number>> = {
  ring: TIMES.ringMs,
  connect: TIMES.connectMs,
  reconnect: TIMES.reconnectMs,
};

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
      return state.phase === "incoming" ? end(state, "declined", now) : ignore(state);
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
        ? end(state, "unreachable", now)
        : ignore(state);
    case "timer":
      return timer(state, event.timer, now);
    default:
      return event satisfies never;
  }
}

/** Whether the microphone may be open in this state. The permission handler of the window asks this too. */
export function mayUseMicrophone(state: CallState): boolean {
  return isTalking(state);
}

type Live = Exclude<CallState, { phase: "idle" } | { phase: "ended" }>;
type InTalk = Extract<CallState, { phase: "connecting" | "active" | "held" | "reconnecting" }>;

export function isLive(state: CallState): state is Live {
  return state.phase !== "idle" && state.phase !== "ended";
}

function isTalking(state: CallState): state is InTalk {
  return state.phase === "connecting" || isConnected(state);
}

function isConnected(state: CallState): state is Extract<CallState, Connected> & InTalk {
  return state.phase === "active" || state.phase === "held" || state.phase === "reconnecting";
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
      { type: "open-media", callId: state.callId, initiator: false },
    ],
  };
}

function hangUp(state: CallState, now: number): CallStep {
  switch (state.phase) {
    case "idle":
    case "ended":
      return ignore(state);
    case "outgoing":
      return end(state, "gave-up", now);
    case "incoming":
      return end(state, "declined", now);
    case "connecting":
    case "active":
    case "held":
    case "reconnecting":
      return end(state, "hung-up", now);
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
  const next = state.phase === "reconnecting" ? { ...state, heldBy: after } : withSound(connected(state), after);
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
      return end(state, signal.reason === "busy" ? "peer-busy" : "peer-declined", now, from.deviceId);
    case "cancel":
      return state.phase === "incoming" && from.deviceId === state.peerDevice
        ? end(state, CANCELLED[signal.reason], now)
        : ignore(state);
    case "hang-up":
      return isTalking(state) && from.deviceId === state.peerDevice
        ? end(state, signal.reason === "failed" ? "connect-failed" : "peer-hung-up", now)
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
function acceptedTwice(state: Live, from: DeviceAddress): CallStep {
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
      { type: "open-media", callId: theirs, initiator: false },
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
      { type: "open-media", callId, initiator: true },
    ],
  };
}

function media(state: Live, what: "connected" | "interrupted" | "failed", now: number): CallStep {
  if (!isTalking(state)) return ignore(state);
  if (what === "failed") {
    return end(state, state.phase === "connecting" ? "media-failed" : "connection-lost", now);
  }
  if (what === "interrupted") {
    if (state.phase === "connecting" || state.phase === "reconnecting") return ignore(state);
    if (state.peerGone) return end(state, "peer-vanished", now);
    return {
      state: { phase: "reconnecting", ...connected(state), heldBy: heldBy(state) },
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
  return { state: withSound(connected(state), state.heldBy), effects: [{ type: "stop-timer", timer: "reconnect" }] };
}

/** The directory alone never ends a call that still has sound: only silence and absence together do. */
function peerPresence(state: CallState, peer: DeviceAddress, online: boolean, now: number): CallStep {
  if (!isLive(state) || state.phase === "outgoing") return ignore(state);
  if (peer.userId !== state.peer || peer.deviceId !== state.peerDevice) return ignore(state);
  switch (state.phase) {
    case "incoming":
      return online ? ignore(state) : end(state, "gave-up", now);
    case "connecting":
      return online ? ignore(state) : end(state, "peer-vanished", now);
    case "active":
    case "held":
      return { state: { ...state, peerGone: !online }, effects: [] };
    case "reconnecting":
      return online ? ignore(state) : end(state, "peer-vanished", now);
    default:
      return state satisfies never;
  }
}

function timer(state: CallState, name: CallTimer, now: number): CallStep {
  switch (name) {
    case "ring":
      return state.phase === "outgoing" || state.phase === "incoming" ? end(state, "no-answer", now) : ignore(state);
    case "connect":
      return state.phase === "connecting" ? end(state, "connect-failed", now) : ignore(state);
    case "reconnect":
      return state.phase === "reconnecting" ? end(state, "connection-lost", now) : ignore(state);
    default:
      return name satisfies never;
  }
}

/** Ends a live call: tells whoever has to know, frees everything, leaves a record. */
function end(state: Live, reason: EndReason, now: number, decliningDevice?: DeviceId): CallStep {
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

function release(state: Live): CallEffect[] {
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

function farewell(state: Live, reason: EndReason, decliningDevice: DeviceId | undefined): CallEffect[] {
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

function cancelOthers(
  state: Extract<CallState, { phase: "outgoing" }>,
  reason: keyof typeof CANCELLED,
  except?: DeviceId,
): CallEffect {
  const signal: CallSignal = { kind: "cancel", callId: state.callId, reason };
  return { type: "send", to: state.peer, device: "all", ...(except && { except }), signal };
}

function toPeer(state: Talking, signal: CallSignal): CallEffect {
  return { type: "send", to: state.peer, device: state.peerDevice, signal };
}

function connected(state: Extract<CallState, Connected> & InTalk): Connected {
  const { callId, peer, peerDevice, direction, connectedAt, muted, peerGone } = state;
  return { callId, peer, peerDevice, direction, connectedAt, muted, peerGone };
}

function withSound(call: Connected, held: HeldBy): InTalk {
  return held === "nobody" ? { phase: "active", ...call } : { phase: "held", ...call, by: held };
}

function heldBy(state: Extract<CallState, Connected> & InTalk): HeldBy {
  if (state.phase === "held") return state.by;
  return state.phase === "reconnecting" ? state.heldBy : "nobody";
}

function withHold(before: HeldBy, side: "us" | "peer", held: boolean): HeldBy {
  const us = side === "us" ? held : before === "us" || before === "both";
  const peer = side === "peer" ? held : before === "peer" || before === "both";
  if (us && peer) return "both";
  return us ? "us" : peer ? "peer" : "nobody";
}

/** Muted or on hold: not even comfort noise is sent. */
function sending(state: InTalk): CallEffect {
  const silent = isConnected(state) && (state.muted || heldBy(state) !== "nobody");
  return { type: "set-sending", callId: state.callId, sending: !silent };
}
