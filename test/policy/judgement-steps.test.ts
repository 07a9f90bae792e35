import { describe, expect, it } from "vitest";
import { judge } from "../../src/policy/judgement/judge.ts";
import type { VerdictBody } from "../../src/policy/judgement/verdict.ts";
import { type Call, NOW, policy, proposal, verdict } from "./helpers.ts";

const SCHEMA =
  "{ type: object, properties: { l: { type: array, items: { type: number } }, note: { type: string }, to: { type: array }, n: { type: number } } }";
const document = (rules: readonly string[]) => `
actions:
  act: { arguments: ${SCHEMA}, reversibility: reversible, risk: low }
rules:
${rules.map((when, i) => `  - { id: r${String(i).padStart(2, "0")}, when: ${when}, raise: { risk: high }, because: "rule ${i}" }`).join("\n")}`;
const times = (n: number, when: (i: number) => string) => Array.from({ length: n }, (_, i) => when(i));

const CEL = (i: number) => `{ cel: "args.l.filter(x, x >= 0.0).size() > ${100_000 + i}" }`;
const PATTERN = (i: number) => `{ args: { /note: { matches: "([ab]+x?c?)+[^abxc]{1,${(i % 9) + 1}}" } } }`;
const DOMAINS = (i: number) => `{ args: { /to: { domain_in: [x${i}.test] } } }`;
const LIST: Call = { args: { l: Array.from({ length: 4500 }, (_, i) => i), n: 1 }, confidence: 1 };
const TEXT: Call = { args: { note: "abxc".repeat(10_000), n: 1 }, confidence: 1 };
const ADDRESSES: Call = { args: { to: Array.from({ length: 9_000 }, (_, i) => `p${i}@elsewhere.test`), n: 1 }, confidence: 1 };
const many = <T>(n: number, one: (i: number) => T) => Array.from({ length: n }, (_, i) => one(i));
/** Letters in no order that an engine could remember: each of them leads it to a state of its own. */
const MIXED: Call = { args: { note: many(4000, (i) => "abxc"[Math.floor(((i * 7919) % 10_007) / 7) % 4]).join("") }, confidence: 1 };
const URIS: Call = { args: { to: many(60, () => `http://${"a".repeat(4000)}%`) }, confidence: 1 };
const OBJECTS: Call = { args: { l: many(4, () => many(800, (i) => ({ i, text: "as long as a name" }))) }, confidence: 1 };
const DEEP: Call = { args: JSON.parse(`${'{"a":'.repeat(30)}1${"}".repeat(30)}`), confidence: 1 };
const NAMES: Call = { args: { o: Object.fromEntries(many(2_000, (i) => [`k${i}`, i])) }, confidence: 1 };

const cpu = (work: () => unknown): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

function judging(text: string, ...calls: Call[]): () => VerdictBody {
  const [compiled, proposed] = [policy(text), proposal(...calls)];
  return () => judge([compiled], { proposal: proposed, actions: proposed.actions, answers: "proposal", now: NOW }) as VerdictBody;
}

