import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/events/canonical.ts";
import type { VerdictReached } from "../../src/events/types.generated.ts";
import { type Call, judgeCall, NOW } from "./helpers.ts";

const document = (routes: string, more = "") => `actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, total: { type: number } } }
    reversibility: partially
    risk: high
    owner: role:payments
    decisions: [approve, reject]
    ladder: [{ to: role:oncall, timeout: PT1M }]
    ${more}
routes:
${routes}`;
const who = ({ owner, approvals, approvalOrder, separation, expiresAt, ladder, onExpiry, because }: VerdictReached) => ({
  ...{ owner, approvals, approvalOrder, separation, onExpiry, because },
  minutes: ((expiresAt ?? 0) - NOW) / 60_000,
  ladder: ladder.map(({ to }) => to),
});
const judged = (routes: string, call: Call = {}, more = "") => who(judgeCall(document(routes, more), { tool: "pay", args: { total: 5000 }, ...call }));

const AMOUNTS = `  - { when: { args: { /amount: { at_most: 100 } } }, owner: role:junior, timeout: PT2M, on_expiry: hold }
  - { when: { args: { /amount: { above: 100 } } }, owner: role:senior, approvals: 2, separation: [proposer], timeout: PT10M, ladder: [{ to: role:cfo, timeout: PT5M }] }
`;

describe("a route that reads what an agent has left out", () => {
  it("does not hand the action to the milder people: of the routes that may hold the strictest of each part counts, and that is said", () => {
    expect(judged(AMOUNTS)).toEqual({
      ...{ owner: "role:senior", approvals: 2, approvalOrder: [], separation: ["proposer"], onExpiry: "reject", minutes: 4, ladder: ["role:cfo"] },
      because: ["Nobody can tell which route holds (/amount is missing), so of those that may the strictest does", "The risk of pay is high"],
    });
    expect(judged(AMOUNTS, { args: { amount: "5" } }).because[0]).toMatch(/schema/);
  });

  it("is unknown without a schema as well, so what is left out or named otherwise picks no milder people", () => {
    const route = (when: string) => `  - { when: { action: pay, ${when} }, owner: role:senior, approvals: 2 }\n`;
    const bare = (when: string, args: Json) => who(judgeCall(document(route(when)).replace(/ {4}arguments: .*\n/, ""), { tool: "pay", args }));
    const above = "args: { /amount: { above: 100 } }";
    for (const when of [above, "args: { /order/amount: { above: 100 } }", "not: { args: { /amount: { at_most: 100 } } }", `not: { not: { ${above} } }`])
      expect(bare(when, { total: 5000 })).toMatchObject({
        owner: "role:senior",
        approvals: 2,
        because: [expect.stringContaining("which route holds"), "The risk of pay is high"],
      });
    expect(bare(above, { amount: 101 })).toMatchObject({ owner: "role:senior", approvals: 2, because: ["The risk of pay is high"] });
    expect(bare(above, { amount: 100 })).toMatchObject({ owner: "role:payments", approvals: 1, because: ["The risk of pay is high"] });
    expect(bare(`args: { /amount: { exists: true } }, ${"any: [{ args: { /amount: { above: 100 } } }]"}`, { total: 5000 })).toMatchObject({ approvals: 1 });
    // A schema that does not have the argument says so: the route is about other actions.
    const other = "  - { when: { args: { /sum: { above: 100 } } }, owner: role:senior, approvals: 2 }\n";
    expect(judged(other, {}, "\n  other: { reversibility: partially, risk: high }")).toMatchObject({ owner: "role:payments", approvals: 1 });
  });

  it("changes nothing where it is there", () => {
    expect(judged(AMOUNTS, { args: { amount: 100 } })).toMatchObject({ owner: "role:junior", approvals: 1, separation: [], minutes: 3, onExpiry: "hold" });
    expect(judged(AMOUNTS, { args: { amount: 101 } })).toMatchObject({ owner: "role:senior", approvals: 2, minutes: 15, because: ["The risk of pay is high"] });
  });

  it("is not the first that holds: what certainly holds after it counts as well, and what stands behind that does not", () => {
    const routes = `  - { when: { target: { /tier: { is: small } } }, owner: role:junior }
  - { when: { risk: { is: high } }, owner: role:senior, approvals: 2, approval_order: [role:senior, role:cfo] }
  - { owner: role:everybody, approvals: 5 }
`;
    expect(judged(routes)).toMatchObject({ owner: "role:senior", approvals: 2, approvalOrder: ["role:senior", "role:cfo"] });
    expect(judged(routes, { target: { tier: "small" } })).toMatchObject({ owner: "role:junior", approvals: 1, approvalOrder: [] });
    expect(judged(routes, { target: { tier: "large" } })).toMatchObject({ owner: "role:senior", approvals: 2 });
  });

  it("leaves it to the owner of the document where equally strict ones name different people, whichever stands first", () => {
    const junior = "  - { when: { args: { /amount: { at_most: 1000 } } }, owner: role:junior, ladder: [{ to: role:juniors-friend, timeout: PT1M }] }\n";
    const cfo = "  - { when: { args: { /amount: { above: 1000 } } }, owner: role:cfo }\n";
    for (const routes of [junior + cfo, cfo + junior, junior, cfo, `${cfo}  - { owner: role:junior }\n`])
      expect(judged(routes)).toMatchObject({ owner: "role:boss", approvals: 1, ladder: ["role:oncall"] });
    const same = "  - { when: { args: { /amount: { above: 1000 } } }, owner: role:payments }\n";
    expect(judged(same)).toMatchObject({ owner: "role:payments" });
  });

  it("keeps what the action asks for, and says nothing where nobody is asked", () => {
    expect(judged(AMOUNTS, {}, "approvals: 3")).toMatchObject({ approvals: 3, owner: "role:senior" });
    const low = judgeCall(document(AMOUNTS).replace("risk: high", "risk: low"), { tool: "pay", args: { total: 1 } });
    expect([low.route, low.because]).toEqual(["allow", ["The risk of pay is low"]]);
  });

  it("is never answered by fewer people, or with more time, than with any value there", () => {
    const when = fc.record({ above: fc.integer({ min: 0, max: 9 }) }).chain(({ above }) => fc.constantFrom({ above }, { at_most: above }, { not: above }));
    const route = fc.record({
      when: fc.oneof(
        when.map((leaf) => ({ args: { "/amount": leaf } })),
        fc.constant({ args: { "/total": { exists: true } } }),
      ),
      approvals: fc.integer({ min: 1, max: 4 }),
      separation: fc.constantFrom<string[]>([], ["proposer"], ["agent_owner"]),
      timeout: fc.constantFrom("PT1M", "PT9M"),
    });
    fc.assert(
      fc.property(fc.array(route, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 10 }), (routes, amount) => {
        const text = document(routes.map((one) => `  - ${JSON.stringify(one)}\n`).join(""));
        const [out, there] = [{}, { amount }].map((args) => judgeCall(text, { tool: "pay", args })) as [VerdictReached, VerdictReached];
        expect(out.approvals).toBeGreaterThanOrEqual(there.approvals);
        expect(out.separation).toEqual(expect.arrayContaining([...there.separation]));
        expect(out.expiresAt).toBeLessThanOrEqual(there.expiresAt as number);
      }),
      { numRuns: 150 },
    );
  });
});
