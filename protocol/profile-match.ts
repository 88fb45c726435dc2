/** Which profiles a query finds, and in which order: the same for holders, home and client, so that pages fit together. */
import { type FoldedWord, foldedWords } from "./folding.ts";
import type { Handle, UserId } from "./identifiers.ts";
import type { ProfileTexts } from "./profile.ts";

/** The words of one profile, folded once: of each text one line, see foldedLine. */
export interface ProfileWords {
  readonly handle: string;
  readonly displayName: string;
  readonly other: string;
}

/** Before each word and after the last; folded words have neither in them. */
const SPACE = " ";
/** Before each run of a script without spaces. */
const UNSPACED_START = "\u0001";

export function profileWords(handle: Handle, { displayName, words }: ProfileTexts): ProfileWords {
  return { handle: foldedLine(handle), displayName: foldedLine(displayName), other: foldedLine(words) };
}

/** One string and not a list of words: a supernode keeps a hundred thousand of these, and looks through thousands at once. */
function foldedLine(text: string): string {
  const words = foldedWords(text).map((word) => startOf(word) + word.text);
  return words.length === 0 ? "" : words.join("") + SPACE;
}

function startOf({ unspaced }: FoldedWord): string {
  return unspaced ? UNSPACED_START : SPACE;
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

const FIELDS = ["handle", "displayName", "other"] as const;

/** How well the profile fits: 0 if some word of the query is the beginning of none of its words. */
export function matchScore(query: readonly FoldedWord[], profile: ProfileWords): number {
  let score = 0;
  for (const word of query) {
    const start = startOf(word) + word.text;
    let best = 0;
    for (const field of FIELDS) {
      const line = profile[field];
      if (!line.includes(word.unspaced ? word.text : start)) continue;
      const [whole, beginning] = WORTH[field];
      best = Math.max(best, hasWhole(line, start) ? whole : beginning);
    }
    if (best === 0) return 0;
    score += best;
  }
  return score;
}

/** @param start of a word, all of it */
function hasWhole(line: string, start: string): boolean {
  return line.includes(start + SPACE) || line.includes(start + UNSPACED_START);
}
