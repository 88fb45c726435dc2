/** What ringing sounds like, made on the spot: no sound files. */

/** One note: when it starts within the round and how long it rings (s), its pitch (Hz), and how loud it is (0 to 1). */
interface Note {
  readonly at: number;
  readonly lasts: number;
  readonly pitch: number;
  readonly loudness: number;
}

interface Tune {
  readonly roundMs: number;
  readonly notes: readonly Note[];
}

const strike = (at: number, pitch: number): Note => ({ at, lasts: 0.9, pitch, loudness: 0.22 });

/** A rising figure of four struck notes, twice, then a breath. */
const INCOMING: Tune = {
  roundMs: 3_200,
  notes: [0, 1].flatMap((turn) =>
    [523.25, 659.25, 783.99, 1046.5].map((pitch, index) => strike(turn * 0.9 + index * 0.16, pitch)),
  ),
};

/** The European ringing tone, softly: one second in five (ITU-T E.180). */
const OUTGOING: Tune = { roundMs: 5_000, notes: [{ at: 0, lasts: 1, pitch: 425, loudness: 0.05 }] };

export type Ring = "incoming" | "outgoing";

/** @returns how to stop it */
export function startRinging(ring: Ring): () => void {
  const tune = ring === "incoming" ? INCOMING : OUTGOING;
  const context = new AudioContext();
  const play = () => {
    for (const note of tune.notes) playNote(context, note, ring === "incoming" ? "struck" : "even");
  };
  play();
  const timer = setInterval(play, tune.roundMs);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}

function playNote(context: AudioContext, note: Note, shape: "struck" | "even"): void {
  const start = context.currentTime + note.at;
  const end = start + note.lasts;
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = note.pitch;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(note.loudness, start + 0.02);
  if (shape === "even") gain.gain.setValueAtTime(note.loudness, end - 0.05);
  if (shape === "struck") gain.gain.exponentialRampToValueAtTime(0.001, end);
  else gain.gain.linearRampToValueAtTime(0, end);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(start);
  oscillator.stop(end);
}
