/** What can happen to a call, and what the call wants done about it. */
import type { CallSignal, MediaSignal } from "./call-signal.ts";
import type { CallDirection, CallState, EndReason } from "./call-state.ts";
import type { CallId, DeviceAddress, DeviceId, UserId } from "./identifiers.ts";

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
