import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { effectKeyOf } from "../../src/events/ids.ts";
import { viewsDifference } from "../../src/projector/dump.ts";
import { openProjector } from "../../src/projector/projector.ts";
import { untilItem } from "../../src/projector/until.ts";
import { viewsOptions } from "../../src/runtime.ts";
import { collected } from "../evals/collected.ts";
import { type LedgerKind, ledgerKinds, type Place } from "../support/ledgers.ts";
import { ANN, BOB, EVE, MINUTE, verdictOf, World } from "./world.ts";

for (const kind of await ledgerKinds()) {
  if (kind.why !== null) test.skip(`the chain on ${kind.name}: ${kind.why}`, () => undefined);
  else describe(`the chain on ${kind.name}`, () => chain(kind));
}

/** Every test says the same of every log. They share one ledger: the last ones look at what the others have left there. */
function chain(kind: LedgerKind): void {
  let place: Place;
  let world: World;
  beforeAll(async () => {
    place = await kind.place();
    world = await World.open(place);
  });
  afterAll(async () => {
    await world?.close();
    place?.remove();
  });

  describe("the four routes", () => {
    test("allow: what policy lets flow is granted at once with exactly its arguments, and nobody decides", async () => {
      const itemId = await world.propose("allow", "look_up", { order: "A-1" });
      const grant = await world.execute(itemId);
      const { args, argsSha256 } = canonicalArgs({ order: "A-1" });
      const effectKey = effectKeyOf(itemId, "a1", argsSha256);
      expect(grant.event.actions).toEqual([{ actionId: "a1", tool: "look_up", args, argsSha256, execution: "idempotent", leaseMs: 120_000, effectKey }]);
      expect(grant.event.answers).toEqual({ topic: "verdicts", eventId: world.view(itemId).life.verdict?.id });
      expect(world.view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded" });
      expect(world.story(itemId)).toEqual(["proposals review", "verdicts allow", "resumes proceed", "receipts started", "receipts succeeded"]);
    });

    test("batch: a medium risk waits for a person under the key of its batch", async () => {
      const itemId = await world.pending("batch", "change_address", { order: "A-2", street: "Elm Road 1" });
      expect(await verdictOf(world, itemId)).toMatchObject({ route: "batch", risk: "medium", batchKey: "shop:chain:change_address:role:lead", batchMax: 20 });
      expect(await world.decide(itemId, ANN, "approve")).toMatchObject({ status: "effective" });
      await world.execute(itemId);
      expect(world.view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded" });
    });

    test("interrupt: the owner approves until an absolute time, the run goes on with the approved arguments, and the receipt closes it", async () => {
      const itemId = await world.pending("interrupt", "refund", { order: "A-3", amount: 40 });
      expect(await verdictOf(world, itemId)).toMatchObject({
        route: "interrupt",
        owner: "role:lead",
        expiresAt: world.now() + 60 * MINUTE,
        allowedDecisions: ["approve", "edit", "reject"],
        receiptTarget: { system: "shop", id: "A-3" },
      });
      expect(world.ledger.queries.queue().map((i) => i.itemId)).toContain(itemId);
      const approved = await world.decide(itemId, ANN, "approve");
      expect(approved.status).toBe("effective");
      const grant = await world.grant(itemId);
      expect(grant.event).toMatchObject({
        outcome: "proceed",
        answers: { topic: "decisions", eventId: approved.eventId },
        actions: [canonicalArgs({ order: "A-3", amount: 40 })],
        notAfter: world.now() + 10 * MINUTE,
      });
      await world.receipt(itemId, grant, "started");
      expect(world.view(itemId).stage).toBe("executing");
      await world.receipt(itemId, grant, "succeeded", { externalRef: { system: "psp", id: "re_1" } });
      expect(world.view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded" });
      expect((await world.last(itemId, "receipts")).event.externalRef).toEqual({ system: "psp", id: "re_1", url: null });
      expect(world.ledger.queries.queue().map((i) => i.itemId)).not.toContain(itemId);
    });

    test("forbid: it is done at once, never in the queue, and nobody can approve it", async () => {
      const itemId = await world.propose("forbid", "delete_order", { order: "A-4" });
      expect((await world.until(itemId, "done")).outcome).toBe("forbidden");
      expect(world.ledger.queries.queue().map((i) => i.itemId)).not.toContain(itemId);
      // The item is done with the verdict; the run is told by the resume that follows.
      await untilItem(world.ledger, itemId, (view) => view.life.resume ?? undefined);
      expect((await world.last(itemId, "resumes")).event).toMatchObject({
        outcome: "forbidden",
        actions: [],
        message: expect.stringContaining("Orders are never deleted"),
      });
      expect(await world.decide(itemId, ANN, "approve")).toMatchObject({ status: "illegal", reason: expect.stringContaining("forbidden") });
      expect(world.story(itemId)).toEqual(["proposals review", "verdicts forbid", "resumes forbidden"]);
    });
  });

  describe("edit", () => {
    test("an edit is judged again, closes the verdict that it answers, and runs with its own arguments", async () => {
      const itemId = await world.pending("edit", "refund", { order: "B-1", amount: 300 });
      const first = await verdictOf(world, itemId);
      const edited = await world.edit(itemId, ANN, { order: "B-1", amount: 30 });
      expect(edited.status).toBe("effective");
      const grant = await world.grant(itemId);
      const again = await verdictOf(world, itemId);
      expect(again.eventId).not.toBe(first.eventId);
      expect(again.answers).toEqual({ topic: "decisions", eventId: edited.eventId });
      expect(grant.event).toMatchObject({
        outcome: "proceed_edited",
        actions: [canonicalArgs({ order: "B-1", amount: 30 })],
        message: expect.stringContaining("refund /amount"),
      });
      const late = await world.decide(itemId, BOB, "approve", {
        answers: { topic: "verdicts", eventId: first.eventId },
        seen: { cardSha256: first.cardSha256 },
      });
      expect(late).toMatchObject({ status: "superseded", reason: `closed by edit ${edited.eventId}` });
      await world.execute(itemId);
    });

    test("an edit that policy judges more severely waits for a second person, and the editor's vote stands", async () => {
      const itemId = await world.pending("edit up", "refund", { order: "B-2", amount: 400 });
      await world.edit(itemId, ANN, { order: "B-2", amount: 600 }, { message: "Shipping is part of it." });
      await world.until(itemId, "pending");
      expect(await verdictOf(world, itemId)).toMatchObject({ risk: "critical", approvals: 2 });
      expect(world.view(itemId).life.verdict?.group.votes).toEqual(["ann"]);
      expect(await world.decide(itemId, ANN, "approve")).toMatchObject({ status: "superseded", reason: "voted already" });
      expect(await world.decide(itemId, BOB, "approve", { message: "Agreed." })).toMatchObject({ status: "effective" });
      expect((await world.execute(itemId)).event).toMatchObject({
        actions: [canonicalArgs({ order: "B-2", amount: 600 })],
        message: "Approved with changes: refund /amount. Shipping is part of it. Agreed.",
      });
    });

    test("a forbidden edit falls back to the terms as they were, and those can still be approved", async () => {
      const itemId = await world.pending("edit forbidden", "refund", { order: "B-3", amount: 50 });
      const first = await verdictOf(world, itemId);
      const edited = await world.edit(itemId, ANN, { order: "B-3", amount: 20_000 });
      await world.until(itemId, "pending");
      const fallback = await verdictOf(world, itemId);
      expect(fallback).toMatchObject({
        route: "forbid",
        answers: { eventId: edited.eventId },
        because: expect.arrayContaining(["Nobody refunds more than 10,000"]),
      });
      expect(world.view(itemId).life.verdict).toMatchObject({ fallback: true, terms: { cardSha256: first.cardSha256 } });
      await world.decide(itemId, ANN, "approve");
      expect((await world.execute(itemId)).event).toMatchObject({ outcome: "proceed", actions: [canonicalArgs({ order: "B-3", amount: 50 })] });
    });

    test("an edit outside its editable paths has no effect", async () => {
      const itemId = await world.pending("edit elsewhere", "refund", { order: "B-4", amount: 50 });
      expect(await world.edit(itemId, ANN, { order: "B-5", amount: 50 })).toMatchObject({ status: "illegal", reason: "edit: /order of a1 is not editable" });
      await world.decide(itemId, ANN, "reject", { reasonCodes: ["wrong_order"] });
      await world.until(itemId, "done");
    });
  });

  describe("the other decisions", () => {
    test("reject: nothing runs, and the model is told why", async () => {
      const itemId = await world.pending("reject", "refund", { order: "C-1", amount: 50 });
      await world.decide(itemId, ANN, "reject", { message: "Ask for the receipt first", reasonCodes: ["evidence"] });
      expect((await world.until(itemId, "done")).outcome).toBe("refused");
      expect((await world.last(itemId, "resumes")).event).toMatchObject({
        outcome: "refused",
        actions: [],
        message: "Ask for the receipt first",
        notAfter: null,
      });
    });

    test("respond answers a question without running anything, and a question admits nothing else", async () => {
      const itemId = await world.ask("respond", { ask: "question", question: "Which of the two orders is meant?", actions: [] });
      await world.until(itemId, "pending");
      expect((await world.decide(itemId, ANN, "approve")).status).toBe("illegal");
      await world.decide(itemId, ANN, "respond", { message: "The second one" });
      expect((await world.until(itemId, "done")).outcome).toBe("responded");
      expect((await world.last(itemId, "resumes")).event).toMatchObject({ outcome: "responded", actions: [], message: "The second one" });
    });

    test("acknowledge closes a notice", async () => {
      const itemId = await world.ask("acknowledge", { ask: "notify", question: "The import skipped 3 rows", actions: [] });
      await world.until(itemId, "pending");
      await world.decide(itemId, ANN, "acknowledge");
      expect((await world.until(itemId, "done")).outcome).toBe("acknowledged");
    });

    test("the first of two decisions takes effect, and the other is kept with the reason", async () => {
      const itemId = await world.pending("race", "refund", { order: "C-2", amount: 60 });
      const both = await Promise.all([world.decide(itemId, ANN, "approve"), world.decide(itemId, BOB, "reject", { reasonCodes: ["no"] })]);
      expect(both.map((r) => r.status).sort()).toEqual(["effective", "superseded"]);
      const winner = both.find((r) => r.status === "effective");
      expect(both.find((r) => r.status === "superseded")?.reason).toMatch(new RegExp(`^closed by (approve|reject) ${winner?.eventId}$`));
      if (world.view(itemId).stage !== "done" && both[0]?.status === "effective") await world.execute(itemId);
      await world.until(itemId, "done");
    });

    test("somebody without the owner's role, and somebody who saw another card, decide nothing", async () => {
      const itemId = await world.pending("not entitled", "refund", { order: "C-3", amount: 70 });
      expect(await world.decide(itemId, EVE, "approve")).toMatchObject({ status: "illegal", reason: expect.stringContaining("not entitled") });
      expect(await world.decide(itemId, ANN, "approve", { seen: { cardSha256: "0".repeat(64) } })).toMatchObject({
        status: "illegal",
        reason: expect.stringContaining("stale"),
      });
      expect(world.view(itemId).stage).toBe("pending");
      await world.withdraw(itemId);
      await world.until(itemId, "done");
    });

    test("withdraw: before a grant nothing runs; after it the clock revokes what was not started", async () => {
      const before = await world.pending("withdraw", "refund", { order: "C-4", amount: 80 });
      expect((await world.withdraw(before)).status).toBe("effective");
      expect((await world.until(before, "done")).outcome).toBe("withdrawn");
      const after = await world.propose("withdraw late", "look_up", { order: "C-5" });
      const grant = await world.grant(after);
      expect((await world.withdraw(after)).status).toBe("effective");
      expect((await world.until(after, "done")).outcome).toBe("revoked");
      expect(await world.receipt(after, grant, "started")).toMatchObject({ status: "superseded", reason: expect.stringContaining("closed by revoked") });
    });
  });

  describe("time", () => {
    test("expire: an undecided item ends as expired, which is no person's refusal, and nobody can decide it later", async () => {
      const itemId = await world.pending("expire", "refund", { order: "D-1", amount: 90 });
      await world.later(61 * MINUTE);
      expect((await world.until(itemId, "done")).outcome).toBe("expired");
      const { event } = await world.last(itemId, "decisions");
      expect(event).toMatchObject({ kind: "expire", actor: { kind: "clock" } });
      expect((await world.last(itemId, "resumes")).event).toMatchObject({ outcome: "expired", actions: [], message: expect.stringContaining("not a refusal") });
      expect(await world.decide(itemId, ANN, "approve")).toMatchObject({ status: "superseded", reason: `closed by expire ${event.eventId}` });
    });

    test("an expiry that is written too early has no effect", async () => {
      const itemId = await world.pending("early", "refund", { order: "D-2", amount: 91 });
      const early = await world.decide(itemId, ANN, "expire", { actor: { kind: "clock", id: "timekeeper" }, seen: null });
      expect(early).toMatchObject({ status: "illegal", reason: expect.stringContaining("early") });
      await world.withdraw(itemId);
      await world.until(itemId, "done");
    });

    test("the ladder moves the owner, and after its last step a held item waits: it is never approved by silence", async () => {
      const itemId = await world.pending("hold", "close_shop", { order: "D-3" });
      expect(await verdictOf(world, itemId)).toMatchObject({ owner: "role:lead", onExpiry: "hold", ladder: [{ step: 1, to: "role:director", page: true }] });
      await world.later(61 * MINUTE);
      await expect.poll(() => world.view(itemId).owner).toBe("role:director");
      expect((await world.decide(itemId, ANN, "approve")).status).toBe("illegal");
      await world.later(31 * MINUTE);
      await expect.poll(() => world.view(itemId).life.verdict?.group.held).toBe(true);
      expect(world.view(itemId).stage).toBe("pending");
      await world.decide(itemId, { id: "dora", roles: ["director"] }, "reject", { reasonCodes: ["no"] });
      expect((await world.until(itemId, "done")).outcome).toBe("refused");
    });

    test("a grant that nobody starts lapses, and cannot be started afterwards", async () => {
      const itemId = await world.pending("lapse", "refund", { order: "D-4", amount: 92 });
      await world.decide(itemId, ANN, "approve");
      const grant = await world.grant(itemId);
      await world.later(11 * MINUTE);
      expect((await world.until(itemId, "done")).outcome).toBe("lapsed");
      expect((await world.receipt(itemId, grant, "started")).status).toBe("superseded");
    });
  });

  describe("execution", () => {
    test("an action starts once: a second start has no effect", async () => {
      const itemId = await world.propose("start twice", "look_up", { order: "E-1" });
      const grant = await world.grant(itemId);
      const starts = await Promise.all(
        [1, 2].map((n) => world.receipt(itemId, grant, "started", { lease: { id: `lease ${n}`, endsAt: world.now() + MINUTE } })),
      );
      expect(starts.map((s) => s.status).sort()).toEqual(["effective", "superseded"]);
      await world.receipt(itemId, grant, "failed", { error: { code: "down", message: "The shop does not answer" } });
      expect(world.view(itemId)).toMatchObject({ stage: "done", outcome: "failed" });
    });

    test("an execution without an end becomes unknown; the owner settles it as a retry, which runs under a new grant with the same effect key", async () => {
      const itemId = await world.pending("unknown", "refund", { order: "E-2", amount: 93 });
      await world.decide(itemId, ANN, "approve");
      const first = await world.grant(itemId);
      await world.receipt(itemId, first, "started");
      await world.later(2 * MINUTE);
      await world.until(itemId, "in_doubt");
      const unknown = await world.last(itemId, "receipts");
      expect(unknown.event).toMatchObject({ kind: "unknown", actor: { kind: "clock" }, lease: { id: `${first.id}/1` } });
      const settle = (by: typeof ANN) =>
        world.decide(itemId, by, "settle", { answers: { topic: "receipts", eventId: unknown.event.eventId }, seen: null, settlement: { outcome: "retry" } });
      expect(await settle(EVE)).toMatchObject({ status: "illegal", reason: expect.stringContaining("not entitled") });
      const settled = await settle(ANN);
      expect(settled.status).toBe("effective");
      const second = await world.execute(itemId);
      expect(second.id).not.toBe(first.id);
      expect(second.event.answers).toEqual({ topic: "decisions", eventId: settled.eventId });
      expect(second.event.actions).toEqual(first.event.actions);
      expect(world.view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded" });
      // The first execution reports after all: that is a finding, not a second success.
      expect((await world.receipt(itemId, first, "succeeded")).status).toBe("superseded");
      expect(world.ledger.queries.findingsOf(itemId).map((f) => f.code)).toEqual(["late_receipt"]);
    });
  });

  describe("what remains", () => {
    test("the dataset holds one row for each effective decision of a person, read from the topics", async () => {
      const { examples, parked, skipped } = await collected({ log: world.ledger.log, codec: world.ledger.codec, profile: "raw" });
      const effective = world.ledger.queries
        .list({ limit: 1000 })
        .flatMap(({ itemId }) => world.ledger.queries.timeline(itemId).map((e) => ({ ...e, itemId })))
        .filter((e) => e.topic === "decisions" && e.status === "effective" && ["approve", "edit", "reject", "respond", "acknowledge"].includes(e.what));
      const rows = examples;
      expect(rows.map((r) => `${r.itemId} ${r.decision.kind} person:${r.decision.reviewer.id}`).sort()).toEqual(
        effective.map((e) => `${e.itemId} ${e.what} ${e.actor}`).sort(),
      );
      expect(examples.length).toBeGreaterThanOrEqual(12);
      expect({ parked, skipped }).toEqual({ parked: 0, skipped: { undecodable: 0, unknownSchema: 0, misplaced: 0 } });
      const edited = rows.find((e) => e.proposed[0]?.argsSha256 === canonicalArgs({ order: "B-1", amount: 300 }).argsSha256);
      expect(edited).toMatchObject({
        decision: { kind: "edit", reviewer: { id: "ann" } },
        final: [{ args: { order: "B-1", amount: 30 } }],
        outcome: { outcome: "succeeded" },
      });
    });

    test("views that are built from the log anew are equal, row for row", async () => {
      const work = mkdtempSync(join(place.data, "rebuilt-"));
      const rebuilt = await openProjector({ ...viewsOptions(world.ledger, work), path: join(work, "views.db") });
      await rebuilt.catchUp();
      const difference = viewsDifference(world.ledger.projector.views.db, rebuilt.views.db);
      rebuilt.close();
      rmSync(work, { recursive: true, force: true });
      expect(difference).toBeNull();
    });

    test("after a restart the same items are there, nothing is written again, and work goes on", async () => {
      const before = world.ledger.queries.list({ limit: 1000 });
      const events = world.ledger.queries.totals().events;
      const at = world.now();
      await world.close();
      world = await World.open(place, at);
      expect(world.ledger.queries.list({ limit: 1000 })).toEqual(before);
      expect(world.ledger.queries.totals()).toMatchObject({ events, parked: 0, bad: 0 });
      const itemId = await world.pending("after the restart", "refund", { order: "F-1", amount: 10 });
      await world.decide(itemId, ANN, "approve");
      await world.execute(itemId);
      expect(world.view(itemId).outcome).toBe("succeeded");
      expect(world.troubles).toEqual([]);
    });
  });
}
