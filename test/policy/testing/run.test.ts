import { describe, expect, it } from "vitest";
import { readYaml } from "../../../src/policy/document/yaml.ts";
import { examplesOf, parseDescribed, parseTests } from "../../../src/policy/testing/file.ts";
import { policy } from "../helpers.ts";
import { faults, loaded, PAY, ran, suite } from "./helpers.ts";

const pay = loaded(PAY);
const misses = (expectation: string, more = "args: { amount: 101 }, target: { frozen: false }") =>
  ran(suite([pay], `  - { name: c, action: pay, ${more}, expect: ${expectation} }`)).flatMap((result) => result.misses);

describe("a case", () => {
  it("passes when the verdict says everything that is expected", () => {
    expect(
      misses(`{ route: interrupt, risk: high, gate: hard, reversibility: partially, score: 60, owner: "role:cfo", approvals: 2, approval_order: [],
        separation: [agent_owner, proposer], decisions: [reject, approve, edit], editable: [/amount], matched: [large], not_matched: [frozen], error: null,
        because: [More than 100], headline: Pay, expires_in: PT15M, expires_at: "2026-01-06T10:15:00Z", on_expiry: reject,
        ladder: [{ to: "role:lead", after: PT10M, page: true }], policy: p }`),
    ).toEqual([]);
  });

  it.each([
    ["{ route: allow }", "route", "allow", "interrupt"],
    ["{ route: { not: interrupt } }", "route", "not interrupt", "interrupt"],
    ["{ risk: { at_least: critical } }", "risk", "at least critical", "high"],
    ["{ risk: { at_most: medium } }", "risk", "at most medium", "high"],
    ["{ gate: none }", "gate", "none", "hard"],
    ["{ reversibility: reversible }", "reversibility", "reversible", "partially"],
    ["{ score: 61 }", "score", "61", "60"],
    ["{ owner: dana }", "owner", "dana", "role:cfo"],
    ["{ approvals: 1 }", "approvals", "1", "2"],
    ['{ approval_order: ["role:cfo"] }', "approval_order", "role:cfo", "none"],
    ["{ separation: [proposer] }", "separation", "proposer", "agent_owner, proposer"],
    ["{ decisions: [approve] }", "decisions", "approve", "approve, edit, reject"],
    ["{ editable: [/to] }", "editable", "/to", "/amount"],
    ["{ matched: [frozen] }", "matched", "frozen", "large"],
    ["{ matched: [] }", "matched", "none", "large"],
    ["{ not_matched: [large] }", "not_matched", "without large", "large"],
    ["{ error: schema_invalid }", "error", "schema_invalid", "none"],
    ["{ because: lawyers }", "because", '"lawyers"', "More than 100"],
    ["{ headline: Refund }", "headline", "Refund", "Pay USD 101.00"],
    ["{ expires_in: PT10M }", "expires_in", "10 minutes", "15 minutes"],
    ["{ expires_in: null }", "expires_in", "none", "2026-01-06T10:15:00.000Z"],
    ['{ expires_at: "2026-01-06T10:00:00Z" }', "expires_at", "2026-01-06T10:00:00.000Z", "2026-01-06T10:15:00.000Z"],
    ["{ on_expiry: hold }", "on_expiry", "hold", "reject"],
    ["{ ladder: [] }", "ladder", "none", "role:lead after 10 minutes, paged"],
    ['{ ladder: ["role:other"] }', "ladder", "role:other", "role:lead after 10 minutes, paged"],
    ["{ policy: q }", "policy", "q", "p"],
  ])("that expects %s fails, and says what came instead", (expectation, key, expected, got) => {
    expect(misses(expectation)).toEqual([{ key, expected, got }]);
  });

  it("brings everything along that policies read: agent, confidence, evidence, origin, target, time", () => {
    const strict = loaded(`
require: { evidence: [order] }
confidence: [{ below: 0.5, from: low, to: critical }]
actions: { act: { arguments: { type: object }, reversibility: reversible, risk: low } }
rules:
  - { id: agent, when: { agent: { id: { is: bad } } }, raise: { risk: high }, because: a }
  - { id: version, when: { agent: { version: { is: "2" } } }, raise: { risk: high }, because: a }
  - { id: origin, when: { origin: { system: { is: web } } }, raise: { risk: high }, because: a }
`);
    const results = ran(
      suite(
        [strict],
        `  - { name: plain, action: act, evidence: [order], confidence: 0.9, agent: { version: 1 }, origin: { system: x, id: 1 }, expect: { route: allow, matched: [] } }
  - { name: agent, action: act, evidence: [order], agent: { id: bad, version: 1 }, origin: { system: x, id: 1 }, expect: { risk: high, matched: [agent], not_matched: [version] } }
  - { name: version, action: act, evidence: [order], agent: { version: 2 }, origin: { system: x, id: 1 }, expect: { matched: [version], not_matched: [agent] } }
  - { name: origin, action: act, evidence: [order], origin: { system: web, id: 1 }, expect: { matched: [origin] } }
  - { name: evidence, action: act, agent: { version: 1 }, origin: { system: x, id: 1 }, expect: { route: interrupt, because: "Evidence is missing: order" } }
  - { name: unsure, action: act, evidence: [order], confidence: 0.4, expect: { risk: critical } }`,
      ),
    );
    expect(results.filter((result) => result.misses.length > 0).map(({ test, misses: m }) => [test.name, m])).toEqual([]);
    expect(results[0]?.input.now).toBe(Date.parse("2026-01-06T10:00:00Z"));
  });

  it("may be a plan, a question or a notice, and an agent's own timeout only shortens", () => {
    const results = ran(
      suite(
        [pay],
        `  - { name: plan, plan: [{ action: read }, { action: pay, args: { amount: 5 }, target: { frozen: false } }], expect: { route: batch, risk: medium } }
  - { name: one forbidden step, plan: [{ action: read }, { action: pay, args: { amount: 5 }, target: { frozen: true } }], expect: { route: forbid } }
  - { name: question, ask: question, expect: { decisions: [respond], route: interrupt } }
  - { name: notice, ask: notify, expect: { decisions: [acknowledge] } }
  - { name: hurry, action: pay, args: { amount: 5 }, target: { frozen: false }, timeout: PT1M, expect: { expires_in: PT1M } }`,
      ),
    );
    expect(results.flatMap((result) => result.misses)).toEqual([]);
  });

  it("runs under several policies together, as a ledger would judge it", () => {
    const other = loaded("policy: other\nactions: { pay: { arguments: { type: object }, reversibility: irreversible, risk: low } }\n");
    const [result] = ran(
      suite([pay, other], `  - { name: c, action: pay, args: { amount: 5 }, target: { frozen: false }, expect: { route: interrupt, gate: hard } }`),
    );
    expect(result?.misses).toEqual([]);
  });
});

