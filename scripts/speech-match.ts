/**
 * Is this the speech of that recording? Answers it for sound that has been through a
 * call: coded by Opus at any rate, thinned by DTX, cut up by echo cancellation and noise
 * suppression, levelled, concealed and time-stretched by the jitter buffer, resampled.
 *
 * Both sounds become *prints*: for every 10 ms in which somebody speaks, the shape of
 * the log-mel spectrum as a vector of length 1. Its level is taken out (gain control
 * changes it), and so is the average of each band (microphones and codecs colour it).
 * The likeness of two frames is the dot product. The reference loops, as Chromium's
 * file microphone does. The heard sound is laid along it on the best path, found by
 * dynamic programming: time runs on as in the reference, but for a slip of a few frames
 * every quarter of a second. The score is the mean likeness of all heard frames, so
 * words that were lost on the way cost nothing and words that were never in the
 * reference cost everything.
 */
import type { Sound } from "./speech-file.ts";
import { BANDS, HOP_MS, type Spectrogram, spectrogram } from "./speech-spectrum.ts";

/** Frames this far below the loudest ones are taken for pauses. */
const PAUSE_BELOW_PEAK_DB = 30;
/** Whatever is fainter is no speech that a person could follow. */
const FAINTEST_SPEECH_DB = -65;
/** Bands are cut off this far below their own peak: what lies deeper is the noise of the codec. */
const BAND_RANGE_DB = 40;
/** The path may slip by SLIP_FRAMES after every SEGMENT_FRAMES: the jitter buffer stretches time by up to a fifth. */
const SEGMENT_FRAMES = 25;
const SLIP_FRAMES = 2;

/**
 * Calibrated with sixteen sentences in four voices, sent both ways at once between two
 * Electron apps (Opus at 16 to 32 kbit/s, with and without DTX, echo cancellation and a
 * busy machine): the right speech scored 0.67 to 0.97 over 4 s or more, other speech, other
 * sentences in the same voice included, up to 0.29; noise and tones stay under 0.1.
 */
export const RECOGNISED_SCORE = 0.45;
/** With less speech than this a score says little: in 1 s, wrong speech can reach 0.35. */
export const MIN_HEARD_SECONDS = 2;

/** A sound, ready to be compared. */
export interface SpeechPrint {
  readonly frames: number;
  /** BANDS values per frame; a pause is all zeros. */
  readonly shapes: Float32Array;
  /** 1 where somebody speaks. */
  readonly spoken: Uint8Array;
  readonly spokenSeconds: number;
}

export interface SpeechMatch {
  /** -1 to 1: mean likeness of what was heard to the reference, on the best path. */
  readonly score: number;
  /** How much speech (or other sound that is no pause) the score rests on. */
  readonly heardSeconds: number;
  readonly recognised: boolean;
}

export function speechPrint(sound: Sound): SpeechPrint {
  const spectrum = spectrogram(sound);
  const spoken = spokenFrames(spectrum.levels);
  const spokenCount = spoken.reduce((sum, one) => sum + one, 0);
  const shapes = bandsWithinRange(spectrum);
  subtractBandMeans(shapes, spoken, spokenCount);
  for (let frame = 0; frame < spectrum.frames; frame++) {
    normaliseFrame(shapes.subarray(frame * BANDS, (frame + 1) * BANDS), spoken[frame] === 1);
  }
  return { frames: spectrum.frames, shapes, spoken, spokenSeconds: (spokenCount * HOP_MS) / 1_000 };
}

/** Lays `heard` along the looping `reference`. Neither needs to begin where the other does, nor to have its length. */
export function matchSpeech(heard: SpeechPrint, reference: SpeechPrint): SpeechMatch {
  const heardFrames = heard.spokenSeconds * (1_000 / HOP_MS);
  const likeness = heardFrames === 0 || reference.frames === 0 ? 0 : bestPath(heard, reference) / heardFrames;
  return {
    score: likeness,
    heardSeconds: heard.spokenSeconds,
    recognised: likeness >= RECOGNISED_SCORE && heard.spokenSeconds >= MIN_HEARD_SECONDS,
  };
}

