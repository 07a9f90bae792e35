import { describe, expect, it } from "vitest";
import { compileCel } from "../../src/policy/conditions/cel.ts";
import { MAX_JUDGEMENT_STEPS } from "../../src/policy/conditions/facts.ts";

const values = {
  args: { amount: 1200.5, count: 3, list: ["a", "b"], note: "Call my lawyer", nested: { x: { y: 1 } }, "odd key": true },
  target: { state: "open" },
  agent: { id: "bot", version: "3" },
  run: { step: 12 },
  confidence: 0.9,
};
const plenty = () => ({ left: MAX_JUDGEMENT_STEPS });
const test = (text: string, given: Parameters<ReturnType<typeof compileCel>["test"]>[0] = values) => compileCel(text).test(given, plenty());

describe("a CEL expression", () => {
  it.each([
    "args.amount > 1000",
    "args.count == 3 && size(args.list) == 2 && args.list[0] == 'a'",
    "args.note.matches('(?i)LAWYER')",
    "args.list.exists(x, x == 'b') && args.list.all(x, x.size() == 1) && args.list.exists_one(x, x == 'a')",
    "args.list.map(x, x + '!') == ['a!', 'b!'] && args.list.filter(x, x > 'a').size() == 1",
    "has(args.nested.x.y) && !has(args.nested.z)",
    "target.state in ['open', 'new'] && agent.id.startsWith('b') && run.step >= 12 && confidence < 0.95",
    "args['odd key'] ? args.amount * 2.0 > 2400.0 : false",
    "'amount' in args && double('1.5') > 1.0 && int(args.count) % 2 == 1",
  ])("holds: %s", (text) => {
    expect(test(text)).toBe(true);
  });

  it.each([
    ["a field that is missing", "args.gone > 1"],
    ["an operand of another type", "args.note > 3"],
    ["a result that is no truth", "args.amount"],
    ["a variable that the proposal does not bring", "confidence > 0.5"],
    ["what every object inherits", "args.constructor == 1 || args.toString == 1 || args['__proto__'] == 1"],
    ["a division by nothing", "1 / 0 > 1"],
  ])("is unknown with %s", (_, text) => {
    expect(test(text, { args: values.args })).toBeUndefined();
  });

  it("an answer that does not hang on what is missing stands", () => {
    expect(test("args.gone > 1 || args.count == 3", values)).toBe(true);
    expect(test("args.gone > 1 && args.count == 4", values)).toBe(false);
  });

  it("tells which arguments it reads, so that it can be held against a schema", () => {
    expect(compileCel("args.a.b > 1 && has(args.c) && args.list.exists(args_x, args_x == target.y)").argumentKeys).toEqual([["a", "b"], ["c"], ["list"]]);
  });

  it.each([
    ["args.a >", "expecting"],
    ["arg.amount > 1", 'knows no variable "arg"; did you mean "args"?'],
    ["now() > 1", 'knows no function "now"'],
    ["timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')", 'knows no function "timestamp"'],
    ["args.a.matches(args.b)", "matches takes a pattern that is written out"],
    ["args.a.matches('(?=x)')", "invalid or unsupported Perl syntax"],
    ["args.list.exists(args, args == 1)", 'gives "args" a second meaning'],
    ["google.protobuf.Value{} == null", "knows no"],
    [`${"(".repeat(13)}true${")".repeat(13)}`, "nested deeper than 12"],
    [`args.a == '${"x".repeat(1000)}'`, "more than 1000"],
    [Array(120).fill("true").join("||"), "more than 200 parts"],
  ])("is refused at load: %s", (text, message) => {
    expect(() => compileCel(text)).toThrow(message);
  });
});

describe("a CEL bomb", () => {
  const list = Array.from({ length: 30_000 }, (_, i) => i % 10);
  const words = Array.from({ length: 5_000 }, (_, i) => `word ${i} aaaaaaaaaaaaaaa`);
  const text = "a".repeat(250_000);
  const bombs = [
    "args.list.all(a, args.list.all(b, args.list.all(c, a + b + c >= 0.0)))",
    "args.list.all(a, args.list.exists(b, a == b))",
    "args.list.map(a, args.text + args.text + args.text).size() > 0",
    "args.list.map(a, args.list) == args.list.map(b, args.list)",
    "args.list.all(a, args.text.contains('ab'))",
    "args.list.all(a, args.text != args.text + 'x')",
    "args.words.all(w, w.matches('(a|b|ab)*c(a{1,50}){1,10}') || true)",
    "args.text.matches('(a+)+$') || args.text.matches('(.*){10}x')",
    "args.list.map(a, a).map(a, a).map(a, a).map(a, a).map(a, a).map(a, a).size() > 0",
    "args == args && args == args && args == args && args == args && args == args && args == args",
    "args.list + args.list + args.list + args.list == args.list + args.list + args.list + args.list",
    "args.words.filter(w, w in args.words).size() > 0",
  ];

  it.each(bombs)("cannot hold the process for 100 ms, on small and on large arguments: %s", (bomb) => {
    let expression: ReturnType<typeof compileCel>;
    try {
      expression = compileCel(bomb);
    } catch (error) {
      expect((error as Error).message).toContain("too long");
      return;
    }
    for (const share of [0.001, 0.01, 0.03, 0.1, 0.3, 1]) {
      const args = { list: list.slice(0, list.length * share), words: words.slice(0, words.length * share), text: text.slice(0, text.length * share) };
      const before = process.cpuUsage();
      expression.test({ args }, plenty());
      const { user, system } = process.cpuUsage(before);
      expect([share, (user + system) / 1000 < 100]).toEqual([share, true]);
    }
  });

  it("that is only text cannot hold the compiler either", () => {
    for (const bomb of [
      "[".repeat(12) + "]".repeat(12),
      "!".repeat(999),
      "-".repeat(999),
      "a.".repeat(499),
      "args".padEnd(999, "[0]"),
      "true?".repeat(190),
      "{1:".repeat(12),
    ]) {
      const before = process.cpuUsage();
      expect(() => compileCel(bomb).test({}, plenty())).not.toThrow(RangeError);
      const { user, system } = process.cpuUsage(before);
      expect([bomb.slice(0, 20), (user + system) / 1000 < 100]).toEqual([bomb.slice(0, 20), true]);
    }
  });
});
