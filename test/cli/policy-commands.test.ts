import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import type { Finding } from "../../src/policy/lint/finding.ts";
import { openBench } from "../support/bench-ledger.ts";
import { tempDir } from "../support/views.ts";
import { cli, lines } from "./harness.ts";

const POLICY = `policy: notes
workspace: support
owner: role:lead
actions:
  note:
    arguments: { type: object, properties: { text: { type: string }, size: { type: number } }, required: [size] }
    reversibility: reversible
    execution: idempotent
    risk: low
    card: { headline: "Note {/text}" }
rules:
  - { id: large, when: { action: note, args: { /size: { above: 10 } } }, raise: { risk: high }, because: "It is large" }
grants:
  - id: small-ones
    when: { action: note, args: { /size: { below: 5 } } }
    lower: { risk: low }
    cap: { max: 100 }
    expires: 2100-01-01
    evidence: "They were all fine"
    because: "Small notes are fine"
budgets:
  - { id: an-hour, action: note, measure: { sum: /size }, window: PT1H, limits: [{ above: 50, raise: { risk: critical } }] }
`;

const dir = mkdtempSync(join(tmpdir(), "policy-commands-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const notes = file("notes.yaml", POLICY);
const looser = file("looser.yaml", POLICY.replace("above: 10", "above: 12"));
const broken = file("broken.yaml", POLICY.replace("risk: low", "risk: lo").replace(', because: "It is large"', ""));

describe("policy lint", () => {
  it("ends with 0 where nothing is wrong, and says so", async () => {
    expect(await cli(["policy", "lint", notes])).toEqual({ code: 0, out: "1 file: 0 errors, 0 warnings, 0 notes\n", err: "" });
  });

  it("names file, line, column, what is wrong and what would be right, and ends with 3", async () => {
    const { code, out } = await cli(["policy", "lint", broken]);
    expect(code).toBe(3);
    expect(out.replaceAll(dir, "DIR")).toBe(
      [
        "DIR/broken.yaml:9:5  error  invalid",
        '    actions.note.risk: must be one of low, medium, high, critical, not "lo"; did',
        '    you mean "low"?',
        "DIR/broken.yaml:12:5  error  invalid",
        "    rules[0].because: is missing",
        "1 file: 2 errors, 0 warnings, 0 notes",
        "",
      ].join("\n"),
    );
  });

  it("fails on warnings only with --strict, leaves out notes with --quiet, and gives one object per finding with --json", async () => {
    const doubtful = file("doubtful.yaml", POLICY.replace("above: 10", "above: 10 } }, not: { args: { /size: { exists: true }"));
    expect((await cli(["policy", "lint", doubtful])).code).toBe(0);
    expect((await cli(["policy", "lint", doubtful, "--strict"])).code).toBe(3);
    const found = lines<Finding>((await cli(["policy", "lint", doubtful, "--json"])).out);
    expect(found).toEqual([
      expect.objectContaining({ severity: "warning", code: "never-true", file: doubtful, line: 12, fix: expect.stringContaining("take it out") }),
    ]);
    const bare = file("bare.yaml", "policy: p\nworkspace: w\nowner: role:boss\nactions:\n  a: { arguments: {}, reversibility: reversible, risk: low }\n");
    expect((await cli(["policy", "lint", bare])).out).toContain("note  no-headline");
    expect((await cli(["policy", "lint", bare, "--quiet"])).out).toBe("1 file: 0 errors, 0 warnings, 0 notes\n");
  });

  it("holds files of a folder side by side, and asks for files that exist", async () => {
    const folder = tempDir();
    for (const name of ["a.yaml", "b.yaml"]) writeFileSync(join(folder, name), POLICY);
    expect(await cli(["policy", "lint", folder])).toMatchObject({ code: 3, out: expect.stringContaining("error  same-id") });
    expect(await cli(["policy", "lint", join(folder, "c.yaml")])).toMatchObject({ code: 2, err: expect.stringContaining("There is no ") });
    expect((await cli(["policy", "lint"])).code).toBe(2);
  });
});

describe("policy diff", () => {
  it("ends with 0 where nothing became more permissive, also where something became stricter", async () => {
    expect(await cli(["policy", "diff", notes, notes])).toMatchObject({ code: 0, out: expect.stringMatching(/^0 regions more permissive, 0 stricter, 0 in/) });
    const stricter = await cli(["policy", "diff", looser, notes]);
    expect(stricter).toMatchObject({ code: 0, out: expect.stringMatching(/^0 regions more permissive, [1-9]\d* stricter/) });
    expect((await cli(["policy", "diff", looser, notes, "--all"])).out).toMatch(/^note: stricter/);
  });

  it("ends with 3 and a command that shows the proof, which explain takes as it is printed", async () => {
    const { code, out } = await cli(["policy", "diff", notes, looser]);
    expect(code).toBe(3);
    expect(out).toMatch(/^note: more permissive \(\d+ of the proposals tried\)\n {2}route: interrupt → allow\n {2}risk: high → low\n/);
    expect(out).toContain("no longer matches: large");
    const [, witness = ""] = /policy explain --policy \S+ --case '(.*)'/.exec(out) ?? [];
    const judged = async (policy: string) => JSON.parse((await cli(["policy", "explain", "--policy", policy, "--case", witness, "--json"])).out);
    expect([await judged(notes), await judged(looser)]).toMatchObject([{ risk: "high" }, { risk: "low" }]);
  });

  it("ends with 3 where the next publication needs fewer people, and says that no proposal shows it", async () => {
    const guarded = file("guarded.yaml", `${POLICY}publish: { approval: { approvals: 2, owner: role:board } }\n`);
    const { code, out } = await cli(["policy", "diff", guarded, notes]);
    expect(code).toBe(3);
    expect(out).toBe(
      "(the publication of this document): more permissive\n  approvals: 2 → 0\n  owner: role:board → nobody\n  expires: after 1 day → never\n  as the documents say: no single proposal shows it\n\n1 region more permissive, 0 stricter, 0 in other hands or at other times (--all shows them)\n",
    );
    expect(lines((await cli(["policy", "diff", guarded, notes, "--json"])).out)).toMatchObject([{ direction: "looser", witness: null }]);
  });

  it("gives one object per region with --json, and says where two different policies are compared", async () => {
    const [region] = lines((await cli(["policy", "diff", notes, looser, "--json"])).out);
    expect(region).toMatchObject({ action: "note", direction: "looser", lost: ["large"], witness: { action: "note", args: { size: expect.any(Number) } } });
    const other = file("other.yaml", POLICY.replace("policy: notes", "policy: others"));
    expect((await cli(["policy", "diff", notes, other])).err).toBe("These are two different policies: support/notes and support/others\n");
  });

  it("refuses a document that does not load, and a file that is not there", async () => {
    expect(await cli(["policy", "diff", notes, broken])).toMatchObject({ code: 2, err: expect.stringContaining("broken.yaml:9:5") });
    expect(await cli(["policy", "diff", notes, join(dir, "gone.yaml")])).toMatchObject({ code: 2, err: expect.stringContaining("there is no such file") });
  });
});

describe("policy explain", () => {
  const explained = (...argv: string[]) => cli(["policy", "explain", "--policy", notes, ...argv]);

  it("says each layer of a judgement with what was found, and what did not match", async () => {
    const { code, out } = await explained("--action", "note", "--args", '{"size": 11, "text": "hi"}', "--confidence", "0.9", "--used", "an-hour=45");
    expect(code).toBe(0);
    expect(out.replace(/^Policy .*$/m, "Policy       notes VERSION")).toBe(
      [
        'note {"size":11,"text":"hi"}',
        "Verdict      interrupt: risk critical (90 points), gate soft, reversible",
        "Policy       notes VERSION",
        "Schema       the arguments conform",
        "Base         0 points",
        "Confidence   0.9; does not raise the base risk",
        "Rules        large: risk: high",
        "               /size above 10: it is 11",
        "             an-hour: risk: critical",
        "               /size above 5: it is 11",
        "             did not match: small-ones",
        "Budgets      notes/an-hour for tenant=support: 45 used before this, limit 50 in",
        "               1 hour",
        "Because      Budget an-hour: 56 in 1 hour for tenant support is above 50 (45",
        "               used before it, 11 more)",
        "             It is large",
        "People       role:lead decides; 1 approval",
        "             may approve, edit, reject; may edit everything",
        "Times        after 5 minutes expired; never approved",
        "             a grant may be started for 1 hour",
        "Milder if    /size at_most 5",
        "",
      ].join("\n"),
    );
  });

  it("gives the verdict with --json, and the same one for options and for a case", async () => {
    const at = "2026-01-06T10:00:00Z";
    const byOptions = await explained(
      "--action",
      "note",
      "--args",
      '{"size": 3}',
      "--agent",
      "bot",
      "--source",
      "logprobs",
      "--confidence",
      "0.8",
      "--at",
      at,
      "--json",
    );
    const byCase = await explained(
      "--case",
      `{action: note, args: {size: 3}, agent: {id: bot}, confidence_source: logprobs, confidence: 0.8, at: "${at}"}`,
      "--json",
    );
    expect(JSON.parse(byOptions.out)).toMatchObject({ route: "allow", risk: "low", matched: [{ rule: "small-ones" }] });
    expect(byCase).toEqual(byOptions);
  });

  it("claims no check that nobody made: no schema, no document, arguments that break it", async () => {
    expect((await explained("--action", "nte")).out).toMatch(/^Schema {7}none: no document describes the action$/m);
    expect((await explained("--action", "nte")).err).toBe('Nobody describes nte; did you mean "note"?\n');
    const breaking = await explained("--action", "note", "--args", '{"size": "x"}');
    expect(breaking.out).toMatch(/^Schema {7}\/size must be number \(type\), not "x"$/m);
    expect(breaking.out).toMatch(/^Rules {8}not asked$/m);
    const bare = file("without.yaml", POLICY.replace(/ {4}arguments: .*\n/, "").replace(/rules:[\s\S]*/, ""));
    expect((await cli(["policy", "explain", "--policy", bare, "--action", "note"])).out).toContain("none: the document does not declare the arguments");
  });

  it.each([
    ["nothing to explain", [], "Name either an item, or a policy"],
    ["an item and a policy", ["4f2a91c0", "--policy", notes], "Name either an item, or a policy"],
    ["a policy without an action", ["--policy", notes], "needs an --action"],
    ["a proposal beside an item", ["4f2a91c0", "--confidence", "0.5"], "--confidence describes a proposal, and the item has one already"],
    ["a proposal told twice", ["--policy", notes, "--case", "{action: note}", "--agent", "bot"], "--agent and --case exclude each other"],
    ["a budget that nobody has", ["--policy", notes, "--action", "note", "--used", "an-hor=3"], 'no policy has a budget "an-hor"; did you mean "an-hour"?'],
    ["usage that is no number", ["--policy", notes, "--action", "note", "--used", "an-hour=much"], "is not BUDGET=NUMBER"],
    ["arguments that are no JSON", ["--policy", notes, "--action", "note", "--args", "{size: 1}"], "--args is not valid JSON"],
    ["a case with a typo", ["--policy", notes, "--case", "{acton: note}"], 'unknown key "acton"; did you mean "action"?'],
    ["a confidence above 1", ["--policy", notes, "--action", "note", "--confidence", "2"], "must be a number from 0 to 1"],
    ["a time that is none", ["--policy", notes, "--action", "note", "--at", "noon"], "must be a time such as"],
    ["an id that is none", ["4f2"], "is no item id"],
    ["a policy that does not load", ["--policy", broken, "--action", "note"], "broken.yaml:9:5"],
  ])("refuses %s", async (_, argv, message) => {
    const { code, out, err } = await cli(["policy", "explain", ...argv]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });

  test("explains every verdict on an item of the log, the one on an edit last; what is not there is not found", async () => {
    const data = tempDir();
    const bench = await openBench({ dir: data });
    await bench.publish(POLICY);
    const itemId = await bench.propose("k1", "note", { size: 11, text: "hi" });
    await bench.decide(itemId, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ size: 12, text: "hi" }) }] });
    const { code, out } = await cli(["policy", "explain", itemId.slice(0, 8), "--data", data]);
    expect(code).toBe(0);
    expect(out.match(/\(answers the (\w+)\)/g)).toEqual(["(answers the proposal)", "(answers the edit)"]);
    expect(out.match(/\/size above 10: it is \d+/g)).toEqual(["/size above 10: it is 11", "/size above 10: it is 12"]);
    expect(lines((await cli(["policy", "explain", itemId, "--data", data, "--json"])).out)).toMatchObject([
      { itemId, risk: "high" },
      { itemId, risk: "high" },
    ]);
    expect(await cli(["policy", "explain", "deadbeef", "--data", data])).toMatchObject({ code: 4, err: expect.stringContaining("queue --all") });
    expect(await cli(["policy", "explain", itemId, "--data", join(dir, "nothing")])).toMatchObject({
      code: 4,
      err: expect.stringContaining("There is no log"),
    });
  });
});
