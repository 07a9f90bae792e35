import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import { compileCondition, type Facts } from "../../src/policy/conditions/condition.ts";
import { OPERATORS } from "../../src/policy/conditions/operators.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { type Call, NOW, policy, problems, proposal } from "./helpers.ts";

const head = "policy: p\nworkspace: w\nowner: role:boss\n";
const calendar = 'calendar: { time_zone: Europe/Zurich, hours: [{ days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00" }] }\n';
const document = (when: string, rest = "") =>
  `${rest}actions:\n  act: { arguments: { type: object, properties: { n: {} } }, reversibility: reversible, risk: low, effects: [prod] }\n  note: { reversibility: reversible, risk: low }\nrules: [{ id: r, when: { ${when} }, raise: { risk: high }, because: b }]\n`;
const matches = (when: string, call: Call = {}, { rest = "", now = NOW } = {}): boolean => {
  const proposed = proposal(call);
  return judge([policy(document(when, rest))], { proposal: proposed, actions: proposed.actions, answers: "proposal", now }).risk === "high";
};
const at = (iso: string, rest = "") => ({ now: Date.parse(iso), rest });

describe("a condition on time", () => {
  const night = 'time: { between: ["22:00", "06:00"], days: [fri], zone: Europe/Zurich }';

  it.each([
    ["2026-11-20T22:00:00+01:00", true],
    ["2026-11-20T21:59:59+01:00", false],
    ["2026-11-21T05:59:59+01:00", true],
    ["2026-11-21T06:00:00+01:00", false],
    ["2026-11-20T05:00:00+01:00", false],
    ["2026-11-21T23:00:00+01:00", false],
  ])("over midnight belongs to the day on which it begins: %s", (iso, inside) => {
    expect(matches(night, {}, at(iso))).toBe(inside);
  });

  it("is told by the clock of its zone, through changes of the clock", () => {
    const early = 'time: { between: ["08:00", "09:00"], zone: Europe/Zurich }';
    expect([matches(early, {}, at("2026-07-01T06:30:00Z")), matches(early, {}, at("2026-12-01T06:30:00Z"))]).toEqual([true, false]);
    expect([matches(early, {}, at("2026-07-01T07:30:00Z")), matches(early, {}, at("2026-12-01T07:30:00Z"))]).toEqual([false, true]);
  });

  it("knows days, stretches and working time", () => {
    expect([
      matches("time: { days: [sat, sun], zone: UTC }", {}, at("2026-11-21T12:00:00Z")),
      matches("time: { days: [mon], zone: UTC }", {}, at("2026-11-21T12:00:00Z")),
    ]).toEqual([true, false]);
    const freeze = 'time: { from: "2026-12-20", until: "2027-01-04T08:00:00+01:00" }';
    expect(["2026-12-19T23:59:59Z", "2026-12-20T00:00:00Z", "2027-01-04T06:59:59Z", "2027-01-04T07:00:00Z"].map((iso) => matches(freeze, {}, at(iso)))).toEqual(
      [false, true, true, false],
    );
    expect(
      ["2026-11-20T12:00:00Z", "2026-11-20T18:00:00Z", "2026-11-21T12:00:00Z"].map((iso) => matches("time: { business: false }", {}, at(iso, calendar))),
    ).toEqual([false, true, true]);
  });

  it("says when it was and within what", () => {
    const proposed = proposal({});
    const v = judge([policy(document(night))], {
      proposal: proposed,
      actions: proposed.actions,
      answers: "proposal",
      now: Date.parse("2026-11-20T22:00:00+01:00"),
    });
    expect(v.matched).toMatchObject([
      {
        path: "time",
        operator: "within",
        threshold: '{"between":["22:00","06:00"],"days":["fri"],"zone":"Europe/Zurich"}',
        operand: '"2026-11-20T21:00:00.000Z"',
      },
    ]);
  });

  it.each([
    ["time: { days: [sat] }", "needs a zone such as Europe/Zurich, or a calendar"],
    ["time: { business: true }", "needs a calendar"],
    ["time: { zone: UTC }", "is empty"],
    ['time: { between: ["22:00"], zone: UTC }', "must be two times of day"],
    ['time: { between: ["22:00", "22:00"], zone: UTC }', "begins when it ends"],
    ['time: { from: "2027-01-01", until: "2026-01-01" }', "must be later than from"],
    ["time: { days: [saturday], zone: UTC }", "must be one of mon, tue"],
  ])("is refused: %s", (when, message) => {
    expect(problems(head + document(when)).join("\n")).toContain(message);
  });
});

describe("a condition on the run and the confidence", () => {
  const run = { framework: "langgraph", frameworkVersion: "1.2", threadId: "t1", step: 41, costUsd: "5.10", ended: false };
  const call: Call = { confidence: 0.9, more: { run } };

  it.each([
    ["run: { step: { above: 40 } }", true],
    ["run: { cost_usd: { above: 5 } }", true],
    ["run: { cost_usd: { above: 5.1 } }", false],
    ["run: { framework: { is: langgraph }, thread: { prefix: t } }", true],
    ["run: { framework_version: { is: '2' } }", false],
    ["run: { ended: { is: true } }", false],
  ])("%s: %s", (when, expected) => {
    expect(matches(when, call)).toBe(expected);
  });

  it("raises where the proposal brings no run, no cost or no source of its confidence", () => {
    expect(matches("run: { step: { above: 40 } }")).toBe(true);
    expect(matches("run: { cost_usd: { above: 5 } }", { more: { run: { ...run, costUsd: null } as never } })).toBe(true);
    expect(matches("confidence_source: { is: self_rating }", call)).toBe(true);
  });
});

