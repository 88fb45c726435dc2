/** The longest gap in what a listener is played, by the decoder's own counters. */

/** Of one moment, counted since the call began. */
export interface Played {
  /** ms */
  readonly at: number;
  /** Samples that were played, at 48 kHz. */
  readonly playedSamples: number;
  /** Of these, the ones that the decoder made up because no packet had come in time. A pause of the speaker is none. */
  readonly concealedSamples: number;
}

const SAMPLES_PER_MS = 48;
/** An interval with less sound than this in it is a gap in whole. */
const LEAST_DECODED_SHARE = 0.05;

export class SoundGap {
  #last: Played | null = null;
  #runMs = 0;
  /** Never too short: concealment at the edges of an interval is taken to be in one piece with its neighbour's. */
  longestMs = 0;

  add(now: Played): void {
    const last = this.#last;
    this.#last = now;
    if (last === null) return;
    const played = now.playedSamples - last.playedSamples;
    const concealed = now.concealedSamples - last.concealedSamples;
    // Nothing at all is played when there is no decoder, or nobody who asks it.
    const gapMs = played === 0 ? now.at - last.at : concealed / SAMPLES_PER_MS;
    this.longestMs = Math.max(this.longestMs, Math.round(this.#runMs + gapMs));
    this.#runMs = played - concealed <= played * LEAST_DECODED_SHARE ? this.#runMs + gapMs : gapMs;
  }
}
