import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, sha256 } from "../../src/events/canonical.ts";
import type { VerdictReached } from "../../src/events/types.generated.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy } from "../../src/policy/document.ts";
import { judge } from "../../src/policy/judge.ts";
import { NOW, proposal, verdict } from "./helpers.ts";

const ROUTES = ["allow", "batch", "interrupt", "forbid"];
const TIERS = ["low", "medium", "high", "critical"];
const GATES = ["none", "audit", "soft", "hard"];

const tier = fc.constantFrom(...TIERS);
const leaf = fc.oneof(
  fc.record({ above: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ at_most: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ is: fc.constantFrom(1, 10, "a", null) }),
  fc.record({ in: fc.constant([1, 2, "a"]) }),
  fc.record({ matches: fc.constantFrom("a+", "^b") }),
  fc.record({ domain_in: fc.constant(["example.com"]) }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ length_above: fc.integer({ min: 0, max: 3 }) }),
);
const path = fc.constantFrom("/n", "/s", "/list", "/gone");
const { condition } = fc.letrec<{ condition: Record<string, unknown> }>((tie) => ({
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ args: fc.tuple(path, leaf).map(([p, l]) => ({ [p]: l })) }),
    fc.record({ confidence: fc.record({ below: fc.constantFrom(0.3, 0.8) }) }),
    fc.record({ target: fc.record({ "/state": fc.record({ is: fc.constantFrom("open", "shut") }) }) }),
    fc.record({ base_risk: fc.record({ at_least: tier }) }),
    fc.record({ not: tie("condition") }),
    fc.record({ all: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }) }),
  ),
}));
const raise = fc.oneof(
  fc.record({ raise: fc.record({ risk: tier }) }),
  fc.record({ raise: fc.record({ points: fc.double({ min: 0, max: 50, noNaN: true }) }) }),
  fc.record({ raise: fc.record({ approvals: fc.integer({ min: 1, max: 3 }) }) }),
  fc.record({ raise: fc.constant({ gate: "hard" }) }),
  fc.record({ forbid: fc.constant(true) }),
);
const rule = fc.tuple(fc.option(condition, { nil: undefined }), raise).map(([when, effect]) => ({ ...(when === undefined ? {} : { when }), ...effect }));
const rules = fc.array(rule, { maxLength: 6 }).map((list) => list.map((r, i) => ({ id: `r${i}`, because: `reason ${i}`, ...r })));

const SCHEMA = { type: "object", properties: { n: {}, s: {}, list: {}, gone: {} } };
const action = fc
  .record({ reversibility: fc.constantFrom("reversible", "partially", "irreversible"), risk: tier, soft: fc.boolean(), hard: fc.boolean() })
  .map(({ reversibility, risk, soft, hard }) => ({
    arguments: SCHEMA,
    reversibility,
    risk,
    ...(hard || reversibility === "irreversible"
      ? { gate: { kind: "hard" } }
      : soft
        ? { gate: { kind: "soft", from_risk: "high", below_confidence: 0.5 } }
        : {}),
  }));

const args = fc.dictionary(
  fc.constantFrom("n", "s", "list", "x"),
  fc.oneof(fc.integer({ min: 0, max: 25 }), fc.constantFrom("a", "b@example.com", "b@evil.test", "aab"), fc.constant(null), fc.constant([1, "a"])),
);
const call = fc.record({
  args,
  confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  target: fc.option(fc.record({ state: fc.constantFrom("open", "shut") }), { nil: undefined }),
});

type Rules = Record<string, unknown>[];
const compiled = (act: object, list: Rules, layer: "rules" | "floors" = "rules") =>
  compilePolicy(parsePolicy(JSON.stringify({ policy: "p", version: "1", workspace: "w", owner: "role:boss", actions: { act }, [layer]: list })));

/** Everything of a verdict but the reference to the document's text. */
const body = ({ policy: _, ...rest }: VerdictReached) => rest;

function atLeast(severe: VerdictReached, mild: VerdictReached): void {
  for (const [scale, key] of [
    [ROUTES, "route"],
    [TIERS, "risk"],
    [GATES, "gate"],
  ] as const)
    expect(scale.indexOf(severe[key])).toBeGreaterThanOrEqual(scale.indexOf(mild[key]));
  expect(severe.score).toBeGreaterThanOrEqual(mild.score);
  if (severe.route === mild.route) expect(severe.approvals).toBeGreaterThanOrEqual(mild.approvals);
}

const gateOf = fc.constantFrom(
  { kind: "none" },
  { kind: "soft", from_risk: "critical" },
  { kind: "audit", window: "PT24H", from_risk: "critical" },
  { kind: "audit", window: "PT24H", review: "run_end" },
);
const loosening = fc
  .record({ risk: fc.constantFrom("low", "medium"), gate: gateOf, when: fc.option(condition, { nil: undefined }) })
  .map(({ risk, gate, when }) => ({
    when: { action: "a*", ...(when === undefined ? {} : { all: [when] }) },
    lower: { risk, gate },
    cap: { max: 1000 },
    expires: "2100-01-01",
    evidence: "e",
    because: "granted",
  }));
