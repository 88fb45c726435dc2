import { useEffect } from "react";
import type { CallView, SessionView } from "../../protocol/ipc-schema.ts";
import { useAppState } from "../app/kith.tsx";
import { type Ring, startRinging } from "../media/ringtone.ts";

type Status = Extract<SessionView, { phase: "signed-in" }>["status"];

/** Which ring belongs to a call. Do not disturb means: no sound, the dialog alone. */
export function ringOf(call: CallView, status: Status): Ring | null {
  if (call.phase === "incoming") return status === "busy" ? null : "incoming";
  return call.phase === "outgoing" && call.ringing ? "outgoing" : null;
}

export function useRinging(status: Status): void {
  const ring = useAppState(({ call }) => ringOf(call, status));
  useEffect(() => (ring === null ? undefined : startRinging(ring)), [ring]);
}
