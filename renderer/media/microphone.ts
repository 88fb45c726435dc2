/** The one place where the window asks for the microphone. Only a call and a voice recording come here. */
import { KithError } from "../../protocol/errors.ts";

const SPEECH: MediaTrackConstraints = {
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

export type OpenMicrophone = () => Promise<MediaStream>;

/** @throws KithError `microphone-refused`, `microphone-missing` */
export async function openMicrophone(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: SPEECH });
  } catch (error) {
    throw microphoneError(error);
  }
}

/** What getUserMedia's exceptions mean (Media Capture and Streams, section 10.2). */
export function microphoneError(thrown: unknown): KithError {
  const name = thrown instanceof Error ? thrown.name : "";
  const refused = name === "NotAllowedError" || name === "SecurityError";
  return new KithError(refused ? "microphone-refused" : "microphone-missing", {}, { cause: thrown });
}

export function stopStream(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
