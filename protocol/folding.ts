/**
 * Text as a search compares it. Two spellings that a person takes for the same name fold
 * to the same text: capitals, accents, full-width letters and invisible characters make no
 * difference. Folding twice changes nothing.
 */

/** Letters that Unicode does not decompose, as people type them who lack the key. */
const PLAIN: Readonly<Record<string, string>> = {
  æ: "ae",
  œ: "oe",
  ø: "o",
  ł: "l",
  đ: "d",
  ð: "d",
  þ: "th",
  ħ: "h",
  ŧ: "t",
  ı: "i",
  ς: "σ",
};
const PLAIN_LETTERS = new RegExp(`[${Object.keys(PLAIN).join("")}]`, "gu");

/**
 * Accents, points and harakat go. Vowel signs of Indic and South-East Asian scripts stay,
 * since they are letters in all but name; so do the two kana marks (U+3099, U+309A).
 */
const ACCENTS = /(?![\u3099\u309a])(?=\p{M})[\p{sc=Inherited}\p{sc=Hebrew}\p{sc=Arabic}\u0483-\u0487]/gu;
/** Soft hyphens, joiners, directions: they show nothing. */
const INVISIBLE = /\p{Cf}/gu;

/** After NFKD a casing may decompose further; more than three rounds were never seen, and a test looks for them. */
const MAX_ROUNDS = 8;

export function fold(text: string): string {
  let folded = text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const before = folded;
    folded = foldOnce(before);
    if (folded === before) break;
  }
  return folded;
}

/** Capitals first, then small letters: that makes ß of STRASSE and of straße the same, and the dotless i an i. */
function foldOnce(text: string): string {
  return text
    .normalize("NFKD")
    .replace(ACCENTS, "")
    .replace(INVISIBLE, "")
    .toUpperCase()
    .toLowerCase()
    .normalize("NFKD")
    .replace(ACCENTS, "")
    .replace(PLAIN_LETTERS, (letter) => PLAIN[letter] ?? letter)
    .normalize("NFKC");
}

/** Scripts that are written without spaces between words: a name may be looked for from its middle. */
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Bopomofo}\u30fc]/u;
const RUNS = /[\p{L}\p{N}\p{M}\u30fc]+/gu;

/** A run of letters and digits of one kind, folded. */
export interface FoldedWord {
  /** Its characters (code points, not UTF-16 units). */
  readonly characters: readonly string[];
  readonly text: string;
  /** Of a script without spaces: any place in it may be the beginning of a word. */
  readonly unspaced: boolean;
}

/** The words of a text, folded, in their order; what is neither letter nor digit separates them. */
export function foldedWords(text: string): FoldedWord[] {
  const words: FoldedWord[] = [];
  for (const [run] of fold(text).matchAll(RUNS)) {
    let characters: string[] = [];
    let unspaced = false;
    for (const character of run) {
      const isUnspaced = UNSPACED.test(character);
      if (isUnspaced !== unspaced && characters.length > 0) {
        words.push({ characters, text: characters.join(""), unspaced });
        characters = [];
      }
      unspaced = isUnspaced;
      characters.push(character);
    }
    if (characters.length > 0) words.push({ characters, text: characters.join(""), unspaced });
  }
  return words;
}
