import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { problems, read } from "./helpers.ts";

const head = "policy: p\nworkspace: w\nowner: role:boss\n";
const act = "actions:\n  act: { reversibility: reversible, risk: low }\n";

describe("a policy document", () => {
  it("is YAML 1.2: yes and on are texts, and a duration is read as milliseconds", () => {
    const { content } = parsePolicy(`${head}actions:\n  on: { reversibility: reversible, risk: low, timeout: PT1H30M }\n`);
    expect(content.actions.on?.timeout).toBe(5_400_000);
  });

  it("is known by its own version, or else by the first 12 digits of the hash of its text", () => {
    expect(parsePolicy(`${head}version: 7\n${act}`).version).toBe("7");
    expect(parsePolicy(`${head}${act}`)).toMatchObject({
      id: "p",
      workspace: "w",
      version: sha256(`${head}${act}`).slice(0, 12),
      sha256: sha256(`${head}${act}`),
    });
  });

  it("gives all its problems at once, each with file, line, column, value and suggestion", () => {
    const text = `policy: x
workspace: support
ownr: role:a
mode: enfroce
actions:
  a:
    arguments: { type: object, properties: { amount: { tpye: number } } }
    reversability: irreversible
    risk: hgih
    timeout: 5 minutes
    editable: [amount]
rules:
  - id: r
    when: { args: { amount: { abov: 3 }, /b: { above: 3, below: 9 }, /c: { matches: "(?=a)" } } }
    raise: { points: -3 }
`;
    expect(problems(text)).toEqual([
      "p.yaml:1:1 owner: is missing",
      'p.yaml:3:1 ownr: unknown key "ownr"; did you mean "owner"?',
      'p.yaml:4:1 mode: must be one of enforce, shadow, off, not "enfroce"; did you mean "enforce"?',
      "p.yaml:6:3 actions.a.reversibility: is missing; give one of reversible, partially, irreversible, or effects that it follows from",
      'p.yaml:7:5 actions.a.arguments: is not a JSON Schema that can be used: unknown keyword "tpye"; did you mean "type"?',
      'p.yaml:8:5 actions.a.reversability: unknown key "reversability"; did you mean "reversibility"?',
      'p.yaml:9:5 actions.a.risk: must be one of low, medium, high, critical, not "hgih"; did you mean "high"?',
      'p.yaml:10:5 actions.a.timeout: must be an ISO 8601 duration such as PT10M or P1D, or working time such as "4 business hours" or "2 business days", not "5 minutes"',
      'p.yaml:11:16 actions.a.editable[0]: must be a JSON Pointer such as /amount, not "amount"; did you mean "/amount"?',
      "p.yaml:13:5 rules[0].because: is missing",
      'p.yaml:14:21 rules[0].when.args.amount: the key must be a JSON Pointer such as /amount, not "amount"; did you mean "/amount"?',
      'p.yaml:14:42 rules[0].when.args["/b"]: takes one operator, not 2 (above, below); use between, or all with several conditions',
      'p.yaml:14:70 rules[0].when.args["/c"]: matches: error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
      "p.yaml:15:14 rules[0].raise.points: must be a number of points, 0 or more, not -3; rules can only raise",
    ]);
  });

  it("has batches of at most twenty", () => {
    expect(parsePolicy(`${head}${act}batch: { max: 20 }\n`).content.batch?.max).toBe(20);
    expect(problems(`${head}${act}batch: { max: 21 }\n`)).toEqual(["p.yaml:6:10 batch.max: must be a whole number from 1 to 20, not 21"]);
  });

  it("that is no YAML, holds a key twice, is empty or is nested without end is one error with its place", () => {
    expect(problems("a: [1\nb: 3")[0]).toMatch(/^p\.yaml:2:1 Flow sequence/);
    expect(problems("a: 1\na: 3")[0]).toMatch(/^p\.yaml:2:1 Map keys must be unique/);
    expect(problems("")[0]).toMatch(/^p\.yaml:1:1 must be a set of keys \(policy, workspace/);
    expect(problems("[".repeat(100_000)).length).toBeLessThanOrEqual(101);
    expect(problems(`${head}${act}rules: [{ id: r, when: { args: { /a: { is: 12345678901234567890 } } }, forbid: true, because: b }]`)[0]).toMatch(
      /^p\.yaml:6:\d+ 12345678901234567890 is a number that does not survive/,
    );
    for (const number of ["1e400", "-1e400", ".nan", ".inf", "-.inf"])
      for (const operator of ["is", "above"])
        expect(problems(`${head}${act}rules: [{ id: r, when: { args: { /a: { ${operator}: ${number} } } }, forbid: true, because: b }]`)[0]).toMatch(
          new RegExp(`^p\\.yaml:6:\\d+ ${number.replaceAll(".", "\\.")} is no number that can be compared`),
        );
  });

  it("takes no merge key, also not inside a JSON Schema, where it would pass as an annotation and merge nothing", () => {
    const schemas =
      "actions:\n  a: { reversibility: reversible, risk: low, arguments: &base { type: object, required: [account] } }\n" +
      "  b: { reversibility: reversible, risk: low, arguments: { <<: *base, properties: { x: { type: number } } } }\n";
    expect(problems(`${head}${schemas}`)[0]).toMatch(/^p\.yaml:6:\d+ merge keys \(<<\) are not in YAML 1\.2/);
    expect(problems(`${head}${schemas.replace("<<: *base", '"<<": 1')}`)).toEqual([]);
  });

  it("has nothing that is named __proto__, which would be left out of it without a word", () => {
    const named = (text: string) => problems(`${head}${text}`).join(" ");
    expect(named("actions:\n  __proto__: { reversibility: irreversible }\n")).toContain("actions.__proto__: is a name that nothing can have here");
    expect(named(`${act}defaults: { effects: { __proto__: { risk: high } } }\n`)).toContain("effects.__proto__: is a name");
    expect(named(`${act}rules: [{ id: r, because: b, raise: { risk: high }, when: { args: { /a: { above: 1 }, __proto__: { above: 1 } } } }]\n`)).toContain(
      "args.__proto__: is a name",
    );
  });

  it.each(["none", "soft", "audit"])("cannot give an irreversible action a gate of kind %s", (kind) => {
    const extra = { none: "", soft: ", from_risk: high", audit: ", window: PT24H" }[kind];
    expect(problems(`${head}actions:\n  pay: { reversibility: irreversible, risk: low, gate: { kind: ${kind}${extra} } }\n`)[0]).toMatch(
      /^p\.yaml:5:\d+ actions\.pay\.gate\.kind: an irreversible action always has a hard gate, without exception/,
    );
  });

  const schema = "arguments: { type: object, properties: { amount: { type: number } } }";
  it.each([
    [
      "a rule on an argument that no action declares",
      `rules: [{ id: r, when: { args: { /amuont: { above: 1 } } }, raise: { points: 1 }, because: b }]`,
      'no argument "/amuont" is declared by pay; did you mean "/amount"?',
    ],
    [
      "a rule on an action that does not exist",
      `rules: [{ id: r, when: { action: pya }, raise: { points: 1 }, because: b }]`,
      'no action is called "pya"; did you mean "pay"?',
    ],
    ["a rule that reads the final risk", `rules: [{ id: r, when: { risk: { is: high } }, raise: { points: 1 }, because: b }]`, "rules read base_risk"],
    ["a route that reads the base risk", `routes: [{ when: { base_risk: { is: high } }, owner: role:x }]`, "routes read risk"],
    ["a rule without effect", `rules: [{ id: r, because: b }]`, "has no effect"],
    ["two rules of one name", `rules: [{ id: r, forbid: true, because: b }]\nfloors: [{ id: r, forbid: true, because: b }]`, '"r" is taken'],
    ["an empty condition", `rules: [{ id: r, when: {}, forbid: true, because: b }]`, "is empty"],
    ["an empty list of alternatives", `rules: [{ id: r, when: { any: [] }, forbid: true, because: b }]`, "must not be empty"],
    ["confidence that lowers", `confidence: [{ below: 0.5, from: high, to: low }]`, "can only raise"],
    ["tiers that do not rise", `tiers: { medium: 50, high: 40, critical: 90 }`, "must rise"],
    ["a route that hides another", `routes: [{ owner: role:x }, { owner: role:y }]`, "never reached"],
    ["an owner that is misspelt", `questions: { owner: "rol:x" }`, 'did you mean "role:x"?'],
    [
      "a comparison of confidence with a text",
      `rules: [{ id: r, when: { confidence: { below: low } }, forbid: true, because: b }]`,
      'takes a number, not "low"',
    ],
    ["a tier that does not exist", `routes: [{ when: { risk: { at_least: hihg } }, owner: role:x }]`, 'did you mean "high"?'],
  ])("is refused for %s", (_, part, message) => {
    expect(problems(`${head}actions:\n  pay: { reversibility: partially, risk: high, ${schema} }\n${part}\n`).join("\n")).toContain(message);
  });

  it.each([
    ["a ladder whose steps grow longer", "timeout: PT5M, ladder: [{ to: role:x, timeout: PT10M }]", "longer than the 5 minutes before it"],
    ["a template on an argument that is not declared", 'card: { headline: "{/amont}" }', 'did you mean "/amount"?'],
    ["a template with an open brace", 'card: { headline: "{/amount" }', "has a { without its }"],
    ["a template with an unknown filter", 'card: { headline: "{/amount|mony}" }', 'did you mean "money"?'],
    ["nothing editable although edit is allowed", "editable: []", "is empty although decisions allow edit"],
    ["both risk and points", "points: 3", "stands beside risk"],
    ["a soft gate without thresholds", "gate: { kind: soft }", "soft needs from_risk"],
    ["an effect that is nearly a known one", "effects: [mony]", 'did you mean "money"?'],
    ["acknowledge on an action", "decisions: [acknowledge]", "must be one of approve, edit, reject, respond"],
  ])("is refused for an action with %s", (_, part, message) => {
    expect(problems(`${head}actions:\n  pay:\n    { reversibility: partially, risk: high, ${schema}, ${part} }\n`).join("\n")).toContain(message);
  });

  it("of the design loads as it stands", () => {
    expect(problems(read("test/policy/fixtures/example.yaml"))).toEqual([]);
  });
});
