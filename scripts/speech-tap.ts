/**
 * Taps what a window plays: the peer's voice in its `<audio id="peer-audio">`, as decoded
 * samples behind the jitter buffer, and recordings (voice messages) in any other audio
 * element. A MediaStreamTrackProcessor reads them in the page, and they are fetched from
 * there, so the product needs no hook and its Content-Security-Policy no exception (no
 * worker, no blob).
 */
import type { Page } from "playwright-core";
import type { Sound } from "./speech-file.ts";

/** The page's globals, as far as they are used here. */
declare const window: TappedPage;
interface TappedPage {
  document: { querySelector(selector: string): AudioElement | null };
  HTMLMediaElement: { readonly prototype: { play(this: AudioElement): Promise<void> } };
  MediaStreamTrackProcessor: new (settings: {
    track: Track;
    maxBufferSize: number;
  }) => { readonly readable: ReadableStream<Chunk> };
  soundTap?: { sampleRate: number; readonly chunks: Float32Array<ArrayBuffer>[] };
}
interface AudioElement {
  readonly srcObject: Stream | null;
  captureStream(): Stream;
  readonly paused: boolean;
  readonly muted: boolean;
  readonly volume: number;
}
interface Stream {
  getAudioTracks(): Track[];
  addEventListener(type: "addtrack", listener: (event: { track: Track }) => void): void;
}
interface Track {
  readonly id: string;
  readonly readyState: "live" | "ended";
}
/** WebCodecs' AudioData. */
interface Chunk {
  readonly numberOfFrames: number;
  readonly sampleRate: number;
  copyTo(samples: Float32Array, options: { planeIndex: number; format: "f32-planar" }): void;
  close(): void;
}

const PEER_AUDIO = "#peer-audio";
/** Longer than any speech has to be heard to be recognised. */
const KEPT_SECONDS = 20;

export interface SpeechTap {
  /** The latest samples that the element was playing aloud (neither paused, muted nor at volume 0). */
  latest(seconds: number): Promise<Sound>;
  /** Forgets what was heard so far. */
  clear(): Promise<void>;
}

/** Listens from now on, to this call and the next ones, until the page is closed. One tap per page. */
export async function tapSpeech(page: Page): Promise<SpeechTap> {
  await page.evaluate(
    ({ selector, keptSeconds }) => {
      if (window.soundTap !== undefined) throw new Error("this page is tapped already");
      const tap = { sampleRate: 0, chunks: [] as Float32Array<ArrayBuffer>[] };
      window.soundTap = tap;

      async function listen(track: Track, audio: AudioElement): Promise<void> {
        // The page's thread may be busy for seconds; nothing must be lost then.
        const { readable } = new window.MediaStreamTrackProcessor({ track, maxBufferSize: 1_000 });
        const reader = readable.getReader();
        for (;;) {
          const { value: chunk } = await reader.read();
          if (chunk === undefined) break;
          const samples = new Float32Array(chunk.numberOfFrames);
          chunk.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
          tap.sampleRate = chunk.sampleRate;
          chunk.close();
          if (audio.paused || audio.muted || audio.volume === 0) samples.fill(0);
          tap.chunks.push(samples);
          const chunksPerSecond = tap.sampleRate / samples.length;
          if (tap.chunks.length > keptSeconds * chunksPerSecond) tap.chunks.shift();
        }
      }

      let peerTrack = "";
      setInterval(() => {
        const audio = window.document.querySelector(selector);
        const track = audio?.srcObject?.getAudioTracks()[0];
        if (!audio || track === undefined || track.id === peerTrack || track.readyState === "ended") return;
        peerTrack = track.id;
        void listen(track, audio);
      }, 20);

      const { prototype } = window.HTMLMediaElement;
      const { play } = prototype;
      const recordings = new WeakSet<AudioElement>();
      prototype.play = function () {
        if (this.srcObject === null && !recordings.has(this)) {
          recordings.add(this);
          // The track comes with the recording's first bytes.
          this.captureStream().addEventListener("addtrack", ({ track }) => void listen(track, this));
        }
        return play.call(this);
      };
    },
    { selector: PEER_AUDIO, keptSeconds: KEPT_SECONDS },
  );
  return {
    latest: (seconds) => fetchSound(page, seconds),
    clear: () =>
      page.evaluate(() => {
        window.soundTap?.chunks.splice(0);
      }),
  };
}

async function fetchSound(page: Page, seconds: number): Promise<Sound> {
  const { base64, sampleRate } = await page.evaluate(async (wanted) => {
    const tap = window.soundTap;
    if (tap === undefined) throw new Error("this page is not tapped");
    const blob = new Blob(tap.chunks);
    const bytes = new Uint8Array(await blob.slice(-wanted * tap.sampleRate * 4 || blob.size).arrayBuffer());
    let text = "";
    // fromCharCode takes its characters as arguments, of which there can be only so many.
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return { base64: btoa(text), sampleRate: tap.sampleRate };
  }, seconds);
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return { samples: new Float32Array(bytes.buffer), sampleRate };
}
