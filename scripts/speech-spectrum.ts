/**
 * The log-mel spectrogram of speech: how loud each of some thirty bands is, every 10 ms.
 * The bands are even on the mel scale, mel(f) = 1127 ln(1 + f / 700) (Young et al., "The HTK Book", 5.4).
 */
import type { Sound } from "./speech-file.ts";

export const HOP_MS = 10;
const WINDOW_MS = 25;
/** The band that every codec and every recording at 8 kHz or more keeps. */
const LOWEST_HZ = 120;
const HIGHEST_HZ = 3_800;
export const BANDS = 26;
/** What folds back into the speech band at this rate lies above 7 kHz, where the low-pass lets nothing through. */
const ENOUGH_HZ = 11_000;
/** The low-pass falls off around the cut-off: the highest band is to stay below that. */
const CUT_OFF_MARGIN = 1.4;

export interface Spectrogram {
  readonly frames: number;
  /** `frames` rows of BANDS values, in dB, relative to a full-scale sine. */
  readonly bands: Float32Array;
  /** Loudness of each frame within the speech band, in the same dB. */
  readonly levels: Float32Array;
}

const SILENCE_DB = -120;

export function spectrogram(sound: Sound): Spectrogram {
  const { samples, sampleRate } = decimated(sound);
  const hop = (sampleRate * HOP_MS) / 1_000;
  const windowLength = Math.round((sampleRate * WINDOW_MS) / 1_000);
  const size = 2 ** Math.ceil(Math.log2(windowLength));
  const window = hannWindow(windowLength);
  const transform = fourierTransform(size);
  const filters = melFilters(size, sampleRate);
  const frames = Math.max(0, Math.floor((samples.length - windowLength) / hop) + 1);
  const bands = new Float32Array(frames * BANDS);
  const levels = new Float32Array(frames);
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  // A sine of full scale then has power 1, at every rate.
  const scale = 4 / window.reduce((sum, weight) => sum + weight, 0) ** 2;

  for (let frame = 0; frame < frames; frame++) {
    const start = Math.round(frame * hop);
    real.fill(0);
    imaginary.fill(0);
    for (let index = 0; index < windowLength; index++) {
      real[index] = (samples[start + index] ?? 0) * (window[index] ?? 0);
    }
    transform(real, imaginary);
    let whole = 0;
    filters.forEach((filter, band) => {
      let power = 0;
      filter.weights.forEach((weight, index) => {
        const bin = filter.firstBin + index;
        power += weight * ((real[bin] ?? 0) ** 2 + (imaginary[bin] ?? 0) ** 2) * scale;
      });
      bands[frame * BANDS + band] = decibels(power);
      whole += power;
    });
    levels[frame] = decibels(whole);
  }
  return { frames, bands, levels };
}

/** Every n-th sample, behind a low-pass (windowed sinc): the speech band needs no more, and transforms get cheap. */
function decimated({ samples, sampleRate }: Sound): Sound {
  const factor = Math.floor(sampleRate / ENOUGH_HZ);
  if (factor <= 1) return { samples, sampleRate };
  const reach = 6 * factor;
  const cutOff = (2 * HIGHEST_HZ * CUT_OFF_MARGIN) / sampleRate;
  const taps = Float64Array.from({ length: 2 * reach + 1 }, (_, index) => {
    const at = index - reach;
    const sinc = at === 0 ? cutOff : Math.sin(Math.PI * cutOff * at) / (Math.PI * at);
    return sinc * (0.54 + 0.46 * Math.cos((Math.PI * at) / reach));
  });
  const thinned = Float32Array.from({ length: Math.floor(samples.length / factor) }, (_, index) => {
    let sum = 0;
    const start = index * factor - reach;
    for (let tap = 0; tap < taps.length; tap++) sum += (taps[tap] as number) * (samples[start + tap] ?? 0);
    return sum;
  });
  return { samples: thinned, sampleRate: sampleRate / factor };
}

function decibels(power: number): number {
  return Math.max(SILENCE_DB, 10 * Math.log10(power + 1e-12));
}

function hannWindow(length: number): Float64Array {
  return Float64Array.from({ length }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / (length - 1)));
}

interface Filter {
  readonly firstBin: number;
  readonly weights: readonly number[];
}

/** Triangles that overlap by half, so that every frequency counts once in all. */
function melFilters(size: number, sampleRate: number): Filter[] {
  const mel = (hz: number) => 1_127 * Math.log(1 + hz / 700);
  const hz = (value: number) => 700 * (Math.exp(value / 1_127) - 1);
  const step = (mel(HIGHEST_HZ) - mel(LOWEST_HZ)) / (BANDS + 1);
  const edge = (index: number) => (hz(mel(LOWEST_HZ) + index * step) * size) / sampleRate;
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, middle, high] = [edge(band), edge(band + 1), edge(band + 2)];
    const firstBin = Math.ceil(low);
    const weights: number[] = [];
    for (let bin = firstBin; bin < high; bin++) {
      weights.push(bin < middle ? (bin - low) / (middle - low) : (high - bin) / (high - middle));
    }
    return { firstBin, weights };
  });
}

/** In place, radix 2 (Cooley and Tukey, 1965). @param size a power of two */
function fourierTransform(size: number): (real: Float64Array, imaginary: Float64Array) => void {
  const bits = Math.log2(size);
  const reversed = Uint32Array.from({ length: size }, (_, index) => {
    let result = 0;
    for (let bit = 0; bit < bits; bit++) if (index & (1 << bit)) result |= 1 << (bits - 1 - bit);
    return result;
  });
  const cosines = Float64Array.from({ length: size / 2 }, (_, index) => Math.cos((2 * Math.PI * index) / size));
  const sines = Float64Array.from({ length: size / 2 }, (_, index) => -Math.sin((2 * Math.PI * index) / size));
  return (real, imaginary) => {
    for (let index = 0; index < size; index++) {
      const other = reversed[index] as number;
      if (other > index) {
        [real[index], real[other]] = [real[other] as number, real[index] as number];
        [imaginary[index], imaginary[other]] = [imaginary[other] as number, imaginary[index] as number];
      }
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let index = 0; index < half; index++) {
          const [cosine, sine] = [cosines[index * stride] as number, sines[index * stride] as number];
          const [top, bottom] = [start + index, start + index + half];
          const [bottomReal, bottomImaginary] = [real[bottom] as number, imaginary[bottom] as number];
          const turnedReal = bottomReal * cosine - bottomImaginary * sine;
          const turnedImaginary = bottomReal * sine + bottomImaginary * cosine;
          real[bottom] = (real[top] as number) - turnedReal;
          imaginary[bottom] = (imaginary[top] as number) - turnedImaginary;
          real[top] = (real[top] as number) + turnedReal;
          imaginary[top] = (imaginary[top] as number) + turnedImaginary;
        }
      }
    }
  };
}
