/** Which profiles a query finds, and in which order: the same for holders, home and client, so that pages fit together. */
import { type FoldedWord, foldedWords } from "./folding.ts";
import type { Handle, UserId } from "./identifiers.ts";
import type { ProfileTexts } from "./profile.ts";

/** The words of one profile, folded once. */
export interface ProfileWords {
  readonly handle: readonly FoldedWord[];
  readonly displayName: readonly FoldedWord[];
  readonly other: readonly FoldedWord[];
}

export function profileWords(handle: Handle, { displayName, words }: ProfileTexts): ProfileWords {
  return { handle: foldedWords(handle), displayName: foldedWords(displayName), other: foldedWords(words) };
}

/** A place in the order of what a query finds. */
export interface Rank {
  /** How well it fits; the higher the better. */
  readonly score: number;
  readonly handle: Handle;
  readonly userId: UserId;
}

/** Negative: `a` comes before `b`. */
export function compareRanks(a: Rank, b: Rank): number {
  if (a.score !== b.score) return b.score - a.score;
  if (a.handle !== b.handle) return a.handle < b.handle ? -1 : 1;
  if (a.userId === b.userId) return 0;
  return a.userId < b.userId ? -1 : 1;
}

/** Whole words before beginnings, and the names before the other words. */
const WORTH = { handle: [6, 3], displayName: [5, 2], other: [4, 1] } as const;

/** How well the profile fits: 0 if some word of the query is the beginning of none of its words. */
export function matchScore(query: readonly FoldedWord[], profile: ProfileWords): number {
  let score = 0;
  for (const word of query) {
    const best = Math.max(
      ...(["handle", "displayName", "other"] as const).map((field) => worthIn(profile[field], word, WORTH[field])),
    );
    if (best === 0) return 0;
    score += best;
  }
  return score;
}

function worthIn(words: readonly FoldedWord[], wanted: FoldedWord, [whole, beginning]: readonly [number, number]) {
  let worth = 0;
  for (const word of words) {
    if (word.unspaced !== wanted.unspaced) continue;
    if (word.text === wanted.text) return whole;
    if (word.unspaced ? word.text.includes(wanted.text) : word.text.startsWith(wanted.text)) worth = beginning;
  }
  return worth;
}
