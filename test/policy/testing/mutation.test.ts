import { describe, expect, it } from "vitest";
import { at } from "../../../src/policy/testing/change.ts";
import { coverageOf } from "../../../src/policy/testing/coverage.ts";
import { mutantsOf } from "../../../src/policy/testing/mutants.ts";
import { mutationScore } from "../../../src/policy/testing/mutation.ts";
import { loaded, PAY, ran, suite } from "./helpers.ts";

const pay = loaded(PAY);
const LARGE = `  - { name: large, action: pay, args: { amount: 101 }, target: { frozen: false }, expect: { route: interrupt, risk: high } }`;

describe("coverage", () => {
  it("says of each action, rule, floor and route how many cases show it from either side", () => {
    const { parts, percent } = coverageOf(pay, ran(suite([pay], LARGE)));
    expect(parts.map(({ kind, name, line, matched, notMatched }) => [kind, name, line, matched, notMatched])).toEqual([
      ["action", "pay", 6, 1, 0],
      ["action", "read", 16, 0, 0],
      ["rule", "large", 18, 1, 0],
      ["floor", "frozen", 20, 0, 1],
      ["route", "1, to role:cfo", 22, 1, 0],
    ]);
    expect(percent).toBe(50); // pay, large matched, frozen not matched, route matched: 4 of 8 sides
  });

  it("is whole when every part is shown from both sides", () => {
    const cases = `${LARGE}
  - { name: frozen, action: pay, args: { amount: 5 }, target: { frozen: true }, expect: { route: forbid } }
  - { name: small, action: pay, args: { amount: 5 }, target: { frozen: false }, expect: { route: batch } }
  - { name: read, action: read, expect: { route: allow } }`;
    expect(coverageOf(pay, ran(suite([pay], cases))).percent).toBe(100);
  });

  it("a case about another action shows nothing of a rule", () => {
    const { parts } = coverageOf(pay, ran(suite([pay], `  - { name: read, action: read, expect: { route: allow } }`)));
    expect(parts.find(({ name }) => name === "large")).toMatchObject({ matched: 0, notMatched: 0 });
  });
});

describe("mistakes put into a policy", () => {
  const whats = mutantsOf(pay.value).map(({ what }) => what);

  it("are those that people make: thresholds, operators, tiers, gates, approvals, owners, floors", () => {
    expect(whats).toEqual(
      expect.arrayContaining([
        "/amount above 100 became at_least 100",
        "/amount above 100 became below 100",
        "above: 100 became 101",
        "above: 100 became 99",
        "large was dropped",
        'risk: "high" became "medium"',
        "approvals: 2 became 1",
        "frozen raises to critical instead of forbidding",
        "frozen was dropped",
        "/frozen is true became not true",
        "route 1 was dropped",
        'owner: "role:cfo" became "role:somebody-else"',
        '"proposer" was dropped',
        "the ladder was dropped",
        'timeout: "PT10M" became "PT20M"',
        'editable: ["/amount"] became [""]',
        'reversibility: "partially" became "reversible"',
        "risk at_least high became critical",
      ]),
    );
  });

  it("are each in one place: the rest of the document is the same", () => {
    for (const mutant of mutantsOf(pay.value)) expect([mutant.what, JSON.stringify(mutant.value) === JSON.stringify(pay.value)]).toEqual([mutant.what, false]);
    expect(JSON.stringify(pay.value)).toContain('"above":100');
  });

  it("of patterns drop each alternative and the case, and of lists each member", () => {
    const of = (leaf: string) =>
      mutantsOf(
        loaded(`actions: { a: { arguments: { type: object, properties: { t: { type: string } } }, reversibility: reversible, risk: low } }
rules: [{ id: r, when: { args: { /t: ${leaf} } }, raise: { risk: high }, because: b }]`).value,
      )
        .filter(({ path }) => path.includes("/t"))
        .map(({ value, path }) => at(value, path.slice(0, 6)));
    expect(of(String.raw`{ matches: "(?i)a|b(c|\\|)" }`)).toEqual([String.raw`a|b(c|\|)`, "(?i)a|b(\\|)", "(?i)a|b(c)", "(?i)b(c|\\|)", "(?i)a"]);
    expect(of("{ in: [x, y] }").filter((v) => typeof v !== "string")).toContainEqual(["y"]);
  });

  it("shift a whole number by whole numbers, because 25.25 is the same threshold for integers", () => {
    const integers = loaded(`actions: { a: { arguments: { type: object, properties: { n: { type: integer } } }, reversibility: reversible, risk: low } }
rules: [{ id: r, when: { action: a, args: { /n: { above: 25 } } }, raise: { risk: high }, because: b }]`);
    expect(mutantsOf(integers.value).flatMap(({ what }) => (/^above: /.test(what) ? [what] : []))).toEqual(["above: 25 became 26", "above: 25 became 24"]);
    const numbers = loaded(`actions: { a: { arguments: { type: object, properties: { n: { type: number } } }, reversibility: reversible, risk: low } }
rules: [{ id: r, when: { action: a, args: { /n: { above: 25 } } }, raise: { risk: high }, because: b }]`);
    expect(mutantsOf(numbers.value).flatMap(({ what }) => (/^above: /.test(what) ? [what] : []))).toContain("above: 25 became 25.25");
  });
});

describe("the mutation score", () => {
  it("lists what no case notices with its line and the case that would", () => {
    const { survivors, killed, total } = mutationScore(pay, [suite([pay], LARGE)]);
    expect(killed).toBeGreaterThan(0);
    expect(killed + survivors.length).toBe(total);
    expect(survivors).toContainEqual({
      file: "p.yaml",
      line: 18,
      what: "above: 100 became 99",
      test: "large: a case with /amount exactly 100, and one just beside it",
    });
    expect(survivors.map(({ what }) => what)).not.toContain("large was dropped");
  });

  it("rises to 100 % with the cases that the survivors ask for", () => {
    const asking = mutationScore(pay, [suite([pay], LARGE)]);
    const cases = `${LARGE}
  - { name: exactly, action: pay, args: { amount: 100 }, target: { frozen: false }, expect: { risk: medium, owner: "role:boss", score: 30, separation: [], reversibility: partially } }
  - { name: ninety-nine, action: pay, args: { amount: 99.5 }, target: { frozen: false }, expect: { risk: medium, expires_in: PT15M, editable: [/amount], ladder: ["role:lead"] } }
  - { name: above, action: pay, args: { amount: 100.5 }, target: { frozen: false }, expect: { risk: high, approvals: 2, owner: "role:cfo", separation: [proposer, agent_owner] } }
  - { name: critical is the cfo too, action: pay, args: { amount: 100.5 }, expect: { owner: "role:cfo" } }
  - { name: frozen, action: pay, args: { amount: 5 }, target: { frozen: true }, expect: { route: forbid } }`;
    const { score, survivors } = mutationScore(pay, [suite([pay], cases)]);
    expect(survivors.map(({ what }) => what)).toEqual([]);
    expect(score).toBe(100);
    expect(score).toBeGreaterThan(asking.score);
  });

  it("counts no mistake as noticed by a case that fails anyway", () => {
    const { killed } = mutationScore(pay, [suite([pay], LARGE.replace("risk: high", "risk: low"))]);
    expect(killed).toBe(0);
  });
});
