import { useCallback, useEffect, useRef, useState } from "react";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { useAttempt, useKith } from "../app/kith.tsx";

type MessageId = Extract<LineView, { kind: "voice" }>["messageId"];
type Playback =
  | { readonly phase: "idle" }
  | { readonly phase: "playing"; readonly positionMs: number }
  | { readonly phase: "paused"; readonly positionMs: number };

export type VoicePlayer = Playback & { readonly play: () => void; readonly pause: () => void };

/** One voice at a time: starting one pauses the other. */
let sounding: HTMLAudioElement | null = null;

/** Plays a voice message; its sound is fetched from main when it is first played. */
export function useVoicePlayer(messageId: MessageId): VoicePlayer {
  const { bridge } = useKith();
  const attempt = useAttempt();
  const [playback, setPlayback] = useState<Playback>({ phase: "idle" });
  const audio = useRef<HTMLAudioElement | null>(null);

  useEffect(
    () => () => {
      if (audio.current === null) return;
      audio.current.pause();
      URL.revokeObjectURL(audio.current.src);
    },
    [],
  );

  const load = useCallback(async () => {
    const { ogg } = await bridge.invoke("readVoice", { messageId });
    const element = new Audio(URL.createObjectURL(new Blob([new Uint8Array(ogg)], { type: "audio/ogg" })));
    const positionMs = () => element.currentTime * 1_000;
    element.ontimeupdate = () =>
      setPlayback((now) => (now.phase === "playing" ? { phase: "playing", positionMs: positionMs() } : now));
    element.onplay = () => setPlayback({ phase: "playing", positionMs: positionMs() });
    element.onpause = () => setPlayback({ phase: "paused", positionMs: positionMs() });
    element.onended = () => setPlayback({ phase: "idle" });
    return element;
  }, [bridge, messageId]);

  const start = useCallback(async () => {
    audio.current ??= await load();
    if (sounding !== audio.current) sounding?.pause();
    sounding = audio.current;
    await audio.current.play();
  }, [load]);

  const play = useCallback(() => attempt(start()), [attempt, start]);
  const pause = useCallback(() => audio.current?.pause(), []);
  return { ...playback, play, pause };
}
