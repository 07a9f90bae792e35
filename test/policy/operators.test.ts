import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { MAX_JUDGEMENT_STEPS } from "../../src/policy/conditions/facts.ts";
import { OPERATORS } from "../../src/policy/conditions/operators.ts";
import { MAX_REGEX_STEPS, MAX_REGEX_TEXT, regex } from "../../src/policy/conditions/regex.ts";

const test = (operator: string, threshold: Json, value: Json) => OPERATORS[operator]?.compile(threshold)(value, { left: MAX_JUDGEMENT_STEPS });

describe("an operator", () => {
  const table: [string, Json, yes: Json[], no: Json[], unknown: Json[]][] = [
    ["is", 1000, [1000], [999, null], ["1000", [1000]]],
    ["is", { a: [1, 2] }, [{ a: [1, 2] }], [{ a: [2, 1] }], ["{}"]],
    ["not", "paid", ["open", null], ["paid"], [1]],
    ["in", ["a", "b"], ["a"], ["c", null], [1]],
    ["not_in", ["a", "b"], ["c"], ["a"], [true]],
    ["above", 10, [10.5], [10, -1], ["11", null, [11]]],
    ["at_least", 10, [10], [9.99], ["10"]],
    ["below", 10, [9], [10], [""]],
    ["at_most", 10, [10], [10.01], [{}]],
    ["between", [1, 3], [1, 2, 3], [0, 3.1], ["2"]],
    ["contains", "ab", ["cabs", ["ab"], [3, "ab"]], ["AB", ["abc"], [], ["a", null]], [3, ["a", 3]]],
    ["contains", 7, [[7], ["7", 7]], [[8], []], [["7"], ["8"], 7, "7"]],
    ["prefix", "ab", ["abc"], ["cab"], [["ab"]]],
    ["suffix", "ab", ["cab"], ["abc"], [null]],
    ["glob", "pay*-?", ["payments-a", "pay\n-b"], ["payments-", "xpay-a", "payments-ab"], [1]],
    ["glob", "a.b", ["a.b"], ["axb", "a.b\n"], []],
    ["matches", "(?i)law(yer|suit)", ["the LAWYER"], ["law"], [7, "x".repeat(MAX_REGEX_TEXT + 1)]],
    ["length_above", 2, [[1, 2, 3], "abc"], [[1, 2], "👍👍"], [3]],
    ["length_is", 0, [[], ""], ["a"], [null]],
    [
      "domain_in",
      ["example.com"],
      ["Bob@EXAMPLE.com", "b@example.com.", ["a@example.com", "b@example.com"]],
      ["b@example.com.evil.test", "b@sub.example.com", ["x@evil.test"]],
      [],
    ],
    ["domain_in", ["*.example.com"], ["b@a.example.com"], ["b@example.com", "b@aexample.com"], []],
  ];
  it.each(table)("%s %j holds, fails, or cannot be told", (operator, threshold, yes, no, unknown) => {
    for (const value of yes) expect([value, test(operator, threshold, value)]).toEqual([value, true]);
    for (const value of no) expect([value, test(operator, threshold, value)]).toEqual([value, false]);
    for (const value of unknown) expect([value, test(operator, threshold, value)]).toEqual([value, undefined]);
  });

  it.each([
    "x@evil.test,y@example.com",
    "a@b@example.com",
    "<x@evil.test> y@example.com",
    "Bob <b@example.com>",
    "example.com",
    "a b@example.com",
    "",
    ["a@example.com", "x@evil.test"],
    [],
  ])("domain_in does not vouch for what is not one plain address, or only in part: %j", (value) => {
    expect(test("domain_in", ["example.com"], value as Json)).toBeUndefined();
  });

  it.each([
    ["above", "10"],
    ["between", [3, 1]],
    ["between", [1]],
    ["in", []],
    ["in", "a"],
    ["domain_in", ["b@example.com"]],
    ["matches", "(a)\\1"],
    ["matches", "(?<=a)b"],
    ["matches", "a{1000}{1000}"],
    ["matches", "x".repeat(1001)],
    ["glob", ""],
  ] as [string, Json][])("%s refuses the threshold %j at load", (operator, threshold) => {
    expect(() => OPERATORS[operator]?.compile(threshold)).toThrow();
  });

  it.each([
    ...["(a+)+$", "(a|a)*$", "(.*)(.*)(.*)(.*)(.*)b", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$", "[ab]*a[ab]{200}c", "(a.{0,200}b){5}c[^a]", "a[ab]{999}c"],
    ...["(a?){500}a{300}", "(.{1,30}){30}x", "((a|b)*(c|d)*){50}z", "a.{900}b", "(a|b|ab|ba|aab){300}x", "([ab]{1,9}){90}c", String.raw`(\w+\d*){200}#`],
  ])("a pattern cannot hold the process for 100 ms, whatever the text: %s", (pattern) => {
    const find = regex(pattern);
    const took = (text: string) => {
      const before = process.cpuUsage();
      find(text);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    // The longest text that it is tried on, shorter ones, and one that is too long; with the letters that a literal of the pattern asks for.
    const longest = Math.floor(MAX_REGEX_STEPS / find.size);
    const most = [500, 5_000, MAX_REGEX_TEXT, longest / 8, longest / 4, longest / 2, longest, longest + 1];
    for (const length of [...new Set(most.map((n) => Math.floor(Math.min(n, MAX_REGEX_TEXT))))])
      for (const unit of ["a", "ab", "aab b", "ab1 "])
        expect([length, unit, took(`xyzc#${unit.repeat(Math.ceil(length / unit.length))}`.slice(0, length - 5).concat("bxyzc#")) < 100]).toEqual([
          length,
          unit,
          true,
        ]);
  });
});
