import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold, foldedWords } from "../../protocol/folding.ts";
import { Handle } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { matchScore, profileWords } from "../../protocol/profile-match.ts";
import { parseQuery, searchKey, searchTerms } from "../../protocol/search-term.ts";

const handle = Handle.parse("nobody");
const finds = (query: string, displayName: string, words = "") =>
  matchScore(parseQuery(query).words, profileWords(handle, { displayName, words })) > 0;

describe("folding", () => {
  it.each([
    ["ALICE", "alice"],
    ["Zoë", "zoe"],
    ["Ａｌｉｃｅ", "alice"],
    ["STRASSE", fold("straße")],
    ["Straẞe", "strasse"],
    ["İSTANBUL", "istanbul"],
    ["ışık", "isik"],
    ["ISIK", fold("ışık")],
    ["Ångström", "angstrom"],
    ["Łukasz Ørsted", "lukasz orsted"],
    ["Æsop", "aesop"],
    ["ΟΔΥΣΣΕΥΣ", fold("Οδυσσεύς")],
    ["Алексей", fold("АЛЕКСЕЙ")],
    ["Ёлка", fold("елка")],
    ["ﬁona", "fiona"],
    ["김철수", "김철수"],
    ["ｶﾞﾝﾀﾞﾑ", "ガンダム"],
    ["so\u00adft\u200bly", "softly"],
    ["שָׁלוֹם", "שלום"],
    ["مُحَمَّد", "محمد"],
  ])("makes %s the same as %s", (text, folded) => {
    expect(fold(text)).toBe(folded);
  });

  it.each([
    ["が", "か"],
    ["किम", "कम"],
  ])("leaves %s another word than %s, where marks are letters", (one, other) => {
    expect(fold(one)).not.toBe(fold(other));
  });

  it("twice changes nothing, for any text, and no case makes a difference", () => {
    const text = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(text, (any) => {
        expect(fold(fold(any))).toBe(fold(any));
        expect(fold(any.normalize("NFD"))).toBe(fold(any.normalize("NFC")));
      }),
      { numRuns: 1_500 },
    );
  });

  it("of every single character ends, and folds no further", () => {
    for (let point = 0; point <= 0x10ffff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      if (character === character.normalize("NFKD").toUpperCase()) continue;
      const folded = fold(character);
      if (fold(folded) !== folded) throw new Error(`U+${point.toString(16)} folds further`);
    }
  });
});

describe("words", () => {
  it("are runs of letters and digits; everything else is between them", () => {
    expect(foldedWords("Anna-Lena O’Neill_2 (Köln)").map(({ text }) => text)).toEqual([
      "anna",
      "lena",
      "o",
      "neill",
      "2",
      "koln",
    ]);
  });

  it("of scripts without spaces are told from the others", () => {
    expect(foldedWords("Kim김철수99").map(({ text, unspaced }) => [text, unspaced])).toEqual([
      ["kim", false],
      ["김철수", true],
      ["99", false],
    ]);
  });

  it("have no place in pictures and punctuation", () => {
    expect(foldedWords("🙂 … — \u0000")).toEqual([]);
  });
});

describe("word beginnings", () => {
  it("are those of two, three, four and six letters", () => {
    expect(searchTerms(["anderson", "Li"])).toEqual(["an", "and", "ande", "anders", "li"]);
  });

  it("start anywhere in a name without spaces", () => {
    expect(searchTerms(["王小明"])).toEqual(["王", "王小", "王小明", "小", "小明", "明"]);
  });

  it("are at most so many, however long the texts", () => {
    const many = Array.from({ length: 100 }, (_, index) => `word${index}x`).join(" ");
    expect(searchTerms([many])).toHaveLength(LIMITS.maxSearchTerms);
  });

  it("have places that do not depend on who computes them", () => {
    expect(searchKey("an")).toBe(searchKey("an"));
    expect(searchKey("an")).not.toBe(searchKey("and"));
  });
});

describe("a query", () => {
  it("is asked by its most selective word first", () => {
    expect(parseQuery("An Kowalska Maria").terms).toEqual(["kowals", "mari", "an"]);
    expect(parseQuery("abe 小明").terms).toEqual(["小明", "abe"]);
  });

  it.each(["", "   ", "a", "🙂", "é", "*", "%", ". - _", "a b c"])("of %j is too short", (text) => {
    expect(() => parseQuery(text)).toThrow(expect.objectContaining({ code: "search-too-short" }));
  });

  it.each([
    ["ten kilobytes of text", "a".repeat(10_000)],
    ["a crowd of words", "ab ".repeat(9)],
    ["few letters of many bytes", "王".repeat(90)],
    ["one ligature that unfolds", "\ufdfa".repeat(90)],
  ])("of %s is refused", (_, text) => {
    expect(() => parseQuery(text)).toThrow(expect.objectContaining({ code: "too-large" }));
  });

  it("may have one character of a name that has no more", () => {
    expect(finds("王", "王伟")).toBe(true);
    expect(finds("伟", "王伟")).toBe(true);
  });

  it("whose folded words are longer than it was still fits, or is refused with a code", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 64 }), (text) => {
        try {
          for (const term of parseQuery(text).terms) expect(term.length).toBeGreaterThan(0);
        } catch (error) {
          expect(["search-too-short", "too-large"]).toContain((error as { code: string }).code);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a match", () => {
  it("needs every word of the query to begin some word of the profile", () => {
    expect(finds("ann kow", "Anna Kowalska")).toBe(true);
    expect(finds("kow ann", "Anna Kowalska")).toBe(true);
    expect(finds("ann now", "Anna Kowalska")).toBe(false);
    expect(finds("walska", "Anna Kowalska")).toBe(false);
    expect(finds("anna j", "Anna Jones")).toBe(true);
    expect(finds("berlin", "Anna", "chess, Berlin")).toBe(true);
  });

  it("is found by the very terms under which the profile is published", () => {
    const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(names, fc.nat(12), (name, cut) => {
        const [word] = foldedWords(name);
        if (!word) return;
        const start = word.unspaced ? cut % word.characters.length : 0;
        const typed = word.characters.slice(start, start + 1 + (cut % 7)).join("");
        let terms: readonly string[];
        try {
          terms = parseQuery(typed).terms;
        } catch {
          return;
        }
        expect(searchTerms([name])).toContain(terms[0]);
        expect(finds(typed, name)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("of a whole name ranks before that of a beginning, and names before other words", () => {
    const score = (displayName: string, words: string) =>
      matchScore(parseQuery("anna").words, profileWords(handle, { displayName, words }));
    const scores = [score("Anna", ""), score("x", "Anna"), score("Annabel", ""), score("x", "Annabel")];
    expect(scores.toSorted((a, b) => b - a)).toEqual(scores);
    expect(new Set(scores).size).toBe(4);
  });
});
