import { afterEach, expect, test } from "vitest";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { openWorld, POLICY, until, type World } from "./world.ts";

/** Refunds have two working hours with their owner and one with the next. */
const WORKING = `calendar: { time_zone: UTC, hours: [{ days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00" }] }
actions:`;
const policy = POLICY.replace("actions:", WORKING).replace(
  "timeout: PT4H",
  "timeout: 2 business hours\n    ladder: [{ to: role:boss, timeout: 1 business hour }]",
);

const clock = { at: 0 };
let world: World;
afterEach(() => world.close());

/** Monday, the 5th of January 2026, or so many days later. */
const at = (day: number, hour: number, minute = 0) => Date.UTC(2026, 0, 5 + day, hour, minute);
const view = async (itemId: string) => (await world.call<ItemView>("lead", "GET", `/v1/items/${itemId}`)).body;
/** Longer than the clock takes to notice that it was turned. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 2500));

async function proposedAt(time: number): Promise<ItemView> {
  clock.at = time;
  world = await openWorld({ now: () => clock.at, policy });
  return world.judged({ tool: "issue_refund", args: { amount: 20 } });
}

/** Turns the clock to a time at which nothing must have happened yet, and then to one at which it must. */
async function happens(itemId: string, what: string, { notBy, by }: { notBy: number; by: number }): Promise<void> {
  const times = async () => (await view(itemId)).timeline.filter((e) => e.what === what && e.status === "effective").length;
  clock.at = notBy;
  await aWhile();
  expect(await times(), `${what} by ${new Date(notBy).toISOString()}`).toBe(0);
  clock.at = by;
  await until(async () => ((await times()) > 0 ? true : undefined));
}

test("a step that was taken late has its working time from then on: it does not expire while nobody works", async () => {
  const { itemId } = await proposedAt(at(0, 9));
  // Due at 11:00, and expired an hour later; the clock was away until half an hour before the end of the day.
  await happens(itemId, "escalate", { notBy: at(0, 10, 59), by: at(0, 16, 30) });
  await happens(itemId, "expire", { notBy: at(0, 17, 40), by: at(1, 9, 31) });
  expect(await until(async () => (await view(itemId)).outcome ?? undefined)).toBe("expired");
});

test("what would end outside of the hours waits for the next opening, and never less than the policy says", async () => {
  const { itemId } = await proposedAt(at(4, 16));
  // Due on Monday at 10:00, and expired at 11:00; the clock was away until Monday at 16:30.
  await happens(itemId, "escalate", { notBy: at(7, 9, 59), by: at(7, 16, 30) });
  await happens(itemId, "expire", { notBy: at(8, 9, 29), by: at(8, 9, 31) });
});

test("a halt takes working time only: what it kept from being approved over night is not put off by a night", async () => {
  const { itemId } = await proposedAt(at(0, 16));
  clock.at = at(0, 16, 30);
  const { body } = await world.call<{ halt: { eventId: string } }>("halter", "POST", "/v1/halts", { scope: {}, reason: "Looks wrong" });
  clock.at = at(1, 9, 15);
  expect((await world.call("halter", "POST", `/v1/halts/${body.halt.eventId}/lift`, {})).status).toBe(200);
  // Of the two hours half an hour is over, and three quarters of an hour of work fell under the halt.
  await happens(itemId, "escalate", { notBy: at(1, 10, 44), by: at(1, 10, 46) });
});