describe("a test file", () => {
  const head = "policy: p.yaml\ncases:\n  - name: a\n    action: pay\n";
  it.each([
    ["an unknown key", `${head}    arg: {}\n    expect: { route: allow }`, 't.yaml:5:5 cases[0].arg: unknown key "arg"; did you mean "args"?'],
    [
      "a misspelt route",
      `${head}    expect: { route: alow }`,
      't.yaml:5:15 cases[0].expect.route: must be one of allow, batch, interrupt, forbid, not "alow"; did you mean "allow"?',
    ],
    [
      "a misspelt bound",
      `${head}    expect: { risk: { atleast: high } }`,
      't.yaml:5:23 cases[0].expect.risk.atleast: unknown key "atleast"; did you mean "at_least"?',
    ],
    [
      "an empty bound",
      `${head}    expect: { risk: {} }`,
      "t.yaml:5:15 cases[0].expect.risk: must be one of low, medium, high, critical, or { not | at_least | at_most: … }",
    ],
    ["no expectation", `${head}    expect: {}`, "t.yaml:5:5 cases[0].expect: is empty, so the case could not fail; say at least the route"],
    ["no expect at all", head, "t.yaml:3:5 cases[0].expect: is missing"],
    [
      "a time without a zone",
      `${head}    at: "2026-01-06T10:00"\n    expect: { route: allow }`,
      't.yaml:5:5 cases[0].at: must be a time with its zone such as 2026-03-02T09:30:00Z, not "2026-01-06T10:00"',
    ],
    ["no action", "policy: p.yaml\ncases: [{ name: a, expect: { route: allow } }]", "t.yaml:2:9 cases[0]: names no action; give it action: NAME, or a plan"],
    ["two names", `${head}    plan: [{ action: pay }]\n    expect: { route: allow }`, "t.yaml:5:5 cases[0].plan: stands beside action; keep one of the two"],
    [
      "arguments of a question",
      "policy: p.yaml\ncases: [{ name: a, ask: question, args: {}, expect: { route: allow } }]",
      "t.yaml:2:20 cases[0].ask: a question has no action and no arguments; take them out",
    ],
    [
      "a name twice",
      `${head}    expect: { route: allow }\n  - { name: a, action: pay, expect: { route: allow } }`,
      't.yaml:6:7 cases[1].name: "a" is taken; every case has a name of its own',
    ],
    ["no cases", "policy: p.yaml\ncases: []", "t.yaml:2:1 cases: must not be empty, not []"],
    [
      "a confidence that is none",
      `${head}    confidence: 82\n    expect: { route: allow }`,
      "t.yaml:5:5 cases[0].confidence: must be a number from 0 to 1, not 82",
    ],
    ["a tab", "policy: p.yaml\n\tcases: []", expect.stringContaining("t.yaml:2:1")],
  ])("with %s is refused with its place and what would be right", (_, text, problem) => {
    expect(faults(text)[0]).toEqual(problem);
  });

  it("that is refused says what to do about tests, and nothing about documents in force", () => {
    for (const [read, wayOut] of [
      [() => parseTests("policy: p.yaml\ncases: 3", "t.policytest.yaml"), "correct the test file and run it again; none of its cases has run"],
      [() => parseTests("policy: [", "t.policytest.yaml"), "correct the test file and run it again; none of its cases has run"],
      [() => parseDescribed("action: 3", "--case"), "correct what describes the proposal and ask again"],
    ] as const)
      expect(read).toThrow(expect.objectContaining({ code: "policy_invalid", fix: wayOut }));
  });
});

