import { rmSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "./world.ts";

const view = async (world: World, itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
const reaches = (world: World, itemId: string, stage: string) =>
  until(async () => {
    const item = await view(world, itemId);
    return item.stage === stage ? item : undefined;
  });

async function start(world: World, itemId: string) {
  const { grant } = await view(world, itemId);
  return world.receipt("executor", itemId, { grant: grant?.id, kind: "started", argsSha256: grant?.actions[0]?.argsSha256 });
}

/** An item whose outcome nobody knew, and which its owner has had granted again. */
async function grantedAgain(world: World, itemId: string): Promise<void> {
  await reaches(world, itemId, "granted");
  expect((await start(world, itemId)).status).toBe(200);
  const doubted = await reaches(world, itemId, "in_doubt");
  expect((await world.decide("lead", doubted, { kind: "settle", settlement: { outcome: "retry" } })).status).toBe(200);
  await reaches(world, itemId, "granted");
}

/** An item that runs, and what ends that for good. */
interface Begun {
  readonly itemId: string;
  readonly end: (world: World) => Promise<{ status: number; body: unknown }>;
}

async function inBranch(world: World): Promise<Begun> {
  const { itemId } = await world.granted({ tool: "sync_crm", args: { row: 1 }, run: { threadId: "t" } });
  const other = await world.judged({ tool: "issue_refund", args: { amount: 20 }, run: { threadId: "t" } });
  return { itemId, end: (now) => now.decide("lead", other, { kind: "reject", scope: "branch", message: "Wrong customer" }) };
}

async function onStanding(world: World): Promise<Begun> {
  const given = await world.judged({ tool: "sync_crm", args: { row: 1 } });
  await world.decide("lead", given, { kind: "approve", standing: { scope: "agent", max: 10 } });
  const { itemId } = await world.judged({ tool: "sync_crm", args: { row: 2 } });
  const [{ eventId }] = (await world.call<{ standing: [{ eventId: string }] }>("lead", "GET", "/v1/standing")).body.standing;
  return { itemId, end: (now) => now.call("lead", "POST", `/v1/standing/${eventId}/revoke`, {}) };
}

test.each([
  ["its branch was rejected", inBranch, "The branch was rejected"],
  ["its standing approval was revoked", onStanding, "The standing approval of carol was revoked"],
] as const)("a retry that was granted before %s is not started, and is taken back", async (_when, begin, words) => {
  const first = await openWorld();
  onTestFinished(() => rmSync(first.dir, { recursive: true, force: true }));
  const { itemId, end } = await begin(first);
  await grantedAgain(first, itemId);
  await first.close({ keep: true });
  // While nobody has taken it back, its executor is told all the same.
  const quiet = await openWorld({ dir: first.dir, key: first.key, workers: false });
  const ended = await end(quiet);
  expect(ended.status, JSON.stringify(ended.body)).toBe(200);
  expect(await start(quiet, itemId)).toMatchObject({ status: 403, body: { code: "not_allowed", field: "/grant", detail: expect.stringContaining(words) } });
  await quiet.close({ keep: true });
  const last = await openWorld({ dir: first.dir, key: first.key });
  try {
    const item = await reaches(last, itemId, "in_doubt");
    expect(item.timeline.at(-1)).toMatchObject({ topic: "receipts", what: "revoked", status: "effective" });
    expect(item.findings.map((f) => f.code)).toEqual(["left_in_doubt"]);
  } finally {
    await last.close({ keep: true });
  }
});

test("a retry that was asked for and not granted when its branch was rejected is withheld", async () => {
  const first = await openWorld();
  onTestFinished(() => rmSync(first.dir, { recursive: true, force: true }));
  const { itemId, end } = await inBranch(first);
  await start(first, itemId);
  await reaches(first, itemId, "in_doubt");
  await first.close({ keep: true });
  const quiet = await openWorld({ dir: first.dir, key: first.key, workers: false });
  await quiet.decide("lead", await view(quiet, itemId), { kind: "settle", settlement: { outcome: "retry" } });
  await end(quiet);
  await quiet.close({ keep: true });
  const last = await openWorld({ dir: first.dir, key: first.key });
  try {
    const item = await reaches(last, itemId, "in_doubt");
    expect(item.findings.map((f) => f.code)).toEqual(["left_in_doubt"]);
    expect(item.timeline.at(-1)).toMatchObject({ topic: "resumes", what: "withheld", status: "effective" });
  } finally {
    await last.close({ keep: true });
  }
});
