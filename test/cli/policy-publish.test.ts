import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { canonicalArgs, type Json, sha256 } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import { publicationArgs } from "../../src/policy/publication.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import type { Judge } from "../../src/workers/policy-worker.ts";
import { tempDir } from "../support/views.ts";
import { cli, lines } from "./harness.ts";

const POLICY = `policy: notes
workspace: w
owner: role:boss
publish: { approval: { owner: role:policy } }
actions:
  "*": { reversibility: reversible, execution: idempotent, risk: low }
floors: [{ id: nothing, forbid: true, because: "Closed" }]
`;

/** A running ledger without a gateway, over a log that the command opens beside it. */
async function running(
  judge?: (engine: Judge) => Judge,
): Promise<{ ledger: Ledger; dir: string; publish: (text: string, ...more: string[]) => ReturnType<typeof cli> }> {
  const dir = tempDir();
  const ledger = await openLedger({ log: `sqlite:${dir}`, data: join(dir, "data"), ...(judge && { judge }) });
  onTestFinished(() => ledger.close());
  await ledger.start();
  const publish = (text: string, ...more: string[]) => {
    writeFileSync(join(dir, "notes.yaml"), text);
    return cli(["policy", "publish", join(dir, "notes.yaml"), "--log", `sqlite:${dir}`, "--json", ...more]);
  };
  return { ledger, dir, publish };
}

