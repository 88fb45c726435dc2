import { describe, expect, test } from "vitest";
import { decodeWave, encodeWave } from "../../scripts/speech-file.ts";

const samples = Float32Array.of(0, 0.5, -0.5, 0.999, -1);

test("what is written is read again, to the last of 16 bits", () => {
  const read = decodeWave(encodeWave({ samples, sampleRate: 22_050 }));
  expect(read.sampleRate).toBe(22_050);
  expect(read.samples).toHaveLength(samples.length);
  for (const [index, sample] of read.samples.entries()) expect(sample).toBeCloseTo(samples[index] as number, 4);
});

describe("every usual kind of WAV file is read", () => {
  test.each([
    ["8-bit PCM", 1, 8, [128, 192]],
    ["16-bit PCM", 1, 16, [0, 0, 0, 64]],
    ["24-bit PCM", 1, 24, [0, 0, 0, 0, 0, 64]],
    ["32-bit PCM", 1, 32, [0, 0, 0, 0, 0, 0, 0, 64]],
    ["32-bit float", 3, 32, [0, 0, 0, 0, 0, 0, 0, 63]],
  ])("%s", (_, coding, bits, data) => {
    expect([...decodeWave(wave({ coding, bits, channels: 1, data })).samples]).toEqual([0, 0.5]);
  });

  test("two channels become their mean", () => {
    const read = decodeWave(wave({ coding: 1, bits: 16, channels: 2, data: [0, 64, 0, 0, 0, 192, 0, 64] }));
    expect([...read.samples]).toEqual([0.25, 0]);
  });

  test("a header that promises more samples than there are", () => {
    const file = encodeWave({ samples, sampleRate: 16_000 });
    expect(decodeWave(file.subarray(0, file.length - 4)).samples).toHaveLength(samples.length - 2);
  });
});

test.each([
  ["nothing", new Uint8Array(0), "not a WAV file"],
  ["text", new TextEncoder().encode("this is no sound, whatever its name says"), "not a WAV file"],
  ["no samples", encodeWave({ samples, sampleRate: 16_000 }).subarray(0, 36), "without samples"],
  ["a coding of another kind", wave({ coding: 85, bits: 16, channels: 1, data: [0, 0] }), "not read here"],
  ["no channels", wave({ coding: 1, bits: 16, channels: 0, data: [0, 0] }), "0 channels"],
])("a file with %s is refused in words", (_, file, words) => {
  expect(() => decodeWave(file)).toThrow(words);
});

function wave(of: { coding: number; bits: number; channels: number; data: readonly number[] }): Uint8Array {
  const file = new Uint8Array(44 + of.data.length);
  file.set(encodeWave({ samples: new Float32Array(0), sampleRate: 16_000 }));
  const view = new DataView(file.buffer);
  view.setUint16(20, of.coding, true);
  view.setUint16(22, of.channels, true);
  view.setUint16(34, of.bits, true);
  view.setUint32(40, of.data.length, true);
  file.set(of.data, 44);
  return file;
}
