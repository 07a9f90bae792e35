import fc from "fast-check";
import { expect } from "vitest";
import type { VerdictReached } from "../../src/events/types.generated.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";

export const ROUTES = ["allow", "batch", "interrupt", "forbid"];
export const TIERS = ["low", "medium", "high", "critical"];
export const GATES = ["none", "audit", "soft", "hard"];

export const tier = fc.constantFrom(...TIERS);
export const leaf = fc.oneof(
  fc.record({ above: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ at_most: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ is: fc.constantFrom(1, 10, "a", null) }),
  fc.record({ in: fc.constant([1, 2, "a"]) }),
  fc.record({ matches: fc.constantFrom("a+", "^b") }),
  fc.record({ domain_in: fc.constant(["example.com"]) }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ length_above: fc.integer({ min: 0, max: 3 }) }),
);
export const path = fc.constantFrom("/n", "/s", "/list", "/gone");
export const { condition } = fc.letrec<{ condition: Record<string, unknown> }>((tie) => ({
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
export const raise = fc.oneof(
  fc.record({ raise: fc.record({ risk: tier }) }),
  fc.record({ raise: fc.record({ points: fc.double({ min: 0, max: 50, noNaN: true }) }) }),
  fc.record({ raise: fc.record({ approvals: fc.integer({ min: 1, max: 3 }) }) }),
  fc.record({ raise: fc.constant({ gate: "hard" }) }),
  fc.record({ forbid: fc.constant(true) }),
);
export const rule = fc.tuple(fc.option(condition, { nil: undefined }), raise).map(([when, effect]) => ({ ...(when === undefined ? {} : { when }), ...effect }));
export const rules = fc.array(rule, { maxLength: 6 }).map((list) => list.map((r, i) => ({ id: `r${i}`, because: `reason ${i}`, ...r })));

export const SCHEMA = { type: "object", properties: { n: {}, s: {}, list: {}, gone: {} } };
export const action = fc
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

export const args = fc.dictionary(
  fc.constantFrom("n", "s", "list", "x"),
  fc.oneof(fc.integer({ min: 0, max: 25 }), fc.constantFrom("a", "b@example.com", "b@evil.test", "aab"), fc.constant(null), fc.constant([1, "a"])),
);
export const call = fc.record({
  args,
  confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  target: fc.option(fc.record({ state: fc.constantFrom("open", "shut") }), { nil: undefined }),
});

export type Rules = Record<string, unknown>[];
export const compiled = (act: object, list: Rules, layer: "rules" | "floors" = "rules") =>
  compilePolicy(parsePolicy(JSON.stringify({ policy: "p", version: "1", workspace: "w", owner: "role:boss", actions: { act }, [layer]: list })));

/** Everything of a verdict but the reference to the document's text. */
export const body = ({ policy: _, ...rest }: VerdictReached) => rest;

export function atLeast(severe: VerdictReached, mild: VerdictReached): void {
  for (const [scale, key] of [
    [ROUTES, "route"],
    [TIERS, "risk"],
    [GATES, "gate"],
  ] as const)
    expect(scale.indexOf(severe[key])).toBeGreaterThanOrEqual(scale.indexOf(mild[key]));
  expect(severe.score).toBeGreaterThanOrEqual(mild.score);
  if (severe.route === mild.route) expect(severe.approvals).toBeGreaterThanOrEqual(mild.approvals);
}

export const gateOf = fc.constantFrom(
  { kind: "none" },
  { kind: "soft", from_risk: "critical" },
  { kind: "audit", window: "PT24H", from_risk: "critical" },
  { kind: "audit", window: "PT24H", review: "run_end" },
);
export const loosening = fc
  .record({ risk: fc.constantFrom("low", "medium"), gate: gateOf, when: fc.option(condition, { nil: undefined }) })
  .map(({ risk, gate, when }) => ({
    when: { action: "a*", ...(when === undefined ? {} : { all: [when] }) },
    lower: { risk, gate },
    cap: { max: 1000 },
    expires: "2100-01-01",
    evidence: "e",
    because: "granted",
  }));
export const grants = fc.array(loosening, { maxLength: 3 }).map((list) => list.map((grant, i) => ({ id: `g${i}`, ...grant })));
export const open = fc
  .record({ reversibility: fc.constantFrom("reversible", "partially"), risk: tier, gate: gateOf })
  .map((parts) => ({ arguments: SCHEMA, ...parts }));

/** A document in which everything loosens that can. */
export const loose = (act: object, list: Rules, given: Rules, mode = "enforce") =>
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
