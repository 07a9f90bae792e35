import { afterAll, beforeAll, expect, test } from "vitest";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { openWorld, POLICY, type World } from "./world.ts";

const UNTYPED = `  open_ticket:
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [/amount, /to, /cc, /note, /extra]
  move_ticket:
    arguments: { type: object, properties: { queue: { type: [string, "null"] }, tags: { type: array }, size: { enum: [1, "big"] } } }
    reversibility: partially
    execution: idempotent
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, edit, reject]
`;
let world: World;
beforeAll(async () => {
  world = await openWorld({ policy: POLICY.replace("floors:", `${UNTYPED}floors:`) });
});
afterAll(() => world.close());

const edit = (item: ItemView, args: object) => world.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args }] });

test.each([
  ["a text in place of a number", { amount: "40; drop", to: "jo" }, "/edits/0/args/amount", "40; drop"],
  ["null in place of a value", { amount: null, to: "jo" }, "/edits/0/args/amount", null],
  ["a list in place of a text", { amount: 40, to: ["x"] }, "/edits/0/args/to", ["x"]],
  ["an element of another type", { amount: 40, to: "jo", cc: ["ann", 7] }, "/edits/0/args/cc/1", 7],
  ["a member of another type, deep inside", { amount: 40, to: "jo", extra: { urgent: "yes" } }, "/edits/0/args/extra/urgent", "yes"],
])("without a schema an edit keeps the types of the arguments: %s is refused", async (_what, args, field, value) => {
  const item = await world.judged({ tool: "open_ticket", args: { amount: 40, to: "jo", cc: ["ann"], note: null, extra: { urgent: true } } });
  const answer = await edit(item, { cc: ["ann"], note: null, extra: { urgent: true }, ...args });
  expect(answer).toMatchObject({ status: 422, body: { code: "request_invalid", field, value, fix: expect.stringContaining("schema") } });
  expect((await world.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body).toMatchObject({ stage: "pending", edits: [] });
});

test.each([
  ["a text in place of a number", { items: [{ sku: "B", qty: "2; drop table" }] }, "/edits/0/args/extra/items/0/qty"],
  ["null in place of a text", { items: [{ sku: null, qty: 2 }] }, "/edits/0/args/extra/items/0/sku"],
  ["a member left out", { items: [{ sku: "A" }] }, "/edits/0/args/extra/items/0/qty"],
  ["another type in a list of lists", { items: [{ sku: "A", qty: 2 }], grid: [["x"]] }, "/edits/0/args/extra/grid/0/0"],
])("what stands in lists keeps its types too: %s is refused", async (_what, extra, field) => {
  const item = await world.judged({ tool: "open_ticket", args: { extra: { items: [{ sku: "A", qty: 2 }], grid: [[1]] } } });
  expect(await edit(item, { extra: { grid: [[1]], ...extra } })).toMatchObject({ status: 422, body: { code: "request_invalid", field } });
});

test.each([
  [[1, null], ["2; drop"], "/0"],
  [[{ qty: 1 }, null], ["drop"], "/0"],
  [[[1], [null]], [["x"]], "/0/0"],
  [[{ qty: 1 }, { qty: null }], [{ qty: null }, { qty: "x" }], "/1/qty"],
  [[{ qty: 1 }, {}], [{ qty: "x" }], "/0/qty"],
])("a null among the members of a list, or one that lacks a place, does not let any type in: %j -> %j is refused", async (list, after, field) => {
  const item = await world.judged({ tool: "open_ticket", args: { extra: { list } } });
  expect(await edit(item, { extra: { list: after } })).toMatchObject({ status: 422, body: { field: `/edits/0/args/extra/list${field}` } });
});

test("a list that held null may hold it again, or what else it held; one of nulls alone may hold anything", async () => {
  const item = await world.judged({ tool: "open_ticket", args: { extra: { list: [1, null], rows: [[1], [null]], none: [null] } } });
  expect(await edit(item, { extra: { list: [null, 2, 3], rows: [[null, 4]], none: ["x"] } })).toMatchObject({ status: 200 });
});

test("a list may change its order, lose members, and gain members like those that it had", async () => {
  const items = [{ sku: "A", qty: 2 }, { sku: "B" }];
  const item = await world.judged({ tool: "open_ticket", args: { extra: { items } } });
  expect(await edit(item, { extra: { items: [{ sku: "B" }, { sku: "C", qty: 1 }, { sku: "D" }] } })).toMatchObject({ status: 200 });
});

test("without a schema an edit leaves no argument out", async () => {
  const item = await world.judged({ tool: "open_ticket", args: { amount: 40, to: "jo" } });
  expect(await edit(item, {})).toMatchObject({ status: 422, body: { field: "/edits/0/args/amount", detail: expect.stringContaining("left out") } });
});

test("what is null may become a value, lists grow and shrink, and what was not there may be added", async () => {
  const item = await world.judged({ tool: "open_ticket", args: { amount: 40, cc: ["ann"], note: null } });
  const answer = await edit(item, { amount: 12.5, to: "jo", cc: ["bob", "cyd"], note: "by phone", extra: { urgent: true } });
  expect(answer).toMatchObject({ status: 200, body: { rejudged: { state: "settled" } } });
});

test("where a schema says which values an argument may have, the schema decides", async () => {
  const item = await world.judged({ tool: "move_ticket", args: { queue: "first", size: 1, tags: ["x"] } });
  expect(await edit(item, { queue: null, size: "big", tags: ["x"] })).toMatchObject({ status: 200 });
  const typed = { type: "object", properties: { amount: { type: ["number", "string"] } } };
  const own = await world.judged({ tool: "open_ticket", args: { amount: 40, to: "jo" }, argsSchema: typed });
  expect(await edit(own, { amount: "forty", to: 3 })).toMatchObject({ status: 422, body: { field: "/edits/0/args/to" } });
  expect(await edit(own, { amount: "forty", to: "jo" })).toMatchObject({ status: 200 });
});
