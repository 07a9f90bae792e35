import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { newEventId } from "../../src/events/ids.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { ledgerKinds, type Place } from "../support/ledgers.ts";
import { openWorld, until, type World } from "./world.ts";

/** Amounts of an edit, and what it leads to. */
const EDITS = { "needs two people": 2000, "is forbidden": 4500 } as const;
const KINDS = await ledgerKinds();

describe.each(KINDS)("on $name", ({ why, place }) => {
  if (why !== null) {
    test.skip(`not run: ${why}`, () => {});
    return;
  }
  let world: World;
  let at: Place;
  let serial = 0;
  beforeAll(async () => {
    at = await place();
    world = await openWorld({ log: at.log });
  });
  afterAll(async () => {
    await world.close();
    at.remove();
  });

  const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
  const done = (itemId: string) => until(async () => ((await view(itemId)).stage === "done" ? view(itemId) : undefined));
  const refund = () => world.judged({ tool: "issue_refund", args: { amount: 20 } });
  const withdraw = (itemId: string, more: object = {}) =>
    world.call<{ status: string; code?: string; detail?: string; item?: ItemView }>("agent", "POST", `/v1/items/${itemId}/decisions`, {
      kind: "withdraw",
      ...more,
    });

  /** An edit, and right behind it a withdrawal of the same verdict, as the race between two requests leaves them. */
  async function editedFirst(item: ItemView, amount: number): Promise<string> {
    const { args, argsSha256 } = canonicalArgs({ amount });
    const base = { workspace: "default", answers: { topic: "verdicts", eventId: item.verdict?.eventId as string }, scope: "action" } as const;
    const edit = { kind: "edit", edits: [{ actionId: "a1", args, argsSha256 }], seen: { cardSha256: item.cardSha256 } } as const;
    const eventId = newEventId();
    const written = await Promise.all([
      world.ledger.write("decisions", item.itemId, { ...base, ...edit, actor: { kind: "person", id: "carol", roles: ["support-lead"] } }),
      world.ledger.write("decisions", item.itemId, { ...base, eventId, kind: "withdraw", actor: { kind: "agent", id: "support-bot" } }),
    ]);
    await world.ledger.waitFor(written.map(({ position }) => position));
    return eventId;
  }

  test.each(Object.entries(EDITS))(
    "a withdrawal that an edit came before, which %s, is repeated on the verdict that follows: one answer, and it is true",
    async (_how, amount) => {
      const item = await refund();
      const eventId = await editedFirst(item, amount);
      // Sent again, as by an agent that heard no answer.
      expect(await withdraw(item.itemId, { eventId })).toMatchObject({ status: 200, body: { status: "effective", item: { decision: { kind: "withdraw" } } } });
      const { timeline } = await view(item.itemId);
      expect(timeline.filter((e) => e.what === "withdraw").map((e) => e.status)).toEqual(["superseded", "effective"]);
      expect(await withdraw(item.itemId, { eventId })).toMatchObject({ status: 200 });
      expect((await world.decide("lead2", await view(item.itemId), { kind: "approve" })).status).toBe(409);
    },
  );

  test("whatever an edit comes to that races a withdrawal, the agent is told that it is withdrawn, and nothing of it is approved afterwards", async () => {
    for (let i = 0; i < 10; i++) {
      const item = await refund();
      const amount = Object.values(EDITS)[i % 2];
      const [, taken] = await Promise.all([world.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args: { amount } }] }), withdraw(item.itemId)]);
      expect(taken.status, JSON.stringify(taken.body)).toBe(200);
      expect((await done(item.itemId)).outcome).toBe("withdrawn");
    }
  });

  test("a proposal that replaces what is edited at the same moment goes through, and the old item is withdrawn", async () => {
    for (let i = 0; i < 6; i++) {
      const old = await refund();
      const [, next] = await Promise.all([
        world.decide("lead", old, { kind: "edit", edits: [{ actionId: "a1", args: { amount: Object.values(EDITS)[i % 2] } }] }),
        world.call("agent", "POST", "/v1/proposals", {
          idempotencyKey: `race-${serial++}`,
          tool: "issue_refund",
          args: { amount: 3 },
          retryOf: old.itemId,
          replaces: true,
        }),
      ]);
      expect(next.status, JSON.stringify(next.body)).toBe(201);
      expect((await done(old.itemId)).outcome).toBe("withdrawn");
    }
  });

  test.each([
    ["was approved", "issue_refund", { amount: 5 }],
    ["flows", "add_note", { text: "x" }],
  ])(
    "a withdrawal that came while a step of a plan ran, which %s, is refused, and takes nothing back once that step has ended; a new one does",
    async (_how, tool, args) => {
      const { itemId, grant } = await world.granted({ actions: [1, 2, 3].map((n) => ({ actionId: `a${n}`, tool, args })) });
      const step = (kind: string, n: number) =>
        world.receipt("executor", itemId, { grant: grant.id, kind, actionId: `a${n}`, argsSha256: grant.actions[n - 1]?.argsSha256 });
      expect((await step("started", 1)).status).toBe(200);
      // As one that lost the race against the start has come to lie in the log.
      const eventId = newEventId();
      const { position } = await world.ledger.write("decisions", itemId, {
        ...{ workspace: "default", kind: "withdraw", scope: "action", eventId },
        answers: { topic: "verdicts", eventId: (await view(itemId)).verdict?.eventId as string },
        actor: { kind: "agent", id: "support-bot" },
      });
      await world.ledger.waitFor([position]);
      expect(await withdraw(itemId, { eventId })).toMatchObject({ status: 409, body: { code: "settled" } });
      expect((await step("succeeded", 1)).status).toBe(200);
      expect(await withdraw(itemId, { eventId })).toMatchObject({ status: 409, body: { code: "settled" } });
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect((await step("started", 2)).status).toBe(200);
      expect((await step("succeeded", 2)).status).toBe(200);
      expect((await withdraw(itemId)).status).toBe(200);
      expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "revoked" });
      expect((await step("started", 3)).status).toBe(409);
    },
  );
});
