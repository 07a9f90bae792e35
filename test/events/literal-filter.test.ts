import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { literalsOf } from "../../src/events/literal-filter.ts";
import { regex } from "../../src/events/regex.ts";

describe("the literals of a pattern", () => {
  it.each([
    ["(?i)lawyer|LawSuit", { words: ["lawyer", "lawsuit"], fold: true }],
    ["(?i)pass(word|phrase)\\s*[:=]", { words: ["pass"], fold: true }],
    ["\\bdrop\\s+table\\b", { words: ["table"], fold: false }],
    ["https?://", { words: ["http"], fold: false }],
    ["ab{2}cde", { words: ["cde"], fold: false }],
    ["a\\.b\\-c", { words: ["a.b-c"], fold: false }],
    ["[(|]abc[])]", { words: ["abc"], fold: false }],
  ])("%s are told", (pattern, literals) => {
    expect(literalsOf(pattern)).toEqual(literals);
  });

  it.each(["abc|x", "\\d{16}", "(?s)abc", "a(?i)bcd", "\\Qabc\\E", "\\x41bc", "(abc)?", "abc|", "[[:alpha:]]abc"])(
    "%s are not told: it is always tried",
    (pattern) => {
      expect(literalsOf(pattern)).toBeUndefined();
    },
  );

  it("never change what a pattern finds", () => {
    const word = fc.constantFrom("abc", "Lawyer", "drop", "k", "sue", "K", "s", "/x", "\u212A", "ſue", "é");
    const tail = fc.constantFrom("", "?", "*", "+", "{2}", "{0,2}", "\\b", "|", "$", "^", ".", "\\s+", "\\.", "\\d");
    const part = fc.oneof(
      fc.tuple(word, tail).map((x) => x.join("")),
      fc.tuple(word, word, tail).map(([a, b, t]) => `(${a}|${b})${t}`),
      fc.tuple(word, tail).map(([a, t]) => `[${a.replaceAll("/", "")}]${t}`),
    );
    const pattern = fc.tuple(fc.constantFrom("", "(?i)"), fc.array(part, { minLength: 1, maxLength: 5 })).map(([flag, parts]) => flag + parts.join(""));
    const text = fc.array(fc.oneof(word, fc.constantFrom(" ", ".", "LAWYER", "SUE", "DROP", "abcabc", "1")), { maxLength: 8 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 3, maxLength: 6 }), (source, texts) => {
        let plain: RE2JS;
        try {
          plain = RE2JS.compile(source);
        } catch {
          return;
        }
        const filtered = regex(source);
        for (const t of texts) expect([source, t, filtered(t)]).toEqual([source, t, plain.test(t)]);
      }),
      { numRuns: 3000 },
    );
  });
});
