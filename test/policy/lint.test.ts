import { describe, expect, it } from "vitest";
import type { Finding } from "../../src/policy/lint/finding.ts";
import { lintPolicy, lintTogether } from "../../src/policy/lint/lint.ts";
import { judgeCall } from "./helpers.ts";
import { loaded } from "./testing/helpers.ts";

const HEAD = "policy: p\nworkspace: w\nowner: role:boss\n";
const lint = (text: string): readonly Finding[] =>
  lintPolicy(HEAD + text, "p.yaml", () => {
    throw new Error("no such file");
  }).findings;
const codes = (text: string, severity?: Finding["severity"]) =>
  lint(text)
    .filter((finding) => severity === undefined || finding.severity === severity)
    .map(({ code, line }) => `${line} ${code}`);

const SCHEMA =
  "{ type: object, required: [n, s, e], properties: { n: { type: number, minimum: 1, maximum: 100 }, s: { type: string }, e: { enum: [x, y] }, email: { type: string }, opt: { type: boolean } } }";
const ACT = `actions:\n  act: { arguments: ${SCHEMA}, reversibility: partially, risk: medium, card: { headline: Act } }\n`;
const GRANT = "grants: [{ id: g, when: { action: act }, lower: { risk: low }, cap: { max: 5 }, expires: 2026-06-01, evidence: e, because: b }]\n";
const rule = (when: string, rest = "raise: { risk: high }, because: b", id = "r") => `  - { id: ${id}, when: ${when}, ${rest} }\n`;

