/** What the two ends of a call say to each other. Every signal travels in an envelope: sealed, signed, to one device. */
import { z } from "zod";
import { CallId } from "./identifiers.ts";

const id = { callId: CallId };

/** simple-peer's signalling objects, with their size bounded before WebRTC sees them. */
export const MediaSignal = z.union([
  z.strictObject({ type: z.enum(["offer", "answer"]), sdp: z.string().max(20_000) }),
  z.strictObject({
    type: z.literal("candidate"),
    candidate: z.object({
      candidate: z.string().max(1_000),
      sdpMLineIndex: z.number().int().nonnegative().nullish(),
      sdpMid: z.string().max(64).nullish(),
      usernameFragment: z.string().max(256).nullish(),
    }),
  }),
  z.strictObject({ type: z.literal("renegotiate"), renegotiate: z.literal(true) }),
]);
export type MediaSignal = z.infer<typeof MediaSignal>;

export const CallSignal = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("invite"), ...id }),
  /** This device rings. */
  z.strictObject({ kind: z.literal("ringing"), ...id }),
  z.strictObject({ kind: z.literal("accept"), ...id }),
  z.strictObject({ kind: z.literal("decline"), ...id, reason: z.enum(["declined", "busy"]) }),
  /** The caller has given up, or another device of the callee has answered (or declined): stop ringing. */
  z.strictObject({
    kind: z.literal("cancel"),
    ...id,
    reason: z.enum(["gave-up", "no-answer", "answered-elsewhere", "declined-elsewhere"]),
  }),
  z.strictObject({ kind: z.literal("hang-up"), ...id, reason: z.enum(["hung-up", "failed"]) }),
  z.strictObject({ kind: z.literal("hold"), ...id, held: z.boolean() }),
  /** SDP and ICE candidates, batched; only between the two devices that talk, only after accept. */
  z.strictObject({ kind: z.literal("media"), ...id, signals: z.array(MediaSignal).min(1).max(64) }),
]);
export type CallSignal = z.infer<typeof CallSignal>;