describe("examples in a policy document", () => {
  const text = `
policy: p
workspace: w
owner: role:boss
actions:
  act:
    arguments: { type: object, properties: { n: { type: number } } }
    reversibility: reversible
    risk: low
    examples: [{ name: small, args: { n: 1 }, expect: { route: allow } }]
rules:
  - id: many
    when: { action: act, args: { /n: { above: 5 } } }
    raise: { risk: high }
    because: many
    examples: [{ name: large, args: { n: 6 }, expect: { risk: high } }]
`;
  it("are about the action or the rule that they stand under, and have the line of their own", () => {
    const examples = examplesOf(loaded(text.replace(/policy: p\nworkspace: w\nowner: role:boss\n/, "")).document.content, readYaml(text), "p.yaml");
    expect(examples.map(({ test, line }) => [test.name, test.action, line])).toEqual([
      ["small", "act", 10],
      ["large", "act", 16],
    ]);
  });

  it("must say their action where the place does not", () => {
    const some = loaded(
      `actions: { act: { arguments: { type: object }, reversibility: reversible, risk: low } }\nrules: [{ id: r, raise: { risk: high }, because: b, examples: [{ name: x, expect: { route: allow } }] }]`,
    );
    expect(() => examplesOf(some.document.content, some.source, "p.yaml")).toThrow("names no action");
  });

  it("with a mistake are a mistake of the document", () => {
    expect(() => policy(text.replace("policy: p\nworkspace: w\nowner: role:boss\n", "").replace("{ risk: high } }]", "{ risk: hig } }]"))).toThrow(
      'did you mean "high"?',
    );
  });
});