const grants = fc.array(loosening, { maxLength: 3 }).map((list) => list.map((grant, i) => ({ id: `g${i}`, ...grant })));
const open = fc
  .record({ reversibility: fc.constantFrom("reversible", "partially"), risk: tier, gate: gateOf })
  .map((parts) => ({ arguments: SCHEMA, ...parts }));

/** A document in which everything loosens that can. */
const loose = (act: object, list: Rules, given: Rules, mode = "enforce") =>
  compilePolicy(
    parsePolicy(
      JSON.stringify({
        policy: "p",
        version: "1",
        workspace: "w",
        owner: "role:boss",
        mode,
        defaults: { annotations: "trust" },
        // Never reached by the call: it only lets the grants name an action that they may loosen.
        actions: { act, another: { reversibility: "reversible", risk: "low" }, ab: { arguments: SCHEMA, reversibility: "reversible", risk: "low" } },
        rules: list,
        grants: given,
      }),
    ),
  );

describe("laws of the judge", () => {
  it("nothing makes an irreversible action flow: no rule, grant, mode, gate, annotation or confidence", () => {
    const hints = fc.constantFrom({}, { annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false } });
    fc.assert(
      fc.property(hints, tier, rules, grants, fc.constantFrom("enforce", "shadow", "off"), call, (hint, risk, list, given, mode, proposed) => {
        const act = { arguments: SCHEMA, reversibility: "irreversible", risk, ...hint };
        const v = verdict([loose(act, list, given, mode)], proposal({ ...proposed, confidence: proposed.confidence ?? 1 }));
        expect(["interrupt", "forbid"]).toContain(v.route);
        expect(v.gate).toBe("hard");
      }),
      { numRuns: 100 },
    );
  });

  it("a grant never raises anything, and never touches what is critical, forbidden or under a floor", () => {
    fc.assert(
      fc.property(open, rules, grants, call, (act, list, given, proposed) => {
        const strict = verdict([loose(act, list, [])], proposal(proposed));
        const granted = verdict([loose(act, list, given)], proposal(proposed));
        expect(TIERS.indexOf(granted.risk)).toBeLessThanOrEqual(TIERS.indexOf(strict.risk));
        expect(ROUTES.indexOf(granted.route)).toBeLessThanOrEqual(ROUTES.indexOf(strict.route));
        if (strict.risk === "critical" || strict.route === "forbid") expect(body(granted)).toEqual(body(strict));
      }),
      { numRuns: 100 },
    );
  });

  it("adding a rule never lowers anything under grants either, and the order of grants never matters", () => {
    fc.assert(
      fc.property(open, rules, rule, grants, call, (act, list, extra, given, proposed) => {
        const before = verdict([loose(act, list, given)], proposal(proposed));
        const after = verdict([loose(act, [...list, { id: "extra", because: "one more", ...extra }], given)], proposal(proposed));
        for (const [scale, key] of [
          [ROUTES, "route"],
          [TIERS, "risk"],
        ] as const)
          expect(scale.indexOf(after[key])).toBeGreaterThanOrEqual(scale.indexOf(before[key]));
        expect(body(verdict([loose(act, list, [...given].reverse())], proposal(proposed)))).toEqual(body(before));
      }),
      { numRuns: 100 },
    );
  });

  it("raising an amount past thresholds never lowers anything, in rules and in grants that end at an amount", () => {
    const above = fc.record({ threshold: fc.integer({ min: 0, max: 20 }), effect: raise });
    const below = fc.record({ most: fc.integer({ min: 0, max: 20 }), risk: fc.constantFrom("low", "medium") });
    fc.assert(
      fc.property(
        open,
        fc.array(above, { maxLength: 4 }),
        fc.array(below, { maxLength: 2 }),
        fc.integer({ min: 0, max: 25 }),
        fc.nat(10),
        (act, up, down, n, more) => {
          const list = up.map(({ threshold, effect }, i) => ({ id: `r${i}`, because: "b", when: { args: { "/n": { above: threshold } } }, ...effect }));
          const given = down.map(({ most, risk }, i) => ({
            ...{ id: `g${i}`, because: "b", evidence: "e", expires: "2100-01-01", cap: { max: 9 }, lower: { risk } },
            when: { action: "act", args: { "/n": { at_most: most } } },
          }));
          const at = (value: number) => verdict([loose(act, list, given)], proposal({ args: { n: value } }));
          const [small, large] = [at(n), at(n + more)];
          expect(ROUTES.indexOf(large.route)).toBeGreaterThanOrEqual(ROUTES.indexOf(small.route));
          expect(TIERS.indexOf(large.risk)).toBeGreaterThanOrEqual(TIERS.indexOf(small.risk));
          expect(large.approvals).toBeGreaterThanOrEqual(large.route === small.route ? small.approvals : 0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("the order of rules never matters, nor whether a rule is called a floor", () => {
    fc.assert(
      fc.property(action, rules, call, fc.infiniteStream(fc.nat()), (act, list, proposed, random) => {
        const shuffled = [...list].map((r) => [random.next().value as number, r] as const).sort((a, b) => a[0] - b[0]);
        const first = verdict([compiled(act, list)], proposal(proposed));
        const moved = shuffled.map(([, r]) => r);
        expect(body(verdict([compiled(act, moved)], proposal(proposed)))).toEqual(body(first));
        expect(body(verdict([compiled(act, moved, "floors")], proposal(proposed)))).toEqual(body(first));
      }),
      { numRuns: 150 },
    );
  });

  it("adding a rule never lowers anything", () => {
    fc.assert(
      fc.property(action, rules, rule, call, (act, list, extra, proposed) => {
        const before = verdict([compiled(act, list)], proposal(proposed));
        const after = verdict([compiled(act, [...list, { id: "extra", because: "one more", ...extra }])], proposal(proposed));
        atLeast(after, before);
      }),
      { numRuns: 300 },
    );
  });

  it("adding a policy never lowers anything, and their order never matters", () => {
    fc.assert(
      fc.property(action, rules, action, rules, call, (act, list, act2, list2, proposed) => {
        const a = compiled(act, list);
        const b = { ...compiled(act2, list2), ref: { id: "q", version: "1", sha256: sha256("q") } };
        const both = verdict([a, b], proposal(proposed));
        expect(verdict([b, a], proposal(proposed))).toEqual(both);
        atLeast(both, verdict([a], proposal(proposed)));
        atLeast(both, verdict([b], proposal(proposed)));
      }),
      { numRuns: 150 },
    );
  });

  it("less confidence never lowers anything", () => {
    fc.assert(
      fc.property(action, call, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (act, proposed, a, b) => {
        const p = compiled(act, []);
        atLeast(verdict([p], proposal({ ...proposed, confidence: Math.min(a, b) })), verdict([p], proposal({ ...proposed, confidence: Math.max(a, b) })));
      }),
      { numRuns: 100 },
    );
  });

  it("a rule that reads a declared argument which is missing matches, unless it asks whether it is there", () => {
    fc.assert(
      fc.property(
        leaf.filter((l) => !("exists" in l)),
        fc.boolean(),
        (l, turned) => {
          const when = turned ? { not: { args: { "/gone": l } } } : { args: { "/gone": l } };
          const list = [{ id: "r", when, raise: { risk: "critical" }, because: "b" }];
          expect(verdict([compiled({ arguments: SCHEMA, reversibility: "reversible", risk: "low" }, list)], proposal({})).risk).toBe("critical");
        },
      ),
      { numRuns: 60 },
    );
  });

  it("nothing irreversible is ever allowed or batched, and what is allowed is low or below a soft gate and matched by nothing that gates", () => {
    fc.assert(
      fc.property(action, rules, call, (act, list, proposed) => {
        const v = verdict([compiled(act, list)], proposal(proposed));
        if (v.reversibility === "irreversible") expect(["interrupt", "forbid"]).toContain(v.route);
        if (v.gate === "hard") expect(["interrupt", "forbid"]).toContain(v.route);
        if (v.route === "allow") expect(["low", "medium"]).toContain(v.risk);
        if (v.route === "batch") expect(v.risk === "medium" || v.gate === "soft").toBe(true);
        if (v.route === "batch" || v.route === "interrupt")
          expect([v.allowedDecisions.length > 0, v.approvals >= 1, (v.expiresAt ?? 0) > NOW, v.card !== null]).toEqual([true, true, true, true]);
      }),
      { numRuns: 300 },
    );
  });

  it("judging twice gives the same bytes", () => {
    fc.assert(
      fc.property(action, rules, call, (act, list, proposed) => {
        const text = () => canonicalize(verdict([compiled(act, list)], proposal(proposed)));
        expect(text()).toBe(text());
      }),
      { numRuns: 50 },
    );
  });

  it("never throws and never allows what it cannot read, whatever the arguments are said to be", () => {
    const act = compiled({ arguments: SCHEMA, reversibility: "reversible", risk: "low" }, []);
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.constantFrom("[".repeat(1000), '"\ud800"', "1e999", '{"__proto__":{}}')),
        fc.boolean(),
        fc.string(),
        (text, honest, tool) => {
          const actions = [{ actionId: "a1", tool, args: text, argsSha256: honest ? sha256(text) : sha256(`${text}!`) }];
          const v = judge([act], { proposal: proposal({}), actions, answers: "edit", now: NOW });
          expect(v.route).not.toBe("allow");
          if (!honest) expect(v.route).toBe("forbid");
        },
      ),
      { numRuns: 300 },
    );
  });
});