async function until<T>(look: () => T | undefined | null | false): Promise<T> {
  for (let i = 0; i < 2000; i++) {
    const found = look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("it did not get there");
}

const version = (ledger: Ledger) => ledger.queries.policies()[0]?.version;

async function decide(ledger: Ledger, itemId: string, kind: "approve" | "reject", person: string) {
  const verdict = await until(() => ledger.queries.item(itemId)?.life.verdict);
  const { position, eventId } = await ledger.write("decisions", itemId, {
    workspace: "w",
    answers: { topic: "verdicts", eventId: verdict.id },
    actor: { kind: "person", id: person, roles: ["policy"] },
    kind,
    scope: "action",
    seen: { cardSha256: verdict.terms.cardSha256 as string },
  });
  await ledger.waitFor([position]);
  return { eventId, ruling: ledger.queries.event(itemId, "decisions", eventId) };
}

/** The arguments of a true proposal to replace version 1, which is in force, by version 2. */
async function proposable(ledger: Ledger, publish: Awaited<ReturnType<typeof running>>["publish"]): Promise<{ [key: string]: Json }> {
  await publish(`${POLICY}version: 1\n`, "--as", "ann");
  const before = await until(() => ledger.queries.policies()[0]);
  const { written } = parsePolicy(before.document);
  const after = publishable(`${POLICY.replace("boss", "chief")}version: 2\n`, "notes.yaml", () => "");
  return publicationArgs({ ref: { id: "notes", version: "1" }, workspace: "w", written }, after);
}

async function proposeAs(ledger: Ledger, owner: string | undefined, args: object): Promise<string> {
  const itemId = itemIdOf("w", "bot", "k");
  await ledger.write("proposals", itemId, {
    workspace: "w",
    actor: { kind: "agent", id: "bot" },
    ask: "review",
    idempotencyKey: "k",
    agent: { id: "bot", ...(owner === undefined ? {} : { owner }) },
    actions: [{ actionId: "a", tool: "countersign.policy.publish", ...canonicalArgs(args), confidence: 1 }],
  });
  return itemId;
}

describe("policy publish", () => {
  test("puts the first version in force at once; a change waits for somebody other than its author, and is then published by the authority", async () => {
    const { ledger, publish } = await running();
    expect(lines((await publish(`${POLICY}version: 1\n`, "--as", "ann")).out)).toMatchObject([{ status: "published", version: "1" }]);
    await until(() => version(ledger) === "1");
    expect(await publish(`${POLICY}version: 1\n`, "--as", "ann")).toMatchObject({ code: 0, out: expect.stringContaining('"unchanged"') });

    const proposed = await publish(`${POLICY.replace("boss", "chief")}version: 2\n`, "--as", "ann");
    expect(proposed.code).toBe(6);
    const [{ itemId = "" } = {}] = lines<{ itemId: string }>(proposed.out);
    const view = await until(() => (ledger.queries.item(itemId)?.stage === "pending" ? ledger.queries.item(itemId) : undefined));
    expect(view).toMatchObject({
      owner: "role:policy",
      life: { verdict: { terms: { route: "interrupt", gate: "hard", separation: ["proposer", "agent_owner"] } } },
    });
    expect(view.summary.headline).toBe("Publish version 2 of policy notes");
    expect(JSON.parse(view.life.verdict?.actions[0]?.args as string)).toMatchObject({
      replaces: "1",
      changes: ['/owner: "role:boss" → "role:chief"', "/version: 1 → 2"],
    });
    expect((await publish(`${POLICY.replace("boss", "chief")}version: 2\n`, "--as", "ann")).out).toContain(itemId);

    expect((await decide(ledger, itemId, "approve", "ann")).ruling).toMatchObject({ status: "illegal", reason: expect.stringContaining("separation") });
    expect(version(ledger)).toBe("1");
    const { eventId } = await decide(ledger, itemId, "approve", "bob");
    await until(() => version(ledger) === "2");
    await until(() => ledger.queries.item(itemId)?.life.outcome === "succeeded");
    const inForce = ledger.queries.policies()[0]!;
    expect(await ledger.events.get("policy:w:notes", "policies", inForce.eventId)).toMatchObject({
      approvedBy: { itemId, eventId },
      actor: { kind: "authority", id: "policy-authority" },
    });
  });

  test.each(["off", "shadow"])(
    "under mode %s a change waits as well, for the same people: a document that does not act still binds who changes it",
    async (mode) => {
      const { ledger, publish } = await running();
      const before = `${POLICY}mode: "${mode}"\n`;
      await publish(`${before}version: 1\n`, "--as", "ann");
      await until(() => version(ledger) === "1");
      const proposed = await publish(`${POLICY}version: 2\n`, "--as", "ann");
      expect(proposed.code).toBe(6);
      const [{ itemId = "" } = {}] = lines<{ itemId: string }>(proposed.out);
      const view = await until(() => (ledger.queries.item(itemId)?.stage === "pending" ? ledger.queries.item(itemId) : undefined));
      expect(view).toMatchObject({ owner: "role:policy", life: { verdict: { terms: { gate: "hard", separation: ["proposer", "agent_owner"] } } } });
      expect(await ledger.events.get(itemId, "verdicts", view.life.verdict?.id as string)).toMatchObject({ policy: { id: "notes" }, shadow: [] });
      expect((await decide(ledger, itemId, "approve", "ann")).ruling).toMatchObject({ status: "illegal", reason: expect.stringContaining("separation") });
      await decide(ledger, itemId, "approve", "bob");
      await until(() => version(ledger) === "2");
    },
  );

  test("a rejected change is not published, and can be proposed again", async () => {
    const { ledger, publish } = await running();
    await publish(`${POLICY}version: 1\n`, "--as", "ann");
    await until(() => version(ledger) === "1");
    const propose = async () => lines<{ itemId: string }>((await publish(`${POLICY}version: 2\n`, "--as", "ann")).out)[0]?.itemId ?? "";
    const first = await propose();
    await decide(ledger, first, "reject", "bob");
    await until(() => ledger.queries.item(first)?.life.outcome === "refused");
    expect(await propose()).not.toBe(first);
    expect(version(ledger)).toBe("1");
  });

  test("an agent may propose a change itself: its owner cannot approve it, and what is approved is published", async () => {
    const { ledger, publish } = await running();
    const args = await proposable(ledger, publish);
    const itemId = await proposeAs(ledger, "ann", args);
    await until(() => ledger.queries.item(itemId)?.stage === "pending");
    expect((await decide(ledger, itemId, "approve", "ann")).ruling).toMatchObject({ status: "illegal", reason: expect.stringContaining("separation") });
    await decide(ledger, itemId, "approve", "bob");
    await until(() => version(ledger) === "2");
  });

  test.each<[string, string | undefined, object, string]>([
    ["of which nobody known is the author", undefined, {}, "Nobody known is the author"],
    ["whose list of changes leaves something out", "ann", { changes: ["/version: 1 → 2"] }, "/changes is not what follows from the document"],
    [
      "that says it replaces another version",
      "ann",
      { replaces: "0" },
      '/replaces is not what follows from the document and version 1, which is in force: it says "0", and should say "1"',
    ],
    ["that says more than what changes", "ann", { note: "approved by legal" }, "/note is not what follows"],
    ["whose version is not that of its document", "ann", { version: "3" }, "/version is not what follows"],
    ["whose hash is of another document", "ann", { sha256: "0".repeat(64) }, "The document is not the one that its hash names"],
    ["of a policy that nobody has published", "ann", { policy: "other" }, 'No version of policy "other" is in force'],
    ["whose document is no JSON", "ann", { document: "policy: notes", sha256: sha256("policy: notes") }, "cannot be read as JSON"],
  ])("a proposed publication %s is forbidden, and so shown to nobody", async (_, owner, change, why) => {
    const { ledger, publish } = await running();
    const itemId = await proposeAs(ledger, owner, { ...(await proposable(ledger, publish)), ...change });
    await until(() => ledger.queries.item(itemId)?.life.outcome === "forbidden");
    const verdict = ledger.queries.item(itemId)?.life.verdict;
    expect(await ledger.events.get(itemId, "verdicts", verdict?.id as string)).toMatchObject({
      route: "forbid",
      error: { code: "event_invalid", message: expect.stringContaining(why) },
    });
    expect(version(ledger)).toBe("1");
  });

  test("what was approved against a version that is no longer in force is not published", async () => {
    const { ledger, publish } = await running();
    const itemId = await proposeAs(ledger, "ann", await proposable(ledger, publish));
    await until(() => ledger.queries.item(itemId)?.stage === "pending");
    const between = publishable(`${POLICY}version: 1b\n`, "notes.yaml", () => "");
    await ledger.write("policies", "policy:w:notes", { ...between, actor: { kind: "authority", id: "test" }, kind: "policy" });
    await until(() => version(ledger) === "1b");
    await decide(ledger, itemId, "approve", "bob");
    const failed = await until(() => ledger.queries.item(itemId)?.life.outcome === "failed" && ledger.queries.timeline(itemId).at(-1));
    expect(await ledger.events.get(itemId, "receipts", failed.eventId)).toMatchObject({
      kind: "failed",
      error: { message: expect.stringContaining("/replaces") },
    });
    expect(version(ledger)).toBe("1b");
  });

  test("the authority holds to separation itself, whatever the verdict asked for", async () => {
    const { ledger, publish } = await running((engine) => (input) => ({ ...engine(input), separation: [] }));
    const itemId = await proposeAs(ledger, "ann", await proposable(ledger, publish));
    await until(() => ledger.queries.item(itemId)?.stage === "pending");
    expect((await decide(ledger, itemId, "approve", "ann")).ruling).toMatchObject({ status: "effective" });
    const failed = await until(() => ledger.queries.item(itemId)?.life.outcome === "failed" && ledger.queries.timeline(itemId).at(-1));
    expect(await ledger.events.get(itemId, "receipts", failed.eventId)).toMatchObject({ error: { message: expect.stringContaining("ann is the author") } });
    expect(version(ledger)).toBe("1");
  });

  test("takes folders and passes over files of tests; where nothing is left it says so", async () => {
    const { dir, publish } = await running();
    await publish(POLICY, "--as", "ann");
    writeFileSync(join(dir, "notes.policytest.yaml"), "policy: notes.yaml\ncases: []\n");
    const args = (name: string) => ["policy", "publish", join(dir, name), "--log", `sqlite:${dir}`, "--as", "ann"];
    expect(await cli(args("."))).toMatchObject({ code: 0, out: expect.stringContaining("Unchanged: policy notes") });
    expect(await cli(args("notes.policytest.yaml"))).toMatchObject({ code: 2, err: expect.stringContaining("There is no policy among") });
    expect(await cli(args("gone.yaml"))).toMatchObject({ code: 2, err: expect.stringContaining("There is no ") });
  });

  test("asks for the author, and refuses a catalogue that describes Countersign's own tools", async () => {
    const { publish } = await running();
    expect(await publish(POLICY)).toMatchObject({ code: 2, err: expect.stringContaining("--as") });
    const own = POLICY.replace('"*"', '"countersign.policy.publish"');
    expect((await publish(own, "--as", "ann")).err).toContain("is a tool of Countersign itself");
  });
});
