import { describe, expect, test } from "vitest";
import { SoundGap } from "../lab/sound-gap.ts";

/** What is heard in intervals of 50 ms: how much of each was made up, 0 to 1; null if nothing was played at all. */
function longest(...made: (number | null)[]): number {
  const gap = new SoundGap();
  let [at, playedSamples, concealedSamples] = [0, 0, 0];
  gap.add({ at, playedSamples, concealedSamples });
  for (const share of made) {
    at += 50;
    if (share !== null) {
      playedSamples += 2_400;
      concealedSamples += 2_400 * share;
    }
    gap.add({ at, playedSamples, concealedSamples });
  }
  return gap.longestMs;
}

describe("the longest gap is", () => {
  test.each([
    ["nothing while everything is decoded", [0, 0, 0], 0],
    ["the concealment within one interval", [0, 0.4, 0], 20],
    ["all of a run, with its edges", [0, 0.5, 1, 1, 0.5, 0], 150],
    ["as long as nothing is played", [0, null, null, 0], 100],
    ["the longer one of two", [1, 0, 1, 1, 0], 100],
    ["not the sum of what sound lies between", [0.2, 0, 0.2, 0, 0.2], 10],
  ])("%s", (_, made, ms) => {
    expect(longest(...made)).toBe(ms);
  });
});
