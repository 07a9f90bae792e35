import { afterAll, beforeAll, expect, test } from "vitest";
import { renderQueue } from "../../src/cli/render/queue.ts";
import { renderShow } from "../../src/cli/render/show.ts";
import type { ItemView, ListAnswer } from "../../src/producers/wire/answers.ts";
import { type Answer, openWorld, until, type World } from "./world.ts";

const MINUTE = 60_000;
const POLICY = `
policy: work
workspace: default
owner: role:support-lead
mode: enforce
actions:
  note:
    arguments: { type: object, properties: { text: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: low
    gate: { kind: none }
    lease: PT2M
    grant_ttl: PT5M
    retries: 1
  tag:
    arguments: { type: object, properties: { tag: { type: string } } }
    reversibility: reversible
    execution: idempotent
    risk: medium
    gate: { kind: audit, window: PT24H }
    lease: PT2M
    grant_ttl: PT5M
`;

let world: World;
const clock = { at: Date.UTC(2026, 10, 2, 9) };
beforeAll(async () => {
  world = await openWorld({ now: () => clock.at, policy: POLICY });
});
afterAll(() => world.close());

const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const reaches = (itemId: string, stage: string) => until(async () => ((await view(itemId)).stage === stage ? view(itemId) : undefined));
const queue = async (more = "") => (await world.call<ListAnswer>("lead", "GET", `/v1/items?queue=true${more}`)).body.items;
const has = async (itemId: string, more = "") => (await queue(more)).some((i) => i.itemId === itemId);
const settle = (itemId: string, outcome: string) => {
  const settlement = { outcome, ...(outcome === "succeeded" && { externalRef: { system: "crm", id: "1" } }) };
  return world.call("lead", "POST", `/v1/items/${itemId}/decisions`, { kind: "settle", settlement });
};
/** Long enough for the clock to notice that it was turned, and to write what it owes. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1500));
const look = () => ({ width: 100, now: clock.at, colors: { dim: same, bold: same, cyan: same, yellow: same, red: same, green: same } as never });
const same = (text: string) => text;

async function say(itemId: string, kind: string, more: object = {}): Promise<Answer> {
  const { grant } = await view(itemId);
  const [action] = grant?.actions ?? [];
  return world.receipt("executor", itemId, { grant: grant?.id, kind, actionId: action?.actionId, argsSha256: action?.argsSha256, ...more });
}

/** A flowed item whose executor died. */
async function doubted(text: string): Promise<string> {
  const { itemId } = await world.granted({ tool: "note", args: { text } });
  expect((await say(itemId, "started")).status).toBe(200);
  clock.at += 2 * MINUTE;
  await reaches(itemId, "in_doubt");
  return itemId;
}

test("the clock leaves the owner as long as the action may take, before it uses up the one settlement for a retry", async () => {
  const settled = await doubted("a");
  clock.at += MINUTE;
  await aWhile();
  expect((await view(settled)).stage).toBe("in_doubt");
  expect(await has(settled)).toBe(true);
  expect((await settle(settled, "succeeded")).status).toBe(200);
  expect(await view(settled)).toMatchObject({ stage: "done", outcome: "succeeded" });
  const left = await doubted("b");
  clock.at += 2 * MINUTE;
  await reaches(left, "granted");
});

test("a retry that no executor starts is in its owner's queue once its time is over, says what is awaited of whom, and leaves the queue with its start", async () => {
  const itemId = await doubted("c");
  clock.at += 2 * MINUTE;
  const granted = await reaches(itemId, "granted");
  expect(granted.awaitsStart).toMatchObject({ what: "retry", isLate: false });
  expect(await has(itemId)).toBe(false);
  expect(renderShow(granted, look())).toContain("the retry of what is in doubt, by an executor: granted");
  clock.at += 5 * MINUTE;
  expect(await has(itemId)).toBe(true);
  expect(await has(itemId, "&mine=true")).toBe(true);
  const late = await view(itemId);
  expect(late).toMatchObject({ stage: "granted", awaitsStart: { what: "retry", isLate: true, due: clock.at } });
  const shown = renderShow(late, look()).replaceAll(/\s+/g, " ");
  expect(shown).toContain("nobody has started it: role:support-lead sees to it that an executor runs");
  expect(shown).toContain(`receipt ${itemId.slice(0, 8)} started`);
  const listed = (await queue()).filter((i) => i.itemId === itemId);
  expect(renderQueue(listed, look(), false).replaceAll(/\s+/g, " ")).toContain("retry that no executor has started for 5 min: see show");
  expect((await say(itemId, "started")).status).toBe(200);
  expect(await has(itemId)).toBe(false);
  expect(await view(itemId)).toMatchObject({ stage: "executing", awaitsStart: null });
});

test("pages of the queue hold what executors are late with once, in the order of the queue", async () => {
  const late = await doubted("d");
  clock.at += 2 * MINUTE;
  await reaches(late, "granted");
  clock.at += 5 * MINUTE;
  const waits = await doubted("e");
  const all = (await queue()).map((i) => i.itemId);
  expect(all).toEqual(expect.arrayContaining([late, waits]));
  for (const more of ["", "&mine=true"]) {
    const paged: string[] = [];
    for (let after = ""; paged.length <= all.length; ) {
      const { items, next } = (await world.call<ListAnswer>("lead", "GET", `/v1/items?queue=true&limit=1${more}${after}`)).body;
      paged.push(...items.map((i) => i.itemId));
      if (next === null || items.length === 0) break;
      after = `&after=${next}`;
    }
    expect(paged).toEqual(all);
  }
});

test("the way out where no executor comes: with an executor's key somebody starts the retry, and says how it had ended", async () => {
  const itemId = await doubted("f");
  clock.at += 2 * MINUTE;
  await reaches(itemId, "granted");
  expect((await settle(itemId, "failed")).body).toMatchObject({ code: "settled" });
  clock.at += 5 * MINUTE;
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "succeeded", { externalRef: { system: "crm", id: "17" } })).status).toBe(200);
  expect(await view(itemId)).toMatchObject({ stage: "done", outcome: "succeeded", awaitsStart: null, findings: [] });
});

test("a roll_back that nobody starts is in its owner's queue as well; what may lapse is not", async () => {
  const { itemId } = await world.granted({ tool: "tag", args: { tag: "vip" } });
  await say(itemId, "started");
  await say(itemId, "succeeded");
  const flows = await world.granted({ tool: "note", args: { text: "g" } });
  expect((await view(flows.itemId)).awaitsStart).toBeNull();
  await world.decide("lead", await view(itemId), { kind: "reject" });
  expect((await reaches(itemId, "granted")).awaitsStart).toMatchObject({ what: "roll_back", isLate: false });
  expect(await has(itemId)).toBe(false);
  clock.at += 5 * MINUTE;
  expect(await has(itemId)).toBe(true);
  const shown = renderShow(await view(itemId), look());
  expect(shown).toContain(`receipt ${itemId.slice(0, 8)} compensated`);
  expect((await say(itemId, "started")).status).toBe(200);
  expect((await say(itemId, "compensated")).status).toBe(200);
  expect(await has(itemId)).toBe(false);
});