/** The greatest sum of likenesses over all paths. A path is an offset into the reference that may slip now and then. */
function bestPath(heard: SpeechPrint, reference: SpeechPrint): number {
  const offsets = reference.frames;
  let best = new Float64Array(offsets);
  let next = new Float64Array(offsets);
  for (let start = 0; start < heard.frames; start += SEGMENT_FRAMES) {
    const end = Math.min(start + SEGMENT_FRAMES, heard.frames);
    for (let offset = 0; offset < offsets; offset++) {
      let before = Number.NEGATIVE_INFINITY;
      for (let slip = -SLIP_FRAMES; slip <= SLIP_FRAMES; slip++) {
        before = Math.max(before, best[(offset + slip + offsets * SLIP_FRAMES) % offsets] as number);
      }
      next[offset] = before + segmentLikeness(heard, start, end, reference, offset);
    }
    [best, next] = [next, best];
  }
  return best.reduce((greatest, sum) => Math.max(greatest, sum), Number.NEGATIVE_INFINITY);
}

function segmentLikeness(
  heard: SpeechPrint,
  start: number,
  end: number,
  reference: SpeechPrint,
  offset: number,
): number {
  // This is the innermost loop of all: everything that it touches is local.
  const { shapes, spoken } = heard;
  const { shapes: otherShapes, spoken: otherSpoken, frames } = reference;
  const bands = BANDS;
  let sum = 0;
  for (let frame = start; frame < end; frame++) {
    const other = (frame + offset) % frames;
    if (spoken[frame] === 0 || otherSpoken[other] === 0) continue;
    for (let band = 0; band < bands; band++) {
      sum += (shapes[frame * bands + band] as number) * (otherShapes[other * bands + band] as number);
    }
  }
  return sum;
}

function spokenFrames(levels: Float32Array): Uint8Array {
  const sorted = Float32Array.from(levels).sort();
  const peak = sorted[Math.floor(sorted.length * 0.97)] ?? Number.NEGATIVE_INFINITY;
  const threshold = Math.max(peak - PAUSE_BELOW_PEAK_DB, FAINTEST_SPEECH_DB);
  return Uint8Array.from(levels, (level) => (level > threshold ? 1 : 0));
}

function bandsWithinRange({ frames, bands }: Spectrogram): Float32Array {
  const floors = new Float32Array(BANDS).fill(Number.NEGATIVE_INFINITY);
  for (let index = 0; index < frames * BANDS; index++) {
    floors[index % BANDS] = Math.max(floors[index % BANDS] as number, (bands[index] as number) - BAND_RANGE_DB);
  }
  return bands.map((value, index) => Math.max(value, floors[index % BANDS] as number));
}

function subtractBandMeans(shapes: Float32Array, spoken: Uint8Array, spokenCount: number): void {
  const means = new Float64Array(BANDS);
  shapes.forEach((value, index) => {
    if (spoken[Math.floor(index / BANDS)] === 1) means[index % BANDS] = (means[index % BANDS] as number) + value;
  });
  for (let index = 0; index < shapes.length; index++) {
    shapes[index] = (shapes[index] as number) - (means[index % BANDS] as number) / Math.max(1, spokenCount);
  }
}

/** Takes the level out and makes the length 1. A frame without any shape (a steady tone) stays zero and is like nothing. */
function normaliseFrame(shape: Float32Array, spoken: boolean): void {
  const level = shape.reduce((sum, value) => sum + value, 0) / BANDS;
  const length = Math.sqrt(shape.reduce((sum, value) => sum + (value - level) ** 2, 0));
  const flat = length < SHAPELESS_DB * Math.sqrt(BANDS);
  for (let band = 0; band < BANDS; band++) {
    shape[band] = spoken && !flat ? ((shape[band] as number) - level) / length : 0;
  }
}

/** Speech moves its bands by 5 to 15 dB around their average. */
const SHAPELESS_DB = 0.5;