describe("lint", () => {
  it("has nothing to say about a document without mistakes", () => {
    expect(lint(`${ACT}rules:\n${rule("{ action: act, args: { /n: { above: 50 } } }")}`)).toEqual([]);
  });

  it("gives every problem that keeps a document from loading as an error with its place", () => {
    expect(lint("actions:\n  act: { reversibility: reversible, risk: hig }\n  b: { arguments: gone.json, reversibilty: reversible }\n")).toEqual([
      expect.objectContaining({ severity: "error", code: "invalid", line: 5, column: 37, message: expect.stringContaining('did you mean "high"') }),
      expect.objectContaining({ severity: "error", line: 6, column: 30, message: expect.stringContaining('did you mean "reversibility"') }),
      expect.objectContaining({ severity: "error", line: 6, message: expect.stringContaining("actions.b.reversibility: is missing") }),
    ]);
    expect(lint("actions:\n  act: { arguments: gone.json, reversibility: reversible, risk: low }\n")).toEqual([
      expect.objectContaining({ severity: "error", code: "invalid", line: 5, column: 10, message: expect.stringContaining("no such file") }),
    ]);
  });

  it.each([
    ["a comparison that the type makes impossible", "{ action: act, args: { /s: { above: 5 } } }", "error", "type-mismatch"],
    ["a pattern on a number", '{ action: act, args: { /n: { matches: "1" } } }', "error", "type-mismatch"],
    ["above the schema's maximum", "{ action: act, args: { /n: { above: 100 } } }", "warning", "never-true"],
    ["above less than its minimum", "{ action: act, args: { /n: { above: 0.5 } } }", "warning", "always-true"],
    ["below its minimum", "{ action: act, args: { /n: { below: 1 } } }", "warning", "never-true"],
    ["below more than its maximum", "{ action: act, args: { /n: { below: 101 } } }", "warning", "always-true"],
    ["a value outside the enum", "{ action: act, args: { /e: { is: z } } }", "warning", "never-true"],
    ["every value of the enum", "{ action: act, args: { /e: { in: [x, y] } } }", "warning", "always-true"],
    ["a required field that exists", "{ action: act, args: { /n: { exists: true } } }", "warning", "always-true"],
    ["a required field that does not", "{ action: act, args: { /n: { exists: false } } }", "warning", "never-true"],
    ["the same turned round", "{ action: act, not: { args: { /n: { exists: true } } } }", "warning", "never-true"],
    ["an empty range", "{ action: act, all: [{ args: { /n: { above: 50 } } }, { args: { /n: { below: 40 } } }] }", "warning", "never-true"],
    ["a pattern anywhere in an address", '{ action: act, not: { args: { /email: { matches: "@example\\\\.com" } } } }', "warning", "unanchored"],
  ] as const)("finds %s", (_, when, severity, code) => {
    expect(codes(`${ACT}rules:\n${rule(when)}`)).toEqual([`7 ${code}`]);
    expect(lint(`${ACT}rules:\n${rule(when)}`)[0]).toMatchObject({ severity, file: "p.yaml" });
  });

  it.each([
    ["exactly at the maximum", "{ action: act, args: { /n: { at_least: 100 } } }"],
    ["a value of the enum", "{ action: act, args: { /e: { is: x } } }"],
    ["a field that may be missing", "{ action: act, args: { /opt: { exists: true } } }"],
    ["an anchored pattern", '{ action: act, args: { /email: { matches: "(?i)^[a-z]+@example\\\\.com$" } } }'],
    ["a range that is not empty", "{ action: act, all: [{ args: { /n: { above: 40 } } }, { args: { /n: { below: 50 } } }] }"],
  ])("says nothing about %s", (_, when) => {
    expect(codes(`${ACT}rules:\n${rule(when)}`)).toEqual([]);
  });

  it("finds a rule that adds nothing: to the base risk, to a stronger rule, to a floor", () => {
    expect(codes(`${ACT}rules:\n${rule("{ action: act, args: { /n: { above: 50 } } }", "raise: { risk: medium }, because: b")}`)).toEqual(["7 no-effect"]);
    const same = "{ action: act, args: { /n: { above: 50 } } }";
    expect(codes(`${ACT}rules:\n${rule(same, "raise: { risk: critical }, because: b", "a")}${rule(same)}`)).toEqual(["8 shadowed-rule"]);
    expect(codes(`${ACT}floors:\n${rule(same, "forbid: true, because: b", "a")}${rule(same)}`)).toEqual(["8 shadowed-floor"]);
    const above = (n: number) => `{ action: act, args: { /n: { above: ${n} } } }`;
    const critical = "raise: { risk: critical }, because: b";
    expect(codes(`${ACT}floors:\n${rule(above(10), critical, "a")}${rule(above(50), critical)}`)).toEqual(["8 shadowed-floor"]);
    expect(codes(`${ACT}floors:\n${rule(above(50), critical, "a")}${rule(above(10), critical)}`)).toEqual(["7 shadowed-floor"]);
    const ordered = "raise: { risk: high, approvals: 2, approval_order: [role:x, role:y] }, because: b";
    expect(codes(`${ACT}rules:\n${rule(same, "raise: { risk: high, approvals: 2 }, because: b", "a")}${rule(same, ordered)}`, "warning")).toEqual([
      "7 shadowed-rule",
    ]);
  });

  it("notes an order of approval that only people with two roles can keep: the owner's, and the one whose turn it is", () => {
    const same = "{ action: act, args: { /n: { above: 50 } } }";
    const ordered = (order: string) =>
      `${ACT}rules:\n${rule(same, `raise: { risk: high, approvals: ${order.split(",").length}, approval_order: [${order}] }, because: b`)}`;
    expect(codes(ordered("role:boss"))).toEqual([]);
    const [found, ...others] = lint(ordered("role:boss, role:cfo"));
    expect([found, ...others]).toMatchObject([{ code: "two-roles", severity: "note", line: 7 }]);
    expect(found?.message).toContain("role:boss, then role:cfo, of what role:boss decides");
    const routed = (owner: string) => `${ACT}routes: [{ when: { action: act }, owner: ${owner}, approvals: 2, approval_order: [role:a, role:a] }]\n`;
    expect([codes(routed("role:a")), codes(routed("role:oncall"))]).toEqual([[], ["6 two-roles"]]);
    expect(lint(`${ordered("role:boss, role:boss")}routes: [{ when: { action: act }, owner: role:oncall }]\n`)[0]?.message).toContain(
      "of what role:oncall decides",
    );
    expect(codes(ACT.replace("risk: medium", 'risk: medium, owner: "role:x", approvals: 2, approval_order: [role:x, role:y]'))).toEqual(["5 two-roles"]);
  });

  it("notes an order of approval that nobody with one role can keep once the ladder has brought it to somebody else", () => {
    const climbing = (to: string) => `timeout: PT1H, approvals: 2, approval_order: [role:boss, role:boss], ladder: [{ to: ${to}, timeout: PT1H }]`;
    const action = (to: string) => ACT.replace("risk: medium", `risk: medium, owner: "role:boss", ${climbing(to)}`);
    const [found] = lint(action("role:manager"));
    expect(found).toMatchObject({ code: "two-roles", severity: "note", fix: expect.stringContaining("whom the ladder names") });
    expect(found?.message).toContain("of what role:manager (once it is escalated) decides");
    const route = (to: string) => `${ACT}routes: [{ when: { action: act }, owner: role:boss, ${climbing(to)} }]\n`;
    expect(codes(route("role:manager"))).toEqual(["6 two-roles"]);
    expect([codes(action("role:boss")), codes(route("role:boss"))].flat().filter((code) => code.includes("two-roles"))).toEqual([]);
  });

  it.each([
    ["under a rule that is critical", "risk: critical", "above: 50", "points: 5", ["8 shadowed-rule"]],
    ["under a rule whose own points make it critical", "points: 90", "above: 50", "points: 5", ["8 shadowed-rule"]],
    ["under a rule that is critical wherever they are", "risk: critical", "above: 20", "points: 5", ["8 shadowed-rule"]],
    ["under a rule that is critical only in part of where they are", "risk: critical", "above: 70", "points: 5", []],
    ["under a rule that is only high", "risk: high", "above: 50", "points: 5", []],
    ["with a second person, under a rule that is critical", "risk: critical", "above: 50", "points: 5, approvals: 2", []],
  ])("finds points that add nothing because nothing is above critical: %s", (_, one, where, other, found) => {
    const when = (leaf: string) => `{ action: act, args: { /n: { ${leaf} } } }`;
    expect(
      codes(`${ACT}rules:\n${rule(when(where), `raise: { ${one} }, because: b`, "a")}${rule(when("above: 50"), `raise: { ${other} }, because: b`)}`),
    ).toEqual(found);
  });

  it("finds points on an action that is critical from the start", () => {
    const points = `rules:\n${rule("{ action: act, args: { /n: { above: 50 } } }", "raise: { points: 5 }, because: b")}`;
    expect(codes(ACT + points)).toEqual([]);
    expect(codes(ACT.replace("risk: medium", "risk: critical") + points)).toContain("7 no-effect");
  });

  it.each([
    ["a rule that asks for a hard gate where there is one", "raise: { gate: hard }", "irreversible", true],
    ["a rule that asks for a hard gate where there is none", "raise: { gate: hard }", "partially", false],
    ["a rule that raises to the base and asks for nothing else", "raise: { risk: medium, approvals: 1 }", "partially", true],
    ["a rule that raises to the base and brings a second person", "raise: { risk: medium, approvals: 2 }", "partially", false],
    ["a rule that raises by points", "raise: { risk: low, points: 1 }", "partially", false],
  ])("tells apart what changes something: %s", (_, effect, reversibility, idle) => {
    const act = ACT.replace("partially", reversibility).replace(
      "card: { headline: Act }",
      "timeout: PT1H, owner: role:x, ladder: [{ to: role:y, timeout: PT5M }], card: { headline: A, if_approved: a, if_rejected: b, if_it_fails: c, rollback: d }",
    );
    expect(codes(`${act}rules:\n${rule("{ action: act, args: { /n: { above: 50 } } }", `${effect}, because: b`)}`)).toEqual(idle ? ["7 no-effect"] : []);
  });

  it("finds limits and repetitions that raise to where an action starts, but not a floor that keeps a grant away", () => {
    expect(codes(`${ACT}budgets: [{ id: b, action: act, measure: { count: true }, window: P1D, limits: [{ above: 10, raise: { risk: low } }] }]\n`)).toEqual([
      "6 no-effect",
    ]);
    expect(codes(`${ACT}duplicates: [{ id: d, action: act, window: P1D, raise: { risk: medium } }]\n`)).toEqual(["6 no-effect"]);
    const floor = `floors:\n${rule("{ action: act, args: { /n: { above: 50 } } }", "raise: { risk: medium }, because: b")}`;
    expect(codes(ACT + floor)).toEqual(["7 no-effect"]);
    expect(codes(ACT + floor + GRANT)).toEqual([]);
  });

  it("finds grants that have ended, that end soon, and that lower nothing", () => {
    const at = (day: string) =>
      lintPolicy(HEAD + ACT + GRANT, "p.yaml", () => "", Date.parse(day)).findings.map(({ severity, code, line }) => `${line} ${severity} ${code}`);
    expect(at("2026-03-01")).toEqual([]);
    expect(at("2026-05-20")).toEqual(["6 note ending-grant"]);
    expect(at("2026-06-01")).toEqual(["6 warning expired-grant"]);
    expect(lint(ACT + GRANT)).toEqual([]);
    const low = ACT.replace("risk: medium", "risk: low");
    expect(codes(`confidence: []\n${low}${GRANT}`)).toEqual(["7 no-effect"]);
    expect(codes(low + GRANT)).toEqual([]);
    expect(codes(ACT.replace("risk: medium", "risk: critical, timeout: PT1H") + GRANT, "warning")).toEqual(["6 no-effect"]);
  });

  it("never takes a floor for idle because a rule asks for as much: a grant lowers what the rule raises", () => {
    const when = (n: number) => `{ action: act, args: { /n: { above: ${n} } } }`;
    const [rules, floors] = [`rules:\n${rule(when(50), undefined, "a")}`, `floors:\n${rule(when(90))}`];
    expect(codes(ACT + rules + floors + GRANT)).toEqual([]);
    expect(codes(ACT + rules.replace("raise: { risk: high }", "forbid: true") + floors)).toEqual([]);
    expect(codes(ACT + rules.replace("rules", "floors") + floors.replace("floors:\n", "") + GRANT)).toEqual(["8 shadowed-floor"]);
    expect(codes(ACT + floors + rules.replace("above: 50", "above: 95"))).toEqual(["9 shadowed-rule"]);
  });

  it.each([
    ["roles that sign", "approvals: 2", "approval_order: [role:legal, role:cfo]", []],
    ["the same roles and one more before", "approval_order: [role:cfo]", "approval_order: [role:legal, role:cfo]", []],
    ["roles that sign anyway", "approval_order: [role:legal, role:cfo]", "approval_order: [role:cfo]", ["8 shadowed-rule"]],
    ["as many people as there are roles", "approval_order: [role:legal, role:cfo]", "approvals: 2", ["8 shadowed-rule"]],
    ["more people than there are roles", "approval_order: [role:legal, role:cfo]", "approvals: 3", []],
    ["a person, where two are asked anyway", "approvals: 2", "gate: hard", ["8 shadowed-rule"]],
    ["what only forbids where it is known", "FORBID", "risk: critical", []],
  ])("looks at who signs before it takes one rule for idle under another: %s", (_, one, other, found) => {
    const when = (n: number) => `{ action: act, args: { /n: { above: ${n} } } }`;
    const effect = (raise: string) => (raise === "FORBID" ? "forbid: true, because: b" : `raise: { ${raise} }, because: b`);
    expect(codes(`${ACT}rules:\n${rule(when(10), effect(one), "a")}${rule(when(50), effect(other))}`, "warning")).toEqual(found);
  });

  const BRANCHES = `actions:
  pay:
    arguments:
      type: object
      required: [kind, amount, to]
      oneOf:
        - { required: [cash], properties: { kind: { const: petty }, amount: { type: number, maximum: 50 }, to: { type: string, enum: [cash] }, cash: {} } }
        - { properties: { kind: { const: wire }, amount: { type: number, maximum: 100000 }, to: { type: string } } }
    reversibility: partially
    risk: medium
    card: { headline: Pay }
`;
  const floors = (...leaves: string[]) =>
    `floors:\n${leaves.map((leaf, i) => rule(`{ action: pay, args: { ${leaf} } }`, "forbid: true, because: b", `f${i}`)).join("")}`;
  it("knows of alternatives only what all of them say", () => {
    expect(codes(BRANCHES + floors("/amount: { above: 1000 }", "/to: { in: [russia, iran] }", "/kind: { is: wire }", "/cash: { exists: true }"))).toEqual([]);
    expect(codes(BRANCHES + floors("/amount: { above: 100000 }", "/kind: { is: card }"))).toEqual(["16 never-true", "17 never-true"]);
    expect(lint(BRANCHES + floors("/amount: { above: 100000 }"))[0]?.message).toContain("because the schema allows at most 100000");
    const narrowed = BRANCHES.replace("      oneOf", "      allOf: [{ properties: { amount: { maximum: 900 } } }]\n      oneOf");
    expect(codes(narrowed + floors("/amount: { above: 1000 }"))).toEqual(["17 never-true"]);
    const sometimes = BRANCHES.replace("      oneOf", "      if: { required: [cash] }\n      then: { properties: { amount: { maximum: 900 } } }\n      oneOf");
    expect(codes(sometimes + floors("/amount: { above: 1000 }"))).toEqual([]);
  });

  it.each([
    ["two values of an enum", "/e: { is: x }", "/e: { is: y }"],
    ["a value and what leaves it out", "/s: { is: a }", "/s: { not_in: [a, b] }"],
    ["a text that is too short for its start", "/s: { length_below: 4 }", "/s: { length_above: 5 }"],
    ["a range that ends where the other begins", "/n: { above: 40 }", "/n: { at_most: 40 }"],
    ["ranges of an optional number that has to be there", "/o: { above: 50 }, /e: { is: x }", "/o: { below: 10 } } }, { args: { /o: { exists: true }"],
  ])("finds what can never match: %s", (_, one, other) => {
    const when = (second: string) => `rules:\n${rule(`{ action: act, args: { ${one} }, all: [{ all: [{ args: { ${second} } }] }] }`)}`;
    const text = ACT.replace("properties: {", "properties: { o: { type: number },");
    expect(lint(text + when(other))).toMatchObject([{ code: "never-true", severity: "warning", message: expect.stringMatching(/at once: it never matches$/) }]);
  });

  it("does not say that a rule never matches which a missing value matches, nor that values exclude each other that do not", () => {
    const act = ACT.replace("properties: {", "properties: { o: { type: number }, any: {},");
    const both = (one: string, other: string, action = "action: act, ") =>
      lint(`${act}rules:\n${rule(`{ ${action}args: { ${one} }, all: [{ args: { ${other} } }] }`)}`);
    for (const [one, other] of [
      ["/o: { above: 50 }", "/o: { below: 10 }"],
      ["/any: { is: a }", "/any: { is: b }"],
    ] as const)
      expect(both(one, other)).toMatchObject([
        { code: "never-true", message: expect.stringContaining("matches only where"), fix: expect.stringContaining("exists: false") },
      ]);
    expect(both("/n: { above: 50 }", "/n: { below: 10 }", "")).toMatchObject([
      { message: expect.stringContaining("matches only where /n is missing or of another type") },
    ]);
    expect(
      judgeCall(`${act}rules:\n${rule("{ action: act, args: { /o: { above: 50 } }, all: [{ args: { /o: { below: 10 } } }] }")}`, {
        args: { n: 5, s: "", e: "x" },
      }),
    ).toMatchObject({
      matched: [
        { rule: "r", path: "/o" },
        { rule: "r", path: "/o" },
      ],
      risk: "high",
    });
    expect(both("/n: { above: 10 }", "/n: { below: 50 }")).toEqual([]);
    expect(both("/n: { at_least: 10 }", "/n: { at_most: 10 }")).toEqual([]);
    expect(both("/s: { in: [x, y] }", "/s: { not: x }")).toEqual([]);
    expect(both('/any: { is: "7" }', "/any: { is: 7 }")).toEqual([]);
    expect(both("/s: { length_above: 5 }", "/s: { prefix: a }")).toEqual([]);
  });

  it("knows that what a route says of separation stands in place of what the action says", () => {
    const rules = `rules:\n${rule("{ action: act, args: { /n: { above: 10 } } }", "raise: { separation: [agent_owner] }, because: b")}`;
    const act = ACT.replace("risk: medium", "risk: medium, separation: [agent_owner]");
    const routed = (route: string) => codes(`${act + rules}routes: [{ ${route} }]\n`).filter((found) => found.endsWith("no-effect"));
    expect(routed("when: { action: act }, owner: role:payments, separation: [proposer]")).toEqual([]);
    expect(routed("owner: role:payments, separation: []")).toEqual([]);
    expect(routed("when: { action: act }, owner: role:payments")).toEqual(["7 no-effect"]);
    expect(routed("when: { action: act }, owner: role:payments, separation: [proposer, agent_owner]")).toEqual(["7 no-effect"]);
  });

  it("does not call a comparison idle that still holds where a field is missing, or on tools that nobody describes", () => {
    const open = ACT.replace("required: [n, s, e]", "required: [s, e]");
    expect(lint(`${open}rules:\n${rule("{ action: act, args: { /n: { above: 100 } } }")}`)).toMatchObject([
      { code: "never-true", message: expect.stringContaining("only where it is missing nobody knows") },
    ]);
    expect(codes(`${open}rules:\n${rule("{ action: act, args: { /n: { below: 101 } } }")}`)).toEqual([]);
    expect(codes(`${ACT}rules:\n${rule("{ args: { /n: { above: 100 } } }")}`)).toEqual([]);
    expect(codes(`${ACT}floors:\n${rule("{ args: { /n: { above: 10 } } }", "raise: { risk: high }, because: b").replace("high", "medium")}`)).toEqual([
      "7 no-effect",
    ]);
    const critical = ACT.replace("risk: medium", "risk: critical, timeout: PT1H");
    expect(codes(`${critical}floors:\n${rule("{ args: { /n: { above: 10 } } }", "raise: { risk: critical }, because: b")}`, "warning")).toEqual([]);
  });

  const LISTS = ACT.replace("opt: {", "list: { type: array, maxItems: 3 }, short: { type: string, maxLength: 3 }, opt: {").replace(
    "[n, s, e]",
    "[n, s, e, list, short]",
  );
  it.each([
    ["a range above the maximum", "/n: { between: [106, 109] }", "never-true"],
    ["a range below the minimum", "/n: { between: [-6, 0] }", "never-true"],
    ["a range around all of it", "/n: { between: [0, 200] }", "always-true"],
    ["a number above the maximum", "/n: { is: 101 }", "never-true"],
    ["at least more than the maximum", "/n: { at_least: 100.5 }", "never-true"],
    ["a longer list than there may be", "/list: { length_above: 3 }", "never-true"],
    ["a longer text than there may be", "/short: { length_at_least: 4 }", "never-true"],
    ["a length that is always short enough", "/short: { length_at_most: 3 }", "always-true"],
  ])("finds %s", (_, leaf, code) => {
    expect(codes(`${LISTS}rules:\n${rule(`{ action: act, args: { ${leaf} } }`)}`)).toEqual([`7 ${code}`]);
  });

  it.each(["/n: { between: [50, 200] }", "/n: { is: 100 }", "/list: { length_is: 3 }", "/short: { length_above: 2 }"])(
    "says nothing about what may hold: %s",
    (leaf) => {
      expect(codes(`${LISTS}rules:\n${rule(`{ action: act, args: { ${leaf} } }`)}`)).toEqual([]);
    },
  );

  it("finds base risks that nothing starts at, and risks that nothing comes to", () => {
    const based = (risk: string) => codes(`${ACT}rules:\n${rule(`{ action: act, base_risk: { ${risk} }, args: { /n: { above: 50 } } }`)}`);
    expect(based("is: critical")).toEqual(["7 never-true"]);
    expect(based("at_least: low")).toEqual(["7 always-true"]);
    const two = ACT.replace(
      "card: { headline: Act } }",
      "card: { headline: Act } }\n  bet: { arguments: { type: object }, reversibility: partially, risk: critical, timeout: PT1H, card: { headline: B } }",
    );
    expect(codes(`${two}rules:\n${rule("{ base_risk: { is: critical } }", "raise: { approvals: 2 }, because: b")}`, "warning")).toEqual([]);
    expect(codes(`${ACT}rules:\n${rule("{ base_risk: { is: high } }", "raise: { approvals: 2 }, because: b")}`)).toEqual([]);
    const route = (risk: string) => `routes:\n  - { when: { action: act, risk: { ${risk} } }, owner: "role:a" }\n`;
    expect(codes(ACT + route("is: low"))).toEqual(["7 never-true"]);
    expect(codes(ACT + GRANT + route("is: low"))).toEqual([]);
    expect(codes(ACT + route("is: critical"))).toEqual([]);
  });

  it("finds a time that is over, once it is told what time it is", () => {
    const until = `${ACT}rules:\n${rule('{ action: act, time: { until: "2020-01-01" } }')}`;
    const at = (day: string) => lintPolicy(HEAD + until, "p.yaml", () => "", Date.parse(day)).findings.map(({ code, line }) => `${line} ${code}`);
    expect(codes(until)).toEqual([]);
    expect(at("2019-12-31")).toEqual([]);
    expect(at("2020-01-01")).toEqual(["7 never-true"]);
  });

  it.each([
    ["a tier among those before it", "risk: { at_least: high }", "risk: { is: critical }", true],
    ["a tier above those before it", "risk: { is: high }", "risk: { at_least: high }", false],
    ["a tier that is not the one before it", "risk: { not: medium }", "risk: { in: [high, critical] }", true],
    ["an exact number above a threshold", "args: { /n: { above: 10 } }", "args: { /n: { is: 20 } }", true],
    ["a range that reaches below the threshold", "args: { /n: { above: 10 } }", "args: { /n: { between: [10, 20] } }", false],
    ["a range above the threshold", "args: { /n: { at_least: 10 } }", "args: { /n: { between: [10, 20] } }", true],
    ["an exact number behind another", "args: { /n: { is: 10 } }", "args: { /n: { between: [10, 10] } }", false],
    ["the same agent", "agent: { id: { is: bot } }", "agent: { id: { is: bot } }, risk: { is: high }", true],
    ["a lower cost", "run: { cost_usd: { below: 5 } }", "run: { cost_usd: { below: 3 } }", true],
  ])("finds a route behind one that takes all of it: %s", (_, first, second, found) => {
    const routes = `routes:\n  - { when: { action: act, ${first} }, owner: "role:a" }\n  - { when: { action: act, ${second} }, owner: "role:b" }\n`;
    expect(codes(ACT + routes)).toEqual(found ? ["8 shadowed-route"] : []);
  });

  it("finds a route that another takes everything from", () => {
    const routes = `routes:\n  - { when: { action: act }, owner: "role:a" }\n  - { when: { action: act, risk: { is: high } }, owner: "role:b" }\n`;
    expect(codes(ACT + routes)).toEqual(["8 shadowed-route"]);
    expect(codes(ACT + routes.replace("act }", "act, risk: { is: critical } }"))).toEqual([]);
  });

  it("finds what reviewers will miss: schema, headline, texts, owner, timeout, ladder, edit", () => {
    expect(codes("actions:\n  act: { reversibility: irreversible, risk: high, decisions: [approve, reject] }\n")).toEqual([
      "5 no-headline",
      "5 no-ladder",
      "5 no-owner",
      "5 no-schema",
      "5 no-timeout",
      "5 not-editable",
    ]);
    expect(codes("actions:\n  act: { reversibility: irreversible, risk: high, decisions: [approve, reject] }\n", "warning")).toEqual([
      "5 no-headline",
      "5 no-schema",
      "5 no-timeout",
    ]);
    expect(
      codes(
        `actions:\n  act: { arguments: { type: object }, reversibility: irreversible, risk: high, card: { headline: Act }, owner: "role:a", timeout: PT9M, ladder: [{ to: "role:b", timeout: PT1M }] }\n`,
      ),
    ).toEqual(["5 card-text"]);
  });

  it("finds a ladder that nobody climbs, one that leads to the same owner, and one person who would have to be two", () => {
    const low = (ladder: string) =>
      `confidence: []\nactions:\n  act: { arguments: { type: object }, reversibility: reversible, risk: low, ladder: ${ladder} }\n`;
    expect(codes(low('[{ to: "role:b", timeout: PT1M }]'))).toEqual(["6 unreachable-ladder"]);
    expect(codes(low('[{ to: "role:b", timeout: PT1M }]').replace("confidence: []\n", ""))).toEqual(["5 no-headline"]);
    expect(codes(ACT.replace("risk: medium", 'risk: medium, ladder: [{ to: "role:boss", timeout: PT1M }]'))).toEqual(["5 same-owner"]);
    expect(codes(ACT.replace("risk: medium", "risk: medium, owner: dana, approvals: 2"))).toEqual(["5 one-person"]);
    expect(codes(ACT.replace("risk: medium", 'risk: medium, owner: "role:dana", approvals: 2'))).toEqual([]);
  });

  const ANN = ACT.replace("risk: medium", "risk: medium, owner: ann");
  const when = "{ action: act, args: { /n: { above: 50 } } }";
  const board = (more: string) => `routes: [{ when: { action: act, ${more} }, owner: "role:board" }]\n`;
  const two = (raise: string) => `rules:\n${rule(when, `raise: { ${raise} }, because: b`)}`;
  it.each([
    ["a rule that brings a second person", ANN + two("approvals: 2"), ["7 warning"]],
    ["a rule that brings two roles", ANN + two("approval_order: [role:a, role:b]"), ["7 warning"]],
    ["a floor that brings a second person", ANN + two("approvals: 2").replace("rules", "floors"), ["7 warning"]],
    [
      "a budget that brings a second person",
      `${ANN}budgets: [{ id: b, action: act, measure: { count: true }, window: P1D, limits: [{ above: 5, raise: { approvals: 2 } }] }]\n`,
      ["6 warning"],
    ],
    ["a repetition that brings a second person", `${ANN}duplicates: [{ id: b, action: act, window: P1D, raise: { approvals: 2 } }]\n`, ["6 warning"]],
    ["the same where a role decides", ACT.replace("risk: medium", "risk: medium, owner: role:ann") + two("approvals: 2"), []],
    ["the same where a route brings a role just then", ANN + two("risk: high, approvals: 2") + board("risk: { at_least: high }"), []],
    ["the same where the route comes only later", ANN + two("risk: high, approvals: 2") + board("risk: { is: critical }"), ["7 warning"]],
    [
      "a route with one owner for two approvals of its action",
      ACT.replace("risk: medium", "risk: medium, owner: role:a, approvals: 2") + board("risk: { is: high }").replace("role:board", "ann"),
      ["6 warning"],
    ],
    [
      "a route about the agents of its owner",
      `${ACT.replace("risk: medium", "risk: medium, separation: [agent_owner, proposer]")}routes: [{ when: { agent: { owner: { is: ann } } }, owner: ann }]\n`,
      ["6 warning"],
    ],
    [
      "a rule that separates just then",
      `${ANN}rules:\n${rule("{ action: act, agent: { owner: { in: [bob, ann] } } }", "raise: { separation: [agent_owner] }, because: b")}`,
      ["7 warning"],
    ],
    [
      "a rule that separates others",
      `${ANN}rules:\n${rule("{ action: act, agent: { owner: { is: bob } } }", "raise: { separation: [agent_owner] }, because: b")}`,
      [],
    ],
    ["one owner under separation", ACT.replace("risk: medium", "risk: medium, owner: ann, separation: [agent_owner]"), ["5 note"]],
    ["the same with a ladder", ACT.replace("risk: medium", "risk: medium, owner: ann, separation: [agent_owner], ladder: [{ to: role:b, timeout: PT1M }]"), []],
    ["two approvals of a publication", `${ACT}publish: { approval: { owner: ann, approvals: 2 } }\n`, ["6 warning"]],
    ["one approval of a publication", `${ACT}publish: { approval: { owner: ann } }\n`, ["6 note"]],
    ["a publication that a role approves", `${ACT}publish: { approval: { approvals: 2 } }\n`, []],
  ])("tells where one person would have to be two: %s", (_, text, found) => {
    expect(
      lint(text)
        .filter(({ code }) => code === "one-person")
        .map(({ line, severity }) => `${line} ${severity}`),
    ).toEqual(found);
  });

  it("does not advise to take out a route that counts where something is missing", () => {
    const routes = (n: string) =>
      `routes:\n  - { when: { action: act, args: { /${n}: { above: 10 } } }, owner: "role:a" }\n  - { when: { action: act, args: { /${n}: { above: 20 } } }, owner: "role:b" }\n`;
    const fixes = (text: string) => lint(text).map(({ code, fix }) => `${code}: ${fix}`);
    expect(fixes(ACT + routes("n"))).toEqual(["shadowed-route: move it up, or take it out"]);
    expect(fixes(ACT.replace("[n, s, e]", "[s, e]") + routes("n"))).toEqual(["shadowed-route: move it up"]);
  });

  it("finds limits of a budget at the same amount", () => {
    const budgets = `budgets: [{ id: b, action: act, measure: { sum: /n }, window: P1D, limits: [{ above: 10, raise: { risk: high } }, { above: 10, forbid: true }] }]\n`;
    expect(codes(ACT + budgets)).toEqual(["6 invalid"]);
  });
});

describe("lint of several policies", () => {
  const one = loaded(ACT.replace("risk: medium", "risk: medium, decisions: [approve]"));
  it("finds two that leave a person no decision, and two of one id", () => {
    const other = loaded(`policy: q\n${ACT.replace("risk: medium", "risk: medium, decisions: [reject]")}`);
    expect(lintTogether([one, other])).toMatchObject([
      { code: "no-decision", severity: "warning", line: 5, message: expect.stringContaining("reject here and approve in p.yaml") },
    ]);
    expect(lintTogether([one, one].map((policy) => ({ ...policy })))).toMatchObject([{ code: "same-id", severity: "error", line: 1 }]);
    expect(lintTogether([one, loaded(`policy: q\n${ACT}`)])).toEqual([]);
  });
});
