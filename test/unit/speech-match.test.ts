import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeWave, type Sound } from "../../scripts/speech-file.ts";
import { matchSpeech, speechPrint } from "../../scripts/speech-match.ts";

const alice = fixture("speech-alice.wav");
const bob = fixture("speech-bob.wav");
const alicePrint = speechPrint(alice);
const bobPrint = speechPrint(bob);
/** "Good morning … twenty to nine": what Alice says after that is another sentence. */
const firstSentence = speechPrint(slice(alice, 0, 3.9));

describe("the right speech is recognised", () => {
  const heard = slice(alice, 1.3, 8);
  test.each<[string, Sound]>([
    ["as it is", heard],
    ["from the middle, on over the end of the loop", slice(looped(alice), 7, 8)],
    ["at 48 kHz", resampled(heard, 48_000)],
    ["at 44.1 kHz", resampled(heard, 44_100)],
    ["30 dB fainter", scaled(heard, 0.03)],
    [
      "three times too loud, clipped",
      { ...heard, samples: heard.samples.map((s) => Math.max(-1, Math.min(1, s * 6))) },
    ],
    ["with a gain that wanders", mapped(heard, (sample, second) => sample * (0.4 + 0.35 * Math.sin(second * 2)))],
    ["through a telephone's band", telephone(heard)],
    ["with noise 15 dB below it", mixed(heard, scaled(noise(heard), 0.02))],
    ["with every fifth 20 ms replaced by the 20 ms before", concealed(heard)],
    ["with half of its words cut away", mapped(heard, (sample, second) => (second % 1 < 0.5 ? sample : 0))],
    ["behind 4 s of silence", joined(silence(4), heard)],
    ["played 3 % too fast", resampled({ ...heard, sampleRate: 16_480 }, 16_000)],
  ])("%s", (_, sound) => {
    const heardPrint = speechPrint(sound);
    expect(matchSpeech(heardPrint, alicePrint)).toMatchObject({ recognised: true });
    expect(matchSpeech(heardPrint, bobPrint)).toMatchObject({ recognised: false });
  });
});

describe("anything else is not", () => {
  test.each<[string, Sound]>([
    ["the other voice", bob],
    ["another sentence in the same voice", slice(alice, 4, 6)],
    ["the same speech backwards", { ...alice, samples: alice.samples.toReversed() }],
    ["noise with the loudness of the speech", loudnessOf(slice(alice, 0, 4), noise(slice(alice, 0, 4)))],
    ["noise", noise(alice)],
    ["a tone", mapped(alice, (_, second) => 0.3 * Math.sin(2 * Math.PI * 440 * second))],
    [
      "a melody",
      mapped(alice, (_, second) => 0.3 * Math.sin(2 * Math.PI * 220 * 2 ** (Math.floor(second * 4) % 7) * second)),
    ],
    ["silence", silence(8)],
    ["the speech too faint to follow", scaled(alice, 0.000_3)],
    ["one second of it", slice(alice, 0.2, 1)],
  ])("%s", (_, sound) => {
    expect(matchSpeech(speechPrint(sound), firstSentence)).toMatchObject({ recognised: false });
  });

  test("no sound at all", () => {
    expect(matchSpeech(speechPrint({ samples: new Float32Array(0), sampleRate: 48_000 }), alicePrint)).toEqual({
      score: 0,
      heardSeconds: 0,
      recognised: false,
    });
  });
});

function fixture(name: string): Sound {
  return decodeWave(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)));
}

function slice({ samples, sampleRate }: Sound, fromSecond: number, seconds: number): Sound {
  const start = Math.round(fromSecond * sampleRate);
  return { samples: samples.slice(start, start + Math.round(seconds * sampleRate)), sampleRate };
}

function joined(first: Sound, second: Sound): Sound {
  return { ...first, samples: Float32Array.from([...first.samples, ...second.samples]) };
}

function looped(sound: Sound): Sound {
  return joined(sound, sound);
}

function silence(seconds: number): Sound {
  return { samples: new Float32Array(seconds * 16_000), sampleRate: 16_000 };
}

function mapped(sound: Sound, change: (sample: number, second: number) => number): Sound {
  return { ...sound, samples: sound.samples.map((sample, index) => change(sample, index / sound.sampleRate)) };
}

function scaled(sound: Sound, gain: number): Sound {
  return mapped(sound, (sample) => sample * gain);
}

function mixed(one: Sound, other: Sound): Sound {
  return { ...one, samples: one.samples.map((sample, index) => sample + (other.samples[index] ?? 0)) };
}

/** Linear interpolation: coarser than any real resampler. */
function resampled({ samples, sampleRate }: Sound, toRate: number): Sound {
  const length = Math.floor((samples.length * toRate) / sampleRate);
  return {
    sampleRate: toRate,
    samples: Float32Array.from({ length }, (_, index) => {
      const at = (index * sampleRate) / toRate;
      const before = samples[Math.floor(at)] ?? 0;
      return before + (at % 1) * ((samples[Math.floor(at) + 1] ?? before) - before);
    }),
  };
}

/** White noise of full scale, the same every time (Lehmer's generator with Park and Miller's constants). */
function noise(like: Sound): Sound {
  let state = 1;
  return mapped(like, () => {
    state = (state * 48_271) % 2_147_483_647;
    return (2 * state) / 2_147_483_647 - 1;
  });
}

/** 300 to 3,000 Hz, by first-order filters three times over. */
function telephone(sound: Sound): Sound {
  let samples = sound.samples;
  for (let pass = 0; pass < 3; pass++) samples = lowPass(samples, 3_000 / sound.sampleRate);
  for (let pass = 0; pass < 3; pass++) {
    const rumble = lowPass(samples, 300 / sound.sampleRate);
    samples = samples.map((sample, index) => sample - (rumble[index] as number));
  }
  return { ...sound, samples };
}

function lowPass(samples: Float32Array, cutOff: number): Float32Array {
  const share = 1 - Math.exp(-2 * Math.PI * cutOff);
  let last = 0;
  return samples.map((sample) => {
    last += share * (sample - last);
    return last;
  });
}

function concealed(sound: Sound): Sound {
  const packet = sound.sampleRate / 50;
  return {
    ...sound,
    samples: sound.samples.map((sample, index) =>
      Math.floor(index / packet) % 5 === 4 ? (sound.samples[index - packet] ?? 0) : sample,
    ),
  };
}

function loudnessOf(sound: Sound, carrier: Sound): Sound {
  const envelope = lowPass(sound.samples.map(Math.abs), 20 / sound.sampleRate);
  return { ...carrier, samples: carrier.samples.map((sample, index) => sample * (envelope[index] as number)) };
}
