/** Recorded sound as samples, and the WAV files that it is kept in (RIFF, "Multimedia Programming Interface 1.0", 1991). */

/** One channel; samples between -1 and 1. */
export interface Sound {
  readonly samples: Float32Array;
  /** In Hz. */
  readonly sampleRate: number;
}

const PCM = 1;
const FLOAT = 3;
/** The real format is in the first two bytes of the sub-format, 24 bytes into the chunk. */
const EXTENSIBLE = 0xfffe;

interface Format {
  readonly coding: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
}

/**
 * Reads PCM of 8, 16, 24 or 32 bits, or float of 32; several channels are mixed to one.
 * @throws Error that says what is wrong with the file
 */
export function decodeWave(file: Uint8Array): Sound {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 12 || tag(view, 0) !== "RIFF" || tag(view, 8) !== "WAVE") throw new Error("not a WAV file");
  let format: Format | null = null;
  for (let offset = 12; offset + 8 <= file.length; ) {
    const length = view.getUint32(offset + 4, true);
    const start = offset + 8;
    // A recorder that was cut off leaves a length beyond the end of the file.
    const end = Math.min(start + length, file.length);
    if (tag(view, offset) === "fmt ") format = readFormat(view, start, end);
    if (tag(view, offset) === "data") {
      if (format === null) throw new Error("a WAV file whose samples come before their format");
      return readSamples(view, start, end, format);
    }
    offset = start + length + (length % 2);
  }
  throw new Error("a WAV file without samples");
}

/** A WAV file of 16-bit PCM, one channel: what every reader of WAV files understands. */
export function encodeWave({ samples, sampleRate }: Sound): Uint8Array {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  writeTag(view, 0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  writeTag(view, 8, "WAVE");
  writeTag(view, 12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  writeTag(view, 36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, index) => {
    view.setInt16(44 + index * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), true);
  });
  return new Uint8Array(view.buffer);
}

function readFormat(view: DataView, start: number, end: number): Format {
  if (end - start < 16) throw new Error("a WAV file with a format cut short");
  const coding = view.getUint16(start, true);
  const format = {
    coding: coding === EXTENSIBLE && end - start >= 26 ? view.getUint16(start + 24, true) : coding,
    channels: view.getUint16(start + 2, true),
    sampleRate: view.getUint32(start + 4, true),
    bitsPerSample: view.getUint16(start + 14, true),
  };
  if (format.channels === 0 || format.sampleRate < 8_000) {
    throw new Error(`a WAV file of ${format.channels} channels at ${format.sampleRate} Hz (8,000 is the least)`);
  }
  return format;
}

function readSamples(view: DataView, start: number, end: number, format: Format): Sound {
  const { channels, sampleRate, bitsPerSample } = format;
  const read = sampleReader(view, format);
  const sampleBytes = bitsPerSample / 8;
  const frameBytes = sampleBytes * channels;
  const samples = new Float32Array(Math.floor((end - start) / frameBytes));
  for (let frame = 0; frame < samples.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++)
      sum += read(start + frame * frameBytes + channel * sampleBytes);
    samples[frame] = sum / channels;
  }
  return { samples, sampleRate };
}

function sampleReader(view: DataView, { coding, bitsPerSample }: Format): (offset: number) => number {
  if (coding === FLOAT && bitsPerSample === 32) return (offset) => view.getFloat32(offset, true);
  if (coding === PCM) {
    switch (bitsPerSample) {
      case 8:
        return (offset) => (view.getUint8(offset) - 128) / 128;
      case 16:
        return (offset) => view.getInt16(offset, true) / 32_768;
      case 24:
        return (offset) => (view.getUint16(offset, true) + view.getInt8(offset + 2) * 65_536) / 8_388_608;
      case 32:
        return (offset) => view.getInt32(offset, true) / 2_147_483_648;
    }
  }
  throw new Error(`a WAV file of coding ${coding} with ${bitsPerSample} bits, which is not read here`);
}

function tag(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(offset + index)));
}

function writeTag(view: DataView, offset: number, text: string): void {
  for (let index = 0; index < 4; index++) view.setUint8(offset + index, text.charCodeAt(index));
}
