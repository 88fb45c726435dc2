import { useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { useAttempt, useKith } from "../app/kith.tsx";
import type { VoiceRecording } from "../media/voice-recorder.ts";

const METER_EVERY_MS = 100;

interface RecordingView {
  readonly phase: "preparing" | "recording" | "sending";
  readonly elapsedMs: number;
  /** Loudness, 0 to 1. */
  readonly level: number;
}

const PREPARING: RecordingView = { phase: "preparing", elapsedMs: 0, level: 0 };

/**
 * Records while the component is shown. Leaving it in any other way than by sending throws
 * the recording away and closes the microphone; at the longest allowed length it is sent.
 */
export function useVoiceRecording(peer: BuddyView["userId"], onDone: () => void) {
  const { bridge, clock, startVoiceRecording } = useKith();
  const attempt = useAttempt();
  const [view, setView] = useState(PREPARING);
  const running = useRef<VoiceRecording | null>(null);

  const send = useCallback(async () => {
    const recording = running.current;
    if (recording === null) return;
    running.current = null;
    setView((now) => ({ ...now, phase: "sending" }));
    try {
      const { ogg, durationMs } = await recording.finish();
      await bridge.invoke("sendVoice", { peer, ogg, durationMs });
    } finally {
      onDone();
    }
  }, [bridge, peer, onDone]);

  const sendAtLimit = useEffectEvent(() => attempt(send()));
  const giveUp = useEffectEvent(onDone);

  useEffect(() => {
    let left = false;
    let stopMeter: (() => void) | null = null;
    const start = async () => {
      const recording = await startVoiceRecording();
      if (left) {
        await recording.discard();
        return;
      }
      running.current = recording;
      const startedAt = clock.now();
      stopMeter = clock.every(METER_EVERY_MS, () => {
        if (running.current !== recording) return;
        const elapsedMs = clock.now() - startedAt;
        setView({ phase: "recording", elapsedMs, level: recording.level() });
        if (elapsedMs >= LIMITS.maxVoiceMessageMs) sendAtLimit();
      });
    };
    attempt(
      start().catch((error: unknown) => {
        if (!left) giveUp();
        throw error;
      }),
    );
    return () => {
      left = true;
      stopMeter?.();
      const recording = running.current;
      running.current = null;
      if (recording !== null) attempt(recording.discard());
    };
  }, [attempt, clock, startVoiceRecording]);

  return { ...view, send: () => attempt(send()), discard: onDone };
}
