/** The one file that knows opus-recorder: a voice message from a microphone stream to Ogg Opus (RFC 7845). */
import Recorder from "opus-recorder";
import encoderPath from "opus-recorder/dist/encoderWorker.min.js?url";
import { LIMITS } from "../../protocol/limits.ts";
import type { Bridge } from "../bridge.ts";
import { type OpenMicrophone, stopStream } from "./microphone.ts";

export interface VoiceMessage {
  /** Ogg Opus. */
  readonly ogg: Uint8Array<ArrayBuffer>;
  readonly durationMs: number;
}

export interface VoiceRecording {
  /** Loudness now, 0 to 1. */
  level(): number;
  /** Ends the recording and hands it over. */
  finish(): Promise<VoiceMessage>;
  discard(): Promise<void>;
}

export type StartVoiceRecording = () => Promise<VoiceRecording>;

/** Speech is clear at this rate, and ten minutes of it stay within the limit of a voice message. */
const BIT_RATE = 24_000;
const VOICE = 2048;
/** The clock of Ogg Opus, whatever the input (RFC 7845, section 4). */
const OPUS_CLOCK_HZ = 48_000;

/**
 * Main grants the microphone for the time of the recording only, so it is told first and last.
 * @throws KithError `microphone-refused`, `microphone-missing`
 */
export function voiceRecorder(bridge: Bridge, openMicrophone: OpenMicrophone): StartVoiceRecording {
  return async () => {
    await bridge.invoke("recording", { on: true });
    try {
      const stream = await openMicrophone();
      return await record(stream, async () => {
        stopStream(stream);
        await bridge.invoke("recording", { on: false });
      });
    } catch (error) {
      await bridge.invoke("recording", { on: false });
      throw error;
    }
  };
}

async function record(stream: MediaStream, release: () => Promise<void>): Promise<VoiceRecording> {
  const context = new AudioContext();
  const source = context.createMediaStreamSource(stream);
  const meter = context.createAnalyser();
  meter.fftSize = 512;
  source.connect(meter);
  const recorder = new Recorder({
    encoderPath,
    sourceNode: source,
    numberOfChannels: 1,
    encoderApplication: VOICE,
    encoderBitRate: BIT_RATE,
    encoderSampleRate: OPUS_CLOCK_HZ,
  });
  const encoded = new Promise<Uint8Array<ArrayBuffer>>((resolve) => {
    recorder.ondataavailable = resolve;
  });

  async function end(): Promise<void> {
    await recorder.close();
    await context.close();
    await release();
  }

  try {
    await recorder.start();
  } catch (error) {
    stopStream(stream);
    await context.close();
    throw error;
  }
  const waveform = new Float32Array(meter.fftSize);
  return {
    level() {
      meter.getFloatTimeDomainData(waveform);
      const power = waveform.reduce((sum, sample) => sum + sample * sample, 0) / waveform.length;
      return Math.min(1, Math.sqrt(power) * 4);
    },
    async finish() {
      await recorder.stop();
      const ogg = await encoded;
      const durationMs = Math.round((recorder.encodedSamplePosition / OPUS_CLOCK_HZ) * 1_000);
      await end();
      return { ogg, durationMs: Math.min(Math.max(1, durationMs), LIMITS.maxVoiceMessageMs) };
    },
    discard: end,
  };
}
