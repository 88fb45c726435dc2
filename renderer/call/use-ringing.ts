import { useEffect } from "react";
import { useAppState } from "../app/kith.tsx";
import { startRinging } from "../media/ringtone.ts";
import { ringOf, type Status } from "./call-words.ts";

export function useRinging(status: Status): void {
  const ring = useAppState(({ call }) => ringOf(call, status));
  useEffect(() => (ring === null ? undefined : startRinging(ring)), [ring]);
}
