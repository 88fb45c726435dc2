import { Button } from "react-aria-components";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { Icon } from "../app/icon.tsx";
import { formatDuration } from "../call/duration.ts";
import { useText } from "../texts/use-text.ts";
import { useVoicePlayer } from "./use-voice-player.ts";

export function VoiceLine({ line }: { readonly line: Extract<LineView, { kind: "voice" }> }) {
  const text = useText();
  const player = useVoicePlayer(line.messageId);
  const playing = player.phase === "playing";
  const shownMs = player.phase === "idle" ? line.durationMs : player.positionMs;
  return (
    <div className="voice-line">
      <Button
        className="voice-button"
        aria-label={text(playing ? "voice.pause" : "voice.play")}
        onPress={playing ? player.pause : player.play}
      >
        <Icon name={playing ? "pause" : "play"} />
      </Button>
      <progress
        className="voice-progress"
        aria-label={text("voice.progress")}
        max={line.durationMs}
        value={player.phase === "idle" ? 0 : player.positionMs}
      />
      <span className="voice-duration">{formatDuration(shownMs)}</span>
    </div>
  );
}
