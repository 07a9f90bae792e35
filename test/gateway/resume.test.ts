import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../../src/producers/client.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { ledgerKinds, type Place } from "../support/ledgers.ts";
import { openWorld, type World } from "./world.ts";

const DAY = 86_400_000;
/** A change that a committee looks at once in a while. */
const POLICY = `
policy: changes
workspace: default
owner: role:support-lead
mode: enforce
actions:
  change_contract:
    arguments: { type: object, properties: { rate: { type: number } }, required: [rate] }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: hard }
    decisions: [approve, edit, reject]
    editable: [/rate]
    timeout: P14D
    on_expiry: reject
    grant_ttl: P10D
    lease: PT2M
`;

for (const { name, why, place: makePlace } of await ledgerKinds()) {
  describe.skipIf(why !== null)(`a run that waits for days, on ${name}`, () => {
    const clock = { at: Date.UTC(2026, 10, 2, 9) };
    let place: Place;
    let world: World;
    beforeAll(async () => {
      place = await makePlace();
      world = await openWorld({ log: place.log, policy: POLICY, now: () => clock.at });
    });
    afterAll(async () => {
      await world.close();
      place.remove();
    });

    /** Ends everything, and starts it again after so long. */
    async function away(ms: number): Promise<void> {
      const { dir, key } = world;
      await world.close({ keep: true });
      clock.at += ms;
      world = await openWorld({ dir, key, log: place.log, now: () => clock.at });
    }
    const propose = (rate: number, threadId: string) =>
      world.judged({ tool: "change_contract", args: { rate }, run: { framework: "langgraph", threadId, checkpointId: `${threadId}/c-4` } });
    const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
    /** What a run that comes back has: the id of its item, and nothing else. */
    const handle = (itemId: string) =>
      createClient({ url: world.gateway.url, apiKey: world.key.agent ?? "", executorKey: world.key.executor ?? "" }).item(itemId);

    test("decided after seven days and a restart: the outcome reaches it with the checkpoint it paused at, and it goes on there", async () => {
      const item = await propose(5, "thread-a");
      await away(7 * DAY);
      expect(await view(item.itemId)).toEqual(item);
      expect((await world.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args: { rate: 4 } }], message: "4 is fair" })).status).toBe(200);
      const outcome = await handle(item.itemId).outcome({ timeoutMs: 10_000 });
      expect(outcome).toMatchObject({
        status: "proceed_edited",
        message: expect.stringContaining("from 5 to 4"),
        run: { framework: "langgraph", threadId: "thread-a", checkpointId: "thread-a/c-4" },
      });
      const started = await handle(item.itemId).start();
      expect(started.args).toEqual({ rate: 4 });
      await started.succeed({ externalRef: { system: "crm", id: "c-1" }, resumed: { threadId: "thread-a", checkpointId: "thread-a/c-4" } });
      expect(await view(item.itemId)).toMatchObject({ stage: "done", outcome: "succeeded", findings: [] });
    });

    test("decided before everything went away: the grant is still there seven days later, and starts once", async () => {
      const item = await propose(6, "thread-b");
      expect((await world.decide("lead", item, { kind: "approve" })).status).toBe(200);
      const before = await handle(item.itemId).outcome({ timeoutMs: 10_000 });
      await away(7 * DAY);
      const after = await handle(item.itemId).outcome({ timeoutMs: 10_000 });
      expect(after).toEqual(before);
      expect(after).toMatchObject({ status: "proceed", run: { threadId: "thread-b" } });
      const starts = await Promise.allSettled([handle(item.itemId).start(), handle(item.itemId).start()]);
      expect(starts.map((s) => s.status).sort()).toEqual(["fulfilled", "rejected"]);
      expect(starts.find((s) => s.status === "rejected")).toMatchObject({ reason: { code: "already_started" } });
    });

    test("decided, and everything gone before the dispatcher had its turn: the grant is written after the restart", async () => {
      const item = await propose(7, "thread-c");
      const { dir, key } = world;
      await world.close({ keep: true });
      world = await openWorld({ dir, key, log: place.log, now: () => clock.at, workers: false });
      expect((await world.decide("lead", item, { kind: "approve" })).status).toBe(200);
      expect((await view(item.itemId)).stage).toBe("settled");
      await away(7 * DAY);
      expect(await handle(item.itemId).outcome({ timeoutMs: 10_000 })).toMatchObject({ status: "proceed", run: { threadId: "thread-c" } });
      expect((await view(item.itemId)).timeline.filter((e) => e.topic === "resumes")).toMatchObject([{ what: "proceed", status: "effective" }]);
    });

    test("a run that goes on at another checkpoint after all that time is a finding", async () => {
      const item = await propose(8, "thread-d");
      await away(7 * DAY);
      await world.decide("lead", item, { kind: "approve" });
      const run = handle(item.itemId);
      await run.outcome({ timeoutMs: 10_000 });
      await (await run.start()).succeed({ resumed: { threadId: "thread-d", checkpointId: "thread-d/c-9" } });
      expect(await view(item.itemId)).toMatchObject({ outcome: "succeeded", findings: [{ code: "resumed_elsewhere" }] });
    });

    test("nobody decided in time while everything was away: the run is told that time ran out, which is no refusal", async () => {
      const item = await propose(9, "thread-e");
      await away(15 * DAY);
      const outcome = await handle(item.itemId).outcome({ timeoutMs: 10_000 });
      expect(outcome).not.toHaveProperty("grant");
      expect(outcome).toMatchObject({
        status: "expired",
        message: expect.stringContaining("not a refusal"),
        run: { threadId: "thread-e" },
      });
      expect((await view(item.itemId)).timeline.map((e) => `${e.what} ${e.status}`)).toEqual([
        "review effective",
        "interrupt effective",
        "expire effective",
        "expired effective",
      ]);
    });
  });
}
