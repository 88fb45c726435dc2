/**
 * Under which beginnings of its words a profile is published, and by which one a query asks.
 * Not every length: a query takes the longest of these that fits, and the holders of that
 * one filter by the rest.
 */
import { toHex, utf8 } from "./bytes.ts";
import { KithError } from "./errors.ts";
import { type FoldedWord, foldedWords } from "./folding.ts";
import { SEARCH_KEY_BYTES, SearchKey } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { sha256 } from "./node-crypto.ts";

const SPACED_LENGTHS = [2, 3, 4, 6];
/** One character of these says as much as two or three letters; the shortest names have one. */
const UNSPACED_LENGTHS = [1, 2, 3];
/** Beginnings in one run of a script without spaces: a longer one is a sentence. */
const MAX_UNSPACED_STARTS = 12;
/** How many letters a character of a script without spaces is worth when words are compared. */
const UNSPACED_WORTH = 3;

/** The place of a word beginning among the supernodes (placement.ts). */
export function searchKey(term: string): SearchKey {
  return SearchKey.parse(toHex(sha256(utf8(`kith search 1\0${term}`)).subarray(0, SEARCH_KEY_BYTES)));
}

/**
 * The word beginnings of texts, the first text's first, each once; at most `maxSearchTerms`.
 * @param texts e.g. handle, display name, other words
 */
export function searchTerms(texts: readonly string[]): string[] {
  const terms = new Set<string>();
  for (const word of texts.flatMap(foldedWords)) {
    for (const term of beginnings(word)) {
      if (terms.size >= LIMITS.maxSearchTerms) return [...terms];
      terms.add(term);
    }
  }
  return [...terms];
}

function beginnings({ characters, unspaced }: FoldedWord): string[] {
  const starts = unspaced ? Math.min(characters.length, MAX_UNSPACED_STARTS) : 1;
  return Array.from({ length: starts }, (_, start) =>
    lengthsOf(unspaced)
      .filter((length) => start + length <= characters.length)
      .map((length) => characters.slice(start, start + length).join("")),
  ).flat();
}

/** A query that was understood. */
export interface SearchQuery {
  /** Folded; a profile that is found has a word that begins with each. */
  readonly words: readonly FoldedWord[];
  /** Beginnings to ask by, the most selective first; at least one. */
  readonly terms: readonly string[];
}

/** @throws KithError `too-large`, `search-too-short` */
export function parseQuery(text: string): SearchQuery {
  if (utf8(text).length > LIMITS.maxSearchTextBytes) throw queryTooLarge();
  const words = foldedWords(text);
  if (words.length > LIMITS.maxSearchWords) throw queryTooLarge();
  const terms = words
    .flatMap((word) => {
      const term = longestTerm(word);
      return term === null ? [] : [{ term, worth: worthOf(word) }];
    })
    .sort((a, b) => b.worth - a.worth)
    .map(({ term }) => term);
  if (terms.length === 0) throw new KithError("search-too-short");
  return { words, terms: [...new Set(terms)] };
}

function longestTerm({ characters, unspaced }: FoldedWord): string | null {
  const length = lengthsOf(unspaced).findLast((one) => one <= characters.length);
  return length === undefined ? null : characters.slice(0, length).join("");
}

function worthOf({ characters, unspaced }: FoldedWord): number {
  return characters.length * (unspaced ? UNSPACED_WORTH : 1);
}

function lengthsOf(unspaced: boolean): readonly number[] {
  return unspaced ? UNSPACED_LENGTHS : SPACED_LENGTHS;
}

function queryTooLarge(): KithError {
  return new KithError("too-large", { what: "a search", limit: `${LIMITS.maxSearchTextBytes} bytes` });
}
