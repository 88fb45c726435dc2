/** What a call can be: each phase holds only its own data. */
import type { CallId, DeviceId, UserId } from "./identifiers.ts";

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

export interface CallIdentity {
  readonly callId: CallId;
  readonly peer: UserId;
  readonly direction: CallDirection;
}
/** The one device that we talk to, known from accept on. */
export interface Talking extends CallIdentity {
  readonly peerDevice: DeviceId;
}
export interface Connected extends Talking {
  /** ms since 1970: the duration counts from here. */
  readonly connectedAt: number;
  readonly muted: boolean;
  /** The directory says that the peer's device is gone. Ends the call only once the sound has stopped too. */
  readonly peerGone: boolean;
}

export type CallState =
  | { readonly phase: "idle" }
  /** `ringing`: at least one device of the callee has said that it rings. */
  | (CallIdentity & { readonly phase: "outgoing"; readonly ringing: boolean })
  | (Talking & { readonly phase: "incoming" })
  | (Talking & { readonly phase: "connecting" })
  | (Connected & { readonly phase: "active" })
  | (Connected & { readonly phase: "held"; readonly by: "us" | "peer" | "both" })
  | (Connected & { readonly phase: "reconnecting"; readonly heldBy: HeldBy })
  | (CallIdentity & {
      readonly phase: "ended";
      readonly reason: EndReason;
      readonly connectedAt: number | null;
      readonly endedAt: number;
    });

export type HeldBy = "nobody" | "us" | "peer" | "both";

export const IDLE: CallState = { phase: "idle" };

export type LiveCall = Exclude<CallState, { phase: "idle" } | { phase: "ended" }>;
/** Both sides have agreed: microphone and WebRTC are open. */
export type TalkingCall = Extract<CallState, { phase: "connecting" | "active" | "held" | "reconnecting" }>;

export function isLive(state: CallState): state is LiveCall {
  return state.phase !== "idle" && state.phase !== "ended";
}

export function isTalking(state: CallState): state is TalkingCall {
  return state.phase === "connecting" || isConnected(state);
}

export function isConnected(state: CallState): state is ConnectedCall {
  return state.phase === "active" || state.phase === "held" || state.phase === "reconnecting";
}

/** A call with sound, or one that has had it and is looking for it. */
export type ConnectedCall = Extract<CallState, Connected>;

/** Whether the microphone may be open in this state. The permission handler of the window asks this too. */
export function mayUseMicrophone(state: CallState): boolean {
  return isTalking(state);
}

/** The part that stays the same while sound comes, goes and is held. */
export function connectedPart(state: ConnectedCall): Connected {
  const { callId, peer, peerDevice, direction, connectedAt, muted, peerGone } = state;
  return { callId, peer, peerDevice, direction, connectedAt, muted, peerGone };
}

/** The phase of a call that has sound. */
export function withSound(call: Connected, held: HeldBy): ConnectedCall {
  return held === "nobody" ? { phase: "active", ...call } : { phase: "held", ...call, by: held };
}

export function heldBy(state: ConnectedCall): HeldBy {
  if (state.phase === "held") return state.by;
  return state.phase === "reconnecting" ? state.heldBy : "nobody";
}

/** Who holds the call after one side has held or released it. */
export function withHold(before: HeldBy, side: "us" | "peer", held: boolean): HeldBy {
  const us = side === "us" ? held : before === "us" || before === "both";
  const peer = side === "peer" ? held : before === "peer" || before === "both";
  if (us && peer) return "both";
  return us ? "us" : peer ? "peer" : "nobody";
}
