import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, sha256 } from "../../src/events/canonical.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import { action, atLeast, body, call, compiled, grants, leaf, loose, open, ROUTES, raise, rule, rules, SCHEMA, TIERS, tier } from "./arbitraries.ts";
import { NOW, proposal, verdict } from "./helpers.ts";

describe("laws of the judge", { timeout: 120_000 }, () => {
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

  it("switching a policy off never lowers any part of a verdict, and lets nothing flow", () => {
    fc.assert(
      fc.property(open, rules, grants, call, (act, list, given, proposed) => {
        const inForce = verdict([loose(act, list, given)], proposal(proposed));
        const off = verdict([loose(act, list, given, "off")], proposal(proposed));
        expect(off.route).toBe(inForce.route === "forbid" ? "forbid" : "interrupt");
        if (off.route === "interrupt") expect(off.gate).toBe("hard");
        expect(TIERS.indexOf(off.risk)).toBeGreaterThanOrEqual(TIERS.indexOf(inForce.risk));
        expect(off.approvals).toBeGreaterThanOrEqual(inForce.approvals);
        expect(off.separation).toEqual(expect.arrayContaining([...inForce.separation]));
        expect([off.owner, off.reversibility]).toEqual([inForce.owner, inForce.reversibility]);
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
        // No action here has a hard gate of its own: a rule asked for it.
        if (strict.gate === "hard") expect(granted.gate).toBe("hard");
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
      fc.property(action, rules, rule, call, fc.constantFrom("first", "zlast"), (act, list, extra, proposed, id) => {
        const before = verdict([compiled(act, list)], proposal(proposed));
        const after = verdict([compiled(act, [...list, { id, because: "one more", ...extra }])], proposal(proposed));
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
