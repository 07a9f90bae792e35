import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { MAX_REGEX_TEXT, regex, scriptRegex } from "../../src/events/regex.ts";
import { scriptOf, visitsOf } from "../../src/events/regex-script.ts";
import { treeOf } from "../../src/events/regex-tree.ts";

/** Whether a pattern is left to RE2 where its words are in a text. */
const byRe2 = (pattern: string): boolean => {
  const tree = treeOf(pattern);
  return tree === undefined || visitsOf(tree, 1000) === Number.POSITIVE_INFINITY;
};

const atom = fc.constantFrom(
  ...["a", "b", "k", "s", "K", "S", "1", " ", "\n", "é", "\\.", "\\x41", "\\x{212A}", "\\t", "ſ", "\u{1F600}", "/", "-", "_"],
  ...[
    "[ab]",
    "[^ab]",
    "[a-k]",
    "[^k-s]",
    "[]a]",
    "[^]a]",
    "[a-]",
    "[\\w-]",
    "[^\\s]",
    "[\\S]",
    "[\\Wa]",
    "[é-ü]",
    "[[:alpha:]]",
    "[\\x41-\\x43]",
    "[.*|]",
    "[\\n ]",
  ],
  ...["\\d", "\\D", "\\w", "\\W", "\\s", "\\S", ".", "\\p{Greek}"],
  ...["\\b", "\\B", "^", "$", "\\A", "\\z"],
);
const quantifier = fc.constantFrom("", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,3}", "{2,}", "??", "*?", "+?", "{0}");
const flag = fc.constantFrom("", "", "(?i)", "(?s)", "(?m)", "(?im)", "(?is)", "(?-s)", "(?U)");
const part = fc.tuple(atom, quantifier).map((x) => x.join(""));
const sequence = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(""));
/** A short part, a run, and so on: what the engine at hand takes of runs has to be found among them. */
const running = fc
  .array(
    fc.tuple(
      fc.constantFrom("a", "k", "(?:a|1)", "[ab]{1,2}", "\\b1", "(?:ab)?", "^s", "aab", "\\b(?i:ab)[ak]", "(?m:^)(?:ab|aa){2}"),
      fc.constantFrom("\\s*", "\\s+", "[^a]*", "b*", ".*", "\\d+", "[k-s]{2,}", ""),
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .map((parts) => parts.flat().join(""));
const group = fc
  .tuple(fc.constantFrom("(", "(?:", "(?i:", "(?P<n>", "(?s-i:"), fc.array(sequence, { minLength: 1, maxLength: 3 }), quantifier)
  .map(([open, parts, times]) => `${open}${parts.join("|")})${times}`);
const pattern = fc
  .tuple(
    flag,
    fc.array(fc.oneof({ weight: 3, arbitrary: sequence }, { weight: 2, arbitrary: running }, group, flag, fc.constant("|")), { minLength: 1, maxLength: 5 }),
  )
  .map(([first, parts]) => first + parts.join(""));
const text = fc
  .array(fc.constantFrom(..."aabbkKsSſ\u212A1 \n\r\u2028._-/éÉüA", "\u{1F600}", "Ω", "ab", "aa", "\t"), { maxLength: 14 })
  .map((parts) => parts.join(""));

describe("a pattern", () => {
  it("is found in just the texts in which RE2 finds it", () => {
    const tried = { script: 0, re2: 0, found: 0, not: 0 };
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 4, maxLength: 8 }), (source, texts) => {
        let plain: RE2JS;
        try {
          plain = RE2JS.compile(source);
        } catch {
          expect(() => regex(source)).toThrow();
          return;
        }
        const find = regex(source);
        tried[byRe2(source) ? "re2" : "script"]++;
        for (const t of texts) {
          const found = plain.test(t);
          tried[found ? "found" : "not"]++;
          expect([source, t, find(t)]).toEqual([source, t, found]);
        }
      }),
      { numRuns: Number(process.env.RUNS ?? 1500) },
    );
    // It is no proof where one way is hardly taken.
    for (const count of Object.values(tried)) expect(count).toBeGreaterThan(200);
  });

  it("in which letters are folded is found in every form of them, and in none of another alphabet", () => {
    for (const [source, t] of [
      ["(?i)kiss", "\u212AIſS"],
      ["(?i)[j-l]", "\u212A"],
      ["(?i)[^j-l]", "\u212A"],
      ["(?i)\\w", "ſ"],
      ["(?i)\\W", "ſ"],
      ["(?i)\\bk", "a\u212A"],
      ["(?i)straße", "STRASSE"],
      ["(?i)über", "ÜBER"],
      ["(?i)i", "İ"],
    ] as const)
      expect([source, t, regex(source)(t)]).toEqual([source, t, RE2JS.compile(source).test(t)]);
  });

  it.each([
    "(?i)lawyer|lawsuit|attorney",
    "\\b4[0-9]{12}(?:[0-9]{3})?\\b",
    "charge-?back",
    "\\bdrop\\s+table\\b",
    "(?i)pass(word|phrase)\\s*[:=]",
    "^[a-z]+@example\\.com$",
    "x\\s*=\\d+;",
    "^A-[0-9]{1,8}$",
    "(?i)ignore (all|any) previous",
  ])("whose every try is short is tried by the engine at hand: %s", (source) => {
    expect(byRe2(source)).toBe(false);
  });

  it.each([
    "(a+)+$",
    "a*b",
    "https?://[^\\s]*\\.ru/",
    "a[a-c]*d",
    "ab*b*c",
    "ab*(?:bc)d*e",
    "(?:a|b*)c+",
    "a.*b",
    "(?:[ab].{0,30}){3}[de]",
    "(?:a?){60}a{60}",
    "((a|b|ab){1,9}){1,9}c",
    "(?i)über",
    "\\pL{3}",
    "\\Qa\\E",
  ])("whose tries may be long, or that is not read in full, is left to RE2: %s", (source) => {
    expect(byRe2(source)).toBe(true);
    expect(() => regex(source)).not.toThrow();
  });

  it("takes steps for what is read: as many for the same text every time, whether it was tried before or not", () => {
    const used = (source: string, t: string) => {
      const steps = { left: 1e9 };
      const found = regex(source)(t, steps);
      return [found, 1e9 - steps.left];
    };
    const t = `${"abxc ".repeat(400)}wire`;
    for (const source of ["(?i)wire transfer", "[ab]+x?c+[^abxc ]{3,}", "\\bwire\\b", "x.{0,20}y"]) {
      const first = used(source, t);
      regex(source)("abxc".repeat(100));
      expect(used(source, t)).toEqual(first);
      expect(first[1]).toBeGreaterThan(0);
    }
    expect(used("wire+\\s*transfer", "z".repeat(2000))[1]).toBeLessThan(used("wire+\\s*transfer", `${"z".repeat(1985)}wire - transfer`)[1] as number);
  });

  it("leaves room for a hundred others on a long text, where what it needs is not in it", () => {
    const ordinary = [
      "(?i)lawyer|lawsuit|attorney",
      "(?i)pass(word|phrase)\\s*[:=]",
      "\\bdrop\\s+table\\b",
      "https?://[^\\s]*\\.ru/",
      "\\b4[0-9]{12}(?:[0-9]{3})?\\b",
    ];
    const t = "The customer writes that the order A-1042 arrived late and in pieces. ".repeat(600).slice(0, 40_000);
    const steps = { left: 4_000_000 };
    for (let i = 0; i < 100; i++) expect(regex(ordinary[i % ordinary.length] as string)(t, steps)).toBe(false);
  });

  it("is unknown where fewer steps are left than it takes, and takes none then", () => {
    const steps = { left: 10 };
    expect(regex("lawyer")("a".repeat(1000), steps)).toBeUndefined();
    expect(steps.left).toBe(10);
    expect(regex("lawyer")("a".repeat(MAX_REGEX_TEXT + 1))).toBeUndefined();
  });

  it.each([
    ["states that multiply", (i: number) => `(?:[ab].{0,30}){3}[de]{1,${i + 1}}`, "abxc"],
    ["states as many as the text has characters", (i: number) => `[ab][abxc]{60}[de]{1,${i + 1}}$`, "abxc"],
    ["tries that end late", (i: number) => `(?:a?b?){30}(?:ab){9}[de]{1,${i + 1}}`, "ab"],
    ["long runs between short parts", (i: number) => `a{1,3} *(?:a|b){1,3}[de]{1,${i + 1}}`, `aab${" ".repeat(60)}`],
    ["long runs that are come to from many places", (i: number) => `(?:a|ab|b){1,3}c*[de]{1,${i + 1}}`, `ab${"c".repeat(20)}`],
    ["two runs", (i: number) => `(?:ab|a) *b{1,2}c*[de]{1,${i + 1}}`, `ab${"c".repeat(20)}${" ".repeat(20)}`],
    ["a run from the start of the text", (i: number) => `^[abc]*[b-e]{1,3}[de]{1,${i + 1}}f`, "abc"],
    ["words that nearly fit", (i: number) => `(?i)aaaaaaaж|aaaaaaab|aaaaaaac.${i}`, "aж"],
    ["letters that are not read in one byte", (i: number) => `ж.{0,200}c${i}`, "жb"],
    ["many short tries", (i: number) => `(?:a|b|ab|ba){1,3}[ab]{5}[de]{1,${i + 1}}`, "ab"],
    ["letters outside of Latin", (i: number) => `(?:x|ж)[abxcж]{40}[de]{1,${i + 1}}`, "abxcж"],
  ] as [string, (i: number) => string, string][])("never takes longer than its steps say: %s", (_, source, letters) => {
    let seed = 12345;
    const next = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8;
    const texts = Array.from({ length: 200 }, () => Array.from({ length: 2500 }, () => letters[next() % letters.length]).join(""));
    const finds = Array.from({ length: 40 }, (__, i) => regex(source(i)));
    const spend = () => {
      const steps = { left: 4_000_000 };
      const before = process.cpuUsage();
      for (const t of texts) for (const find of finds) if (find(t, steps) === undefined) return process.cpuUsage(before).user / 1000;
      throw new Error("the steps were not used up");
    };
    expect(Math.min(spend(), spend(), spend())).toBeLessThan(100);
  });

  it("in JavaScript's own syntax is found as the same", () => {
    expect(scriptRegex("^\\d{4}-\\d{2}$")("2025-06")).toBe(true);
    expect(scriptRegex("^\\d{4}-\\d{2}$")("2025-06x")).toBe(false);
  });

  it("is written down for the engine at hand without what means something else there", () => {
    const written = (source: string) => scriptOf(treeOf(source) as NonNullable<ReturnType<typeof treeOf>>);
    expect(written("(?i)k$")).toBe("[\\u{6b}\\u{4b}\\u{212a}]$".replace("\\u{6b}\\u{4b}", "kK"));
    expect(written("(?m)^a.$")).toBe("(?<![^\\n])a[^\\u{a}](?![^\\n])");
    expect(written("[\\s/]{2}")).toBe("(?:[\\u{9}-\\u{a}\\u{c}-\\u{d} \\u{2f}]){2,2}");
  });
});