describe("one judgement", () => {
  it.each([
    ["30 CEL expressions over a long list", times(30, CEL), [LIST]],
    ["30 patterns on a long text", times(30, PATTERN), [TEXT]],
    ["30 lists of domains on many addresses", times(30, DOMAINS), [ADDRESSES]],
    ["a plan of ten steps with 30 CEL expressions each", times(30, CEL), times(10, () => "").map(() => LIST)],
    ["both kinds together", [...times(15, CEL), ...times(15, PATTERN)], [{ args: { ...(LIST.args as object), ...(TEXT.args as object) }, confidence: 1 }]],
  ] as [string, string[], Call[]][])("takes less than 100 ms more than without rules for %s, and what was not reached raises", (_, rules, calls) => {
    const [bare, full] = [judging(document(["{ args: { /n: { above: 9 } } }"]), ...calls), judging(document(rules), ...calls)];
    const none = Math.min(cpu(bare), cpu(bare));
    expect(Math.min(cpu(full), cpu(full), cpu(full)) - none).toBeLessThan(100);
    expect(bare().route).toBe("allow");
    expect(full()).toMatchObject({ route: "interrupt", risk: "high" });
    expect(full().because.some((text) => /in time\)|too long to be checked\)|is of another type\)/.test(text))).toBe(true);
  });

  it.each([
    ["patterns on long texts", "{ properties: { note: { not: { anyOf: [PATTERNS] } } } }", MIXED],
    ["formats of long texts", "{ properties: { to: { items: { anyOf: [{ format: uri }, true] } } } }", URIS],
    ["items that must differ", "{ properties: { l: { items: { uniqueItems: true } } } }", OBJECTS],
    ["recursion that doubles", "{ properties: { a: { allOf: [{ $ref: '#' }, { $ref: '#' }] } } }", DEEP],
    [
      "names of many fields",
      "{ properties: { o: { propertyNames: { allOf: [{ pattern: '^k[0-9]+$' }, { pattern: '^k' }, { pattern: '[0-9]$' }, { maxLength: 9 }] } } } }",
      NAMES,
    ],
  ] as [string, string, Call][])("takes less than 100 ms more for a plan of ten steps whose schema wants %s", (_, schema, call) => {
    const patterns = times(40, (i) => `{ pattern: 'a[abxc]{14}[de]{1,${i + 1}}[0-9]' }`).join(", ");
    const written = (arguments_: string) => `
actions:
  act: { arguments: ${arguments_}, reversibility: reversible, risk: low }`;
    const plan = times(10, () => "").map(() => call);
    const [bare, full] = [judging(written("true"), ...plan), judging(written(schema.replace("PATTERNS", patterns)), ...plan)];
    full(); // what is compiled to tell all that is wrong is compiled once
    const none = Math.min(cpu(bare), cpu(bare));
    expect(Math.min(cpu(full), cpu(full), cpu(full)) - none).toBeLessThan(100);
    expect(full()).toMatchObject({
      route: "forbid",
      error: { code: "schema_invalid", message: expect.stringMatching(/cannot be checked: .* more than \d+ steps, which/) },
    });
    expect(full()).toEqual(full());
  });

  it("has room for large arguments whose schema is an ordinary one", () => {
    const schema =
      "{ type: object, properties: { note: { type: string, pattern: '^[abcx]+$' }, to: { type: array, uniqueItems: true, items: { type: string, format: email } }, l: { type: array, items: { type: number } } }, required: [note], additionalProperties: false }";
    const to = Array.from({ length: 1000 }, (_, i) => `p${i}@elsewhere.test`);
    const body = judging(`\nactions:\n  act: { arguments: ${schema}, reversibility: reversible, risk: low }`, {
      args: { note: "abxc".repeat(10_000), to, l: (LIST.args as { l: number[] }).l },
      confidence: 1,
    })();
    expect(body).toMatchObject({ route: "allow", error: null });
  });

  it("comes to the same verdict every time, whatever was judged before it and in whatever order its rules stand", () => {
    const rules = [...times(12, CEL), ...times(12, PATTERN)];
    const args = { ...(LIST.args as object), ...(TEXT.args as object) };
    const first = verdict([policy(document(rules))], proposal({ args, confidence: 1 }));
    judging(document(times(30, CEL)), LIST)();
    expect(verdict([policy(document(rules))], proposal({ args, confidence: 1 }))).toEqual(first);
    const turned = document(rules).replace(/rules:\n([\s\S]*)$/, (_, list: string) => `rules:\n${list.split("\n").reverse().join("\n")}`);
    const again = verdict([policy(turned)], proposal({ args, confidence: 1 }));
    expect({ ...again, policy: null }).toEqual({ ...first, policy: null });
  });

  it("answers every rule where the arguments are of an ordinary size", () => {
    const rules = [...times(20, CEL), ...times(10, PATTERN), ...times(10, DOMAINS)];
    const args = { l: Array.from({ length: 20 }, (_, i) => i), note: "abxc".repeat(500), to: Array.from({ length: 100 }, (_, i) => `p${i}@elsewhere.test`) };
    expect(judging(document(rules), { args, confidence: 1 })()).toMatchObject({ route: "allow", matched: [] });
  });

  it("is told by what it was judged: a rule that held says why, one for which nothing was left says so", () => {
    const body = judging(document([...times(30, CEL), "{ args: { /n: { is: 1 } } }"]), LIST)();
    expect(body.because).toContain("rule 30");
    expect(body.because).toContain("rule 29 (could not be checked: cel has no answer for these values, or none in time)");
    const long = judging(document(times(30, PATTERN)), TEXT)();
    expect(long.because).toContain("rule 29 (could not be checked: /note takes too long to be checked)");
    expect(long.matched.every(({ path }) => path === "/note")).toBe(true);
  });

  it("never lets a grant loosen by what it could not read", () => {
    const text = `${document(times(30, CEL))}
grants:
  - { id: g, when: { action: act, cel: "args.l.filter(x, x >= 0.0).size() > 1" }, lower: { risk: low }, evidence: "e", expires: "2099-01-01", cap: { max: 9, window: P1D }, because: b }`;
    expect(() => policy(text)).not.toThrow();
    expect(judging(text, LIST)()).toMatchObject({ route: "interrupt" });
  });
});
