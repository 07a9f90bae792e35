import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { EXAMPLES_FILE } from "../../src/evals/targets/neutral.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import type { BatchAnswer, BatchDecisionAnswer } from "../../src/producers/wire/batches.ts";
import { openWorld, until } from "../gateway/world.ts";

const POLICY = `
policy: crm
workspace: default
owner: role:support-lead
mode: enforce
batch: { max: 4, window: PT30M }
actions:
  tag_customer:
    arguments: { type: object, properties: { tag: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: none }
    owner: role:support-lead
    decisions: [approve, reject]
    timeout: PT4H
`;

test("a dataset knows of each decision in a batch which batch it was, its size, the place in it and the attention", async () => {
  const world = await openWorld({ policy: POLICY });
  onTestFinished(() => world.close());
  const items: ItemView[] = [];
  for (let n = 0; n < 4; n++) items.push(await world.judged({ tool: "tag_customer", args: { tag: `t${n}` } }));
  const batch = await until(async () => {
    const { batches } = (await world.call<ItemView>("lead", "GET", `/v1/items/${items[0]!.itemId}`)).body;
    const found = batches[0] && (await world.call<BatchAnswer>("lead", "GET", `/v1/batches/${batches[0].batchId}`)).body;
    return found?.open === 4 ? found : undefined;
  });
  const { cardSha256 } = (await world.call<ItemView>("lead", "GET", `/v1/items/${batch.toOpen}`)).body;
  const alone = batch.members.find((m) => m.itemId !== batch.toOpen)!.itemId;
  await world.decide("lead", items.find((i) => i.itemId === alone)!, { kind: "reject", review: { activeMs: 5000 } });
  const { body } = await world.call<BatchDecisionAnswer>("lead", "POST", `/v1/batches/${batch.batchId}/decisions`, {
    seen: { membersSha256: batch.membersSha256 },
    opened: { itemId: batch.toOpen, cardSha256, activeMs: 9000 },
    all: { kind: "approve" },
    review: { activeMs: 13_000, channel: "console" },
  });
  expect(body.effective).toBe(3);
  const out = mkdtempSync(join(tmpdir(), "countersign-batches-"));
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const { log, codec } = world.ledger;
  await exportDataset(join(out, "d"), "jsonl", { log, codec, workspace: "default", key: "k", transcripts: false });
  const rows = readFileSync(join(out, "d", EXAMPLES_FILE), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ReviewedExample);
  const order = (await world.ledger.batches.batch(batch.batchId))!.named;
  const shown = rows.map(({ itemId, decision, review, quality }) => ({
    itemId,
    kind: decision.kind,
    batch: review.batch,
    activeMs: review.activeMs,
    why: quality.why[0],
  }));
  const place = (itemId: string) => ({ id: batch.batchId, size: 4, position: order.indexOf(itemId) + 1 });
  expect(shown.toSorted((a, b) => (a.itemId < b.itemId ? -1 : 1))).toEqual(
    items
      .map(({ itemId }) => itemId)
      .sort()
      .map((itemId) =>
        itemId === alone
          ? { itemId, kind: "reject", batch: null, activeMs: 5000, why: "rejected_without_reason" }
          : itemId === batch.toOpen
            ? { itemId, kind: "approve", batch: place(itemId), activeMs: 9000, why: expect.any(String) }
            : { itemId, kind: "approve", batch: place(itemId), activeMs: 2000, why: "in_a_batch" },
      ),
  );
});
