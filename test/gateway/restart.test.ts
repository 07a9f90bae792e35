import { expect, it } from "vitest";
import { createClient } from "../../src/producers/client.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { openWorld } from "./world.ts";

it("survives a restart of everything while a run waits: nothing is lost, nothing runs twice", async () => {
  const first = await openWorld();
  const item = await first.judged({ tool: "issue_refund", args: { amount: 10 }, run: { threadId: "thread-9f2", checkpointId: "c-1" } });
  await first.close({ keep: true });

  const second = await openWorld({ dir: first.dir, key: first.key });
  const before = (await second.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
  expect(before).toEqual(item);
  expect((await second.decide("lead", before, { kind: "approve" })).status).toBe(200);
  const url = second.gateway.url;
  const client = createClient({ url, apiKey: first.key.agent as string, executorKey: first.key.executor as string });
  const handle = client.item(item.itemId);
  const outcome = await handle.outcome({ timeoutMs: 10_000 });
  expect(outcome).toMatchObject({ status: "proceed", run: { threadId: "thread-9f2", checkpointId: "c-1" } });
  await handle.start();
  await second.close({ keep: true });

  const third = await openWorld({ dir: first.dir, key: first.key });
  try {
    const again = createClient({ url: third.gateway.url, apiKey: first.key.agent as string, executorKey: first.key.executor as string }).item(item.itemId);
    await expect(again.start()).rejects.toMatchObject({ code: "already_started" });
    expect(await again.succeed({ externalRef: { system: "psp", id: "re_1" } })).toMatchObject({ item: { stage: "done", outcome: "succeeded" } });
    const { timeline } = (await third.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
    expect(timeline.map((e) => [e.what, e.status])).toEqual([
      ["review", "effective"],
      ["interrupt", "effective"],
      ["approve", "effective"],
      ["proceed", "effective"],
      ["started", "effective"],
      ["succeeded", "effective"],
    ]);
  } finally {
    await third.close();
  }
});