describe("a condition on effect tags", () => {
  it("holds for actions that carry one of them", () => {
    expect([
      matches("effects: prod"),
      matches("effects: [prod]"),
      matches("effects: prod", { tool: "note" }),
      matches("not: { effects: prod }", { tool: "note" }),
    ]).toEqual([true, true, false, true]);
  });

  it("on a tag that no action carries is refused", () => {
    expect(problems(head + document("effects: pord")).join("\n")).toContain('no action has the effect "pord"; did you mean "prod"?');
  });
});

describe("a condition in CEL", () => {
  it("reads what other conditions read, and raises where it cannot be told", () => {
    const cel = "cel: \"args.n > 5.0 && agent.id == 'bot'\"";
    expect([matches(cel, { args: { n: 6 } }), matches(cel, { args: { n: 5 } }), matches(cel, { args: {} }), matches(cel, { args: { n: "6" } })]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(matches("cel: \"target.state == 'open'\"")).toBe(true);
    expect(matches("cel: \"target.state == 'open'\"", { target: { state: "shut" } })).toBe(false);
  });

  it("does not apply to an action that does not declare what it reads", () => {
    expect(matches('cel: "args.n > 5.0"', { tool: "note", args: { n: 6 } })).toBe(true);
    const declared = document('cel: "args.n > 5.0"').replace("note: {", "note: { arguments: { type: object, properties: { m: {} } },");
    const proposed = proposal({ tool: "note", args: { n: 6 } });
    expect(judge([policy(declared)], { proposal: proposed, actions: proposed.actions, answers: "proposal", now: NOW }).risk).toBe("low");
  });

  it("on an argument that nobody declares is refused, with its place", () => {
    const text = document('cel: "args.m > 5.0"').replace("note: {", "note: { arguments: { type: object },");
    expect(problems(head + text)[0]).toMatch(/^p\.yaml:\d+:\d+ rules\[0\]\.when\.cel: reads args\.m, which is declared by none of act, note/);
  });
});

describe("a comparison of an argument", () => {
  const scope = { declared: () => "yes" as const, tool: "act", effects: [], calendar: undefined };
  const thresholds: Readonly<Record<string, fc.Arbitrary<Json>>> = {
    in: fc.constantFrom(["a", "b"], [1, "a"], [null], [{ a: 1 }, "x"]),
    not_in: fc.constantFrom(["a", "b"], [1, "a"], [null], [{ a: 1 }, "x"]),
    between: fc.constant([1, 3]),
    domain_in: fc.constant(["b.test"]),
    ...Object.fromEntries(["is", "not", "contains"].map((name) => [name, fc.constantFrom<Json>("a", 1, null, true, ["a"], { a: 1 })])),
    ...Object.fromEntries(["prefix", "suffix", "glob", "matches"].map((name) => [name, fc.constantFrom("a", "ab")])),
  };
  const leaf = fc
    .constantFrom(...Object.keys(OPERATORS))
    .chain((operator) => fc.record({ operator: fc.constant(operator), threshold: thresholds[operator] ?? fc.constantFrom<Json>(0, 1, 2) }));
  const value = fc.constantFrom<Json | undefined>(undefined, null, true, 0, 1, 2, 3.5, "", "a", "ab", "x@b.test", ["a"], [1, null], [], { a: 1 }, {});
  const facts = (args: Json): Facts => ({ args, steps: { left: 1e6 }, answers: new Map() }) as unknown as Facts;

  it("at the top of the arguments comes to what it comes to anywhere else, and says what it read", () => {
    fc.assert(
      fc.property(leaf, value, ({ operator, threshold }, v) => {
        const [top, below] = ["/n", "/o/n"].map((path) => compileCondition({ args: { [path]: { operator, threshold } } }, scope));
        const held: { [key: string]: Json } = v === undefined ? {} : { n: v };
        const [direct, walked] = [top?.test(facts(held)), below?.test(facts({ o: held }))];
        expect([operator, threshold, v, direct]).toEqual([operator, threshold, v, walked]);
        const readings: { truth: number; operand: unknown }[] = [];
        top?.read(facts(held), false, readings as never);
        expect(readings.map(({ truth, operand }) => ({ truth, operand }))).toEqual((direct as number) >= 2 ? [{ truth: direct, operand: v }] : []);
      }),
      { numRuns: 2000 },
    );
  });

  it("reads nothing that an object or a list inherits", () => {
    for (const key of ["constructor", "__proto__", "length", "map", "at", "0"])
      expect([key, compileCondition({ args: { [`/${key}`]: { operator: "not", threshold: "x" } } }, scope).test(facts(["a"]))]).toEqual([
        key,
        key === "0" ? 4 : 3,
      ]);
  });
});
