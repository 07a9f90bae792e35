import { describe, expect, it } from "vitest";
import { CountersignError } from "../../src/errors.ts";
import type { WorldOptions } from "../gateway/world.ts";
import { until } from "../notify/endpoints.ts";
import { clock, hook, idle, item, kept, noticesOf, refund, routed, SECRET, start, world } from "./notifying.ts";

describe("paging", () => {
  it("pages whom the ladder pages, and resolves the incident once the item is decided, not before", async () => {
    const time = clock();
    const [on, inbox] = [await world({ now: time.now }), await hook({ status: 202, body: '{"status":"success"}' })];
    const oncall = on.keys.createKey({ scope: "reviewer", id: "otto", roles: ["oncall"] }).key;
    const { deliveries } = start(on, kept(), routed(inbox.url));
    const { itemId } = await on.judged(refund());
    await inbox.seen(1);
    time.turn(11 * 60_000);
    const paged = await until(() => inbox.got.find(({ path }) => path === "/pd/v2/enqueue"));
    const { event_action, dedup_key, payload } = JSON.parse(paged.body);
    expect({ event_action, summary: payload.summary }).toEqual({
      event_action: "trigger",
      summary: "Escalated, step 1: issue_refund waits for oncall (high risk)",
    });
    // What is under way when the clock is turned would be taken for left behind, and sent again.
    await until(() => (deliveries.list().every(({ state }) => state === "sent") ? true : undefined));
    // The last step runs out: the item is held, and still nobody has decided.
    time.turn(6 * 60_000);
    await until(async () => ((await item(on, itemId)).held ? true : undefined));
    await idle();
    expect(inbox.got.filter(({ path }) => path === "/pd/v2/enqueue")).toHaveLength(1);
    const rejected = await on.decide(oncall, await item(on, itemId), { kind: "reject", message: "no" });
    expect(rejected).toMatchObject({ status: 200 });
    await until(() => (inbox.got.filter(({ path }) => path === "/pd/v2/enqueue").length === 2 ? true : undefined));
    expect(JSON.parse(inbox.got.at(-1)?.body as string)).toEqual({ routing_key: SECRET, event_action: "resolve", dedup_key });
    await until(() => (deliveries.list().every(({ state }) => state === "sent" || state === "dropped") ? true : undefined));
  });

  it("goes on as before where policy forbids an edit: the page stands until somebody decides, and nothing is told twice", async () => {
    const time = clock();
    const [on, inbox] = [await world({ now: time.now }), await hook({ status: 202, body: '{"status":"success"}' })];
    const oncall = on.keys.createKey({ scope: "reviewer", id: "otto", roles: ["oncall"] }).key;
    start(on, kept(), routed(inbox.url));
    const pages = () => inbox.got.filter(({ path }) => path === "/pd/v2/enqueue").map(({ body }) => JSON.parse(body) as { event_action: string });
    const { itemId } = await on.judged(refund());
    const editTooHigh = async () => {
      const now = await item(on, itemId);
      const { body } = await on.decide(oncall, now, {
        kind: "edit",
        edits: [{ actionId: now.actions[0]?.actionId, args: { amount: 9_000_000, to: "jo@example.com" } }],
      });
      expect(body).toMatchObject({ status: "effective", rejudged: { state: "fell_back" } });
      await idle();
    };
    await inbox.seen(1);
    time.turn(11 * 60_000);
    await inbox.seen(3);
    await editTooHigh();
    expect(pages().map(({ event_action }) => event_action)).toEqual(["trigger"]);
    time.turn(6 * 60_000);
    await until(() => (noticesOf(inbox.got).some(({ kind }) => kind === "held") ? true : undefined));
    await editTooHigh();
    expect((await item(on, itemId)).held).toBe(true);
    expect(pages().map(({ event_action }) => event_action)).toEqual(["trigger"]);
    expect(noticesOf(inbox.got).map(({ kind }) => kind)).toEqual(["decide", "decide", "held"]);
    expect(await on.decide(oncall, await item(on, itemId), { kind: "reject", message: "no" })).toMatchObject({ status: 200 });
    await until(() => (pages().length === 2 ? true : undefined));
    expect(pages().map(({ event_action }) => event_action)).toEqual(["trigger", "resolve"]);
  });

  it("lets a page stand while policy has not judged an edit yet, tells nobody of it meanwhile, and resolves it where the edit passes", async () => {
    const time = clock();
    let silent = true;
    const judge: NonNullable<WorldOptions["judge"]> = (engine) => (input) => {
      if (input.answers === "edit" && silent) throw new CountersignError("unavailable", "policy is away", { retryable: true });
      return engine(input);
    };
    const [on, inbox] = [await world({ now: time.now, judge }), await hook({ status: 202, body: '{"status":"success"}' })];
    const oncall = on.keys.createKey({ scope: "reviewer", id: "otto", roles: ["oncall"] }).key;
    start(on, kept(), routed(inbox.url));
    const pages = () =>
      inbox.got.filter(({ path }) => path === "/pd/v2/enqueue").map(({ body }) => (JSON.parse(body) as { event_action: string }).event_action);
    const { itemId } = await on.judged(refund());
    await inbox.seen(1);
    time.turn(11 * 60_000);
    await inbox.seen(3);
    await idle();
    const now = await item(on, itemId);
    const edits = [{ actionId: now.actions[0]?.actionId, args: { amount: 39, to: "jo@example.com" } }];
    expect((await on.decide(oncall, now, { kind: "edit", edits })).body).toMatchObject({ status: "effective", rejudged: { state: "waiting" } });
    await idle();
    expect((await item(on, itemId)).stage).toBe("rejudging");
    expect(pages()).toEqual(["trigger"]);
    expect(noticesOf(inbox.got).map(({ kind }) => kind)).toEqual(["decide", "decide"]);
    silent = false;
    await until(() => (pages().length === 2 ? true : undefined), 20_000);
    expect(pages()).toEqual(["trigger", "resolve"]);
  }, 30_000);

  it("tells at once, whatever the hour, where a route has nobody to page", async () => {
    const time = clock();
    const [on, inbox] = [await world({ now: time.now }), await hook()];
    // Loud for one hour of the day only, from one hour on.
    const minute = Math.floor((time.now() % 86_400_000) / 60_000);
    const clockTime = (m: number) => `${String(Math.floor((m % 1440) / 60)).padStart(2, "0")}:${String(m % 60).padStart(2, "0")}`;
    const quiet = `, quiet: [{ from: "${clockTime(minute + 120)}", to: "${clockTime(minute + 60)}" }]`;
    start(on, kept(), routed(inbox.url, quiet).replace("page: [pager]", "page: []"));
    const { itemId } = await on.judged({ tool: "close_account", args: {} });
    await idle();
    expect(inbox.got).toEqual([]);
    time.turn(90 * 60_000);
    await inbox.seen(1);
    await idle();
    // Quiet for hours, and its time is over long after these: whoever is told only, would be told then.
    time.turn(19 * 3_600_000);
    await inbox.seen(2);
    await idle();
    expect(noticesOf(inbox.got)).toMatchObject([
      { items: [itemId], step: 0 },
      { items: [itemId], step: 1 },
    ]);
  });
});
