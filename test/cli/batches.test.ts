import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ItemView, ProposalAnswer } from "../../src/producers/wire/answers.ts";
import type { BatchAnswer, BatchDecisionAnswer, ListedBatch } from "../../src/producers/wire/batches.ts";
import { cli, type Ended, lines, makeKey, startUp, type Up } from "./harness.ts";

const POLICY = `
policy: crm
workspace: support
owner: role:steward
mode: enforce
batch: { max: 4, window: PT30M }
actions:
  change_discount:
    arguments: { type: object, properties: { percent: { type: number }, customer: { type: string } }, required: [percent, customer] }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: none }
    fields: { /customer: { label: Customer }, /percent: { label: Percent } }
    card: { headline: "Give {/customer} a discount of {/percent} percent" }
    owner: role:steward
    decisions: [approve, edit, reject]
    editable: [/percent]
    timeout: PT4H
`;

const data = mkdtempSync(join(tmpdir(), "countersign-cli-batches-"));
let up: Up;
let keys: { agent: string; reviewer: string };

beforeAll(async () => {
  const file = join(data, "crm.yaml");
  writeFileSync(file, POLICY);
  keys = {
    agent: await makeKey(data, "--scope", "agent", "--id", "crm-agent", "--workspace", "support"),
    reviewer: await makeKey(data, "--scope", "reviewer", "--id", "dana", "--workspace", "support", "--roles", "steward"),
  };
  up = await startUp(["--data", data, "--policy", file]);
});

afterAll(async () => {
  const ended = await up.stop();
  rmSync(data, { recursive: true, force: true });
  expect(ended.code).toBe(0);
});

const as = (who: keyof typeof keys, ...argv: string[]): Promise<Ended> => cli(argv, { env: { COUNTERSIGN_URL: up.url, COUNTERSIGN_API_KEY: keys[who] } });
const json = async <T>(...argv: string[]): Promise<T> => JSON.parse((await as("reviewer", ...argv, "--json")).out) as T;

let n = 0;

/** Four proposals, and the batch that they make. */
async function sealed(): Promise<BatchAnswer> {
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) {
    const args = JSON.stringify({ percent: 10, customer: `c${++n}@example.com` });
    const { out } = await as("agent", "propose", "--tool", "change_discount", "--args", args, "--key", `k${n}`, "--json");
    ids.push((JSON.parse(out) as ProposalAnswer).itemId);
  }
  for (;;) {
    const item = await json<ItemView>("show", ids[0]!);
    const batch = item.batches[0] === undefined ? undefined : await json<BatchAnswer>("batch", "show", item.batches[0].batchId);
    if (batch?.open === 4) return batch;
  }
}

const cardOf = async (itemId: string | null) => (await json<ItemView>("show", itemId as string)).cardSha256 as string;

