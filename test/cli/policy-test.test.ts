import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { cli } from "./harness.ts";

const POLICY = `policy: notes
workspace: w
owner: role:boss
actions:
  note:
    arguments: { type: object, properties: { text: { type: string } }, required: [text] }
    reversibility: reversible
    risk: low
    examples: [{ name: An example in the policy, args: { text: hello }, expect: { route: allow } }]
rules:
  - id: shouting
    when: { action: note, args: { /text: { matches: "!!!" } } }
    raise: { risk: high }
    because: "It shouts"
`;
const TESTS = `policy: notes.yaml
cases:
  - name: A shouted note is looked at
    action: note
    args: { text: "now!!!" }
    expect: { route: interrupt, risk: high, owner: role:boss, because: shouts }
`;

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "policy-test-"));
  writeFileSync(join(dir, "notes.yaml"), POLICY);
  writeFileSync(join(dir, "notes.policytest.yaml"), TESTS);
});
afterAll(() => rmSync(dir, { recursive: true }));

describe("policy test", () => {
  it("runs a folder: test files and the examples inside policies, with coverage", async () => {
    const { code, out } = await cli(["policy", "test", dir]);
    expect(out.replaceAll(dir, "DIR")).toBe(`DIR/notes.yaml  2 of 2 cases\nDIR/notes.yaml  coverage 100 % of 2 parts\n2 cases passed\n`);
    expect(code).toBe(0);
  });

  it("runs an export of policy tests as it is, with its folder for each workspace", async () => {
    const { code, out } = await cli(["policy", "test", join(import.meta.dirname, "../evals/golden/policy-tests")]);
    expect([code, out]).toEqual([0, expect.stringContaining("4 cases passed")]);
  });

  it("finds the tests beside a policy that is named, and the policy of tests that are named", async () => {
    for (const name of ["notes.yaml", "notes.policytest.yaml"]) expect((await cli(["policy", "test", join(dir, name)])).out).toContain("2 cases passed");
  });

  it("finds test files in folders inside of a folder, as an export of cases lays them", async () => {
    const exported = mkdtempSync(join(tmpdir(), "countersign-cases-"));
    onTestFinished(() => rmSync(exported, { recursive: true }));
    mkdirSync(join(exported, "support"));
    for (const name of ["notes.yaml", "notes.policytest.yaml"]) copyFileSync(join(dir, name), join(exported, "support", name));
    const { code, out } = await cli(["policy", "test", exported]);
    expect(out).toContain("2 cases passed");
    expect(code).toBe(0);
  });

  it("says what was expected and what came, with the place, and ends with 3", async () => {
    writeFileSync(join(dir, "bad.policytest.yaml"), TESTS.replace("risk: high", "risk: critical").replace("role:boss", "dana"));
    const { code, out } = await cli(["policy", "test", join(dir, "bad.policytest.yaml")]);
    rmSync(join(dir, "bad.policytest.yaml"));
    expect(code).toBe(3);
    expect(out).toContain("✗ A shouted note is looked at");
    expect(out).toContain("bad.policytest.yaml:3");
    expect(out).toMatch(/risk {3}expected critical\n +got {6}high\n {6}owner {2}expected dana\n +got {6}role:boss\n {6}because: It shouts/);
    expect(out).toContain("1 of 2 cases failed");
  });

  it("fails below the coverage and the mutation score that are asked for, and names what no case notices", async () => {
    writeFileSync(join(dir, "thin.yaml"), POLICY.replace("policy: notes", "policy: thin"));
    const { code, out } = await cli(["policy", "test", join(dir, "thin.yaml"), "--min-coverage", "100", "--mutations", "--min-score", "90"]);
    rmSync(join(dir, "thin.yaml"));
    expect(code).toBe(3);
    expect(out).toMatch(/! line 11 {3}rule {6}shouting: no case matches/);
    expect(out).toMatch(/coverage \d+ % is below 100 %/);
    expect(out).toMatch(/! line 11 {3}shouting was dropped\n +try a case in which shouting matches/);
    expect(out).toMatch(/mutation score \d+ % is below 90 %/);
  });

  it("gives one object with --json", async () => {
    const { code, out } = await cli(["policy", "test", dir, "--mutations", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      passed: 2,
      failed: 0,
      cases: [{ name: "A shouted note is looked at", line: 3, passed: true, misses: [], route: "interrupt" }, { name: "An example in the policy" }],
      coverage: [{ percent: 100 }],
      mutations: [{ survivors: expect.any(Array), killed: expect.any(Number) }],
    });
  });

  it("refuses what is no test, with the place and a way out", async () => {
    expect(await cli(["policy", "test", join(dir, "nothing")])).toMatchObject({ code: 2, err: expect.stringContaining("There is no") });
    expect(await cli(["policy", "test", dir, "--min-score", "many"])).toMatchObject({ code: 2, err: expect.stringContaining("percent from 0 to 100") });
    writeFileSync(join(dir, "typo.policytest.yaml"), TESTS.replace("expect:", "expekt:"));
    const typo = await cli(["policy", "test", join(dir, "typo.policytest.yaml")]);
    rmSync(join(dir, "typo.policytest.yaml"));
    expect(typo.code).toBe(2);
    expect(typo.err).toContain('typo.policytest.yaml:6:5 cases[0].expekt: unknown key "expekt"; did you mean "expect"?');
    writeFileSync(join(dir, "lost.policytest.yaml"), TESTS.replace("notes.yaml", "gone.yaml"));
    const lost = await cli(["policy", "test", join(dir, "lost.policytest.yaml")]);
    rmSync(join(dir, "lost.policytest.yaml"));
    expect(lost).toMatchObject({ code: 2, err: expect.stringContaining("gone.yaml") });
  });
});
