import { Button } from "react-aria-components";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { Icon } from "../app/icon.tsx";
import { formatDuration } from "../call/duration.ts";
import { useText } from "../texts/use-text.ts";
import { useVoiceRecording } from "./use-voice-recording.ts";

/** Takes the composer's place while a voice message is recorded. */
export function VoiceComposer({ peer, onDone }: { readonly peer: BuddyView["userId"]; readonly onDone: () => void }) {
  const text = useText();
  const recording = useVoiceRecording(peer, onDone);
  return (
    <footer className="composer">
      <div className="composer-line voice-composer">
        <span className="voice-dot" aria-hidden="true" />
        <span role="status" className="voice-words">
          {text(recording.phase === "recording" ? "voice.recording" : "voice.preparing")}
        </span>
        <meter className="voice-level" aria-label={text("voice.level")} min={0} max={1} value={recording.level} />
        <span className="voice-duration">{formatDuration(recording.elapsedMs)}</span>
        <Button className="button" onPress={recording.discard}>
          {text("voice.discard")}
        </Button>
        <Button
          className="button button-primary"
          aria-label={text("voice.send")}
          isDisabled={recording.phase !== "recording"}
          onPress={recording.send}
        >
          <Icon name="send" />
          {text("voice.sendShort")}
        </Button>
      </div>
    </footer>
  );
}