describe("batches on the command line", () => {
  it("are listed, shown with the member to open, and decided with exceptions", async () => {
    const batch = await sealed();
    const id = batch.batchId.slice(0, 9);
    const list = await as("reviewer", "batches", "--mine");
    expect(list.out).toContain(batch.batchId);
    expect(list.out).toContain("4 of 4 members to decide · role:steward");
    expect(lines<ListedBatch>((await as("reviewer", "batches", "--json")).out).map((b) => b.batchId)).toContain(batch.batchId);
    const shown = (await as("reviewer", "batch", "show", id)).out;
    expect(shown).toContain("4 members, 4 to decide");
    expect(shown).toContain("→ open this one before you decide");
    expect(shown).toContain("Customer: c1@example.com");
    const [left, edited, rejected] = batch.members.map((m) => m.itemId) as [string, string, string];
    const card = (await cardOf(batch.toOpen)).slice(0, 8);
    const decided = await as(
      "reviewer",
      ...["batch", "decide", id, "--approve-all", "--except", left.slice(0, 8), "--edit", `${edited.slice(0, 8)}={"/percent": 5}`],
      ...["--reject", rejected.slice(0, 8), "--reason", "too_much", "--opened", card],
    );
    expect([decided.code, decided.err]).toEqual([0, ""]);
    expect(decided.out).toContain(`${left.slice(0, 8)}  left as it is`);
    expect(decided.out).toContain(`${edited.slice(0, 8)}  edited`);
    expect(decided.out).toContain(`${rejected.slice(0, 8)}  rejected`);
    expect(decided.out).toContain("3 members decided.");
    expect((await json<ItemView>("show", edited)).actions[0]!.args).toMatchObject({ percent: 5 });
    const item = await as("reviewer", "show", rejected);
    expect(item.out.replace(/\s+/g, " ")).toContain(`Batch ${batch.batchId}, out: decided; of 4, sealed by size`);
    expect((await as("reviewer", "batch", "show", id)).out).toContain("out: decided (reject by person:dana, in this batch)");
  });

  it("are not decided before the drawn member was opened", async () => {
    const batch = await sealed();
    const drawn = batch.toOpen!.slice(0, 8);
    const none = await as("reviewer", "batch", "decide", batch.batchId, "--approve-all");
    expect([none.code, none.out]).toEqual([3, ""]);
    expect(none.err).toContain(`show ${drawn}`);
    const wrong = await as("reviewer", "batch", "decide", batch.batchId, "--approve-all", "--opened", "0123456789");
    expect(wrong.code).toBe(3);
    expect(wrong.err).toContain("--opened 0123456789 is not the card");
    expect((await json<BatchAnswer>("batch", "show", batch.batchId)).open).toBe(4);
    const answer = await json<BatchDecisionAnswer>(
      "batch",
      "decide",
      batch.batchId,
      "--reject-all",
      "--message",
      "Not now",
      "--opened",
      await cardOf(batch.toOpen),
    );
    expect(answer.effective).toBe(4);
  });

  it("refuse what cannot be meant before anything is sent", async () => {
    const batch = await sealed();
    const [a, b] = batch.members.map((m) => m.itemId) as [string, string];
    const table: [string[], string][] = [
      [[], "Nothing is decided"],
      [["--approve-all", "--reject-all"], "exclude each other"],
      [["--except", a, "--approve", b], "--except goes with"],
      [["--approve-all", "--reject", a, "--except", a], "is named twice"],
      [["--approve-all", "--except", "ffffffff"], "No member of the batch begins with"],
      [["--edit", "oops"], "names no member and its changes"],
    ];
    for (const [argv, said] of table) {
      const { code, err } = await as("reviewer", "batch", "decide", batch.batchId, ...argv);
      expect([argv, code]).toEqual([argv, 2]);
      expect(err).toContain(said);
    }
    expect((await as("reviewer", "batch", "show", "bffffff")).code).toBe(4);
    expect((await as("reviewer", "batch", "show", "b")).code).toBe(2);
  });
});

describe("stats interruptions", () => {
  it("says how often an owner was called a day, and how often without batches", async () => {
    await sealed();
    const as = (...argv: string[]) => cli(["stats", "interruptions", "--data", data, ...argv]);
    const { total, owners, days } = JSON.parse((await as("--json")).out) as Record<string, Record<string, unknown>[]> & { total: Record<string, number> };
    expect(total.batches! * 4).toBe(total.members);
    expect(total).toMatchObject({ alone: 0, later: 0, unsealed: 0, without: total.members, notices: total.batches });
    expect(owners).toEqual([{ owner: "role:steward", days: days!.length, ...total }]);
    const { out } = await as("--owner", "steward");
    expect(out).toContain(`role:steward: ${total.notices} notices instead of ${total.without} (25 %)`);
    expect((await as("--owner", "nobody")).out).toBe("Nobody was asked anything.\n");
  });

  it("refuses a zone, an instant and a range that are none", async () => {
    for (const [argv, said] of [
      [["--zone", "Nowhere/Land"], "is no time zone"],
      [["--from", "yesterday"], "is no instant"],
      [["--from", "2026-02-31"], "--from 2026-02-31 is no instant"],
      [["--to", "2026-04-31T08:00:00Z"], "is no instant"],
      [["--from", "2026-02-01", "--to", "2026-01-01"], "--to is not after --from"],
    ] as const) {
      const { code, err } = await cli(["stats", "interruptions", "--data", data, ...argv]);
      expect(code).toBe(2);
      expect(err).toContain(said);
    }
  });
});
