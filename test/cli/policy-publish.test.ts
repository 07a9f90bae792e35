import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
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
async function running(): Promise<{ ledger: Ledger; dir: string; publish: (text: string, ...more: string[]) => ReturnType<typeof cli> }> {
  const dir = tempDir();
  const ledger = await openLedger({ log: `sqlite:${dir}`, data: join(dir, "data") });
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

  test("an agent that proposes a publication itself waits for a person too, even where a glob lets everything flow; other documents cannot be smuggled in", async () => {
    const { ledger, publish } = await running();
    await publish(POLICY.replace("publish: { approval: { owner: role:policy } }\n", "").replace(/floors.*\n/, ""), "--as", "ann");
    const before = await until(() => version(ledger));
    const itemId = itemIdOf("w", "bot", "k");
    await ledger.write("proposals", itemId, {
      workspace: "w",
      actor: { kind: "agent", id: "bot" },
      ask: "review",
      idempotencyKey: "k",
      agent: { id: "bot" },
      actions: [
        {
          actionId: "a",
          tool: "countersign.policy.publish",
          ...canonicalArgs({ policy: "notes", version: "9", sha256: "0".repeat(64), document: POLICY }),
          confidence: 1,
        },
      ],
    });
    const verdict = await until(() => ledger.queries.item(itemId)?.life.verdict);
    expect(verdict.terms).toMatchObject({ route: "interrupt", gate: "hard", owner: "role:boss" });
    await ledger.write("decisions", itemId, {
      workspace: "w",
      answers: { topic: "verdicts", eventId: verdict.id },
      actor: { kind: "person", id: "bob", roles: ["boss"] },
      kind: "approve",
      scope: "action",
      seen: { cardSha256: verdict.terms.cardSha256 as string },
    });
    await until(() => ledger.queries.item(itemId)?.life.outcome === "failed");
    expect(version(ledger)).toBe(before);
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
