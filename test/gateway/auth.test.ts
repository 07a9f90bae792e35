import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROUTES } from "../../src/gateway/routes.ts";
import type { ItemView, ListAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, type World } from "./world.ts";

let w: World;
let item: ItemView;
beforeAll(async () => {
  w = await openWorld();
  item = await w.judged({ tool: "issue_refund", args: { amount: 10 } });
});
afterAll(() => w.close());

const SCOPES = ["agent", "executor", "reviewer"] as const;
const HOLDER = { agent: "agent", executor: "executor", reviewer: "lead" } as const;

/** What each scope may do, written by hand: the routes must agree with it, not it with the routes. */
const MAY: { readonly [id: string]: readonly string[] } = {
  propose: ["agent"],
  listItems: ["agent", "executor", "reviewer"],
  getItem: ["agent", "reviewer"],
  getOutcome: ["agent", "executor", "reviewer"],
  decide: ["agent", "reviewer"],
  receipt: ["executor"],
  halt: ["reviewer"],
  listHalts: ["agent", "executor", "reviewer"],
  lift: ["reviewer"],
  listStanding: ["reviewer"],
  revokeStanding: ["reviewer"],
  getRecord: ["reviewer"],
  listBatches: ["reviewer"],
  getBatch: ["reviewer"],
  decideBatch: ["reviewer"],
  listNotifications: ["reviewer"],
};

/** Reviewers who need a role of their own for it. */
const WITH_ROLE: { readonly [id: string]: string } = { halt: "halter", lift: "halter" };

/** Routes whose id is not an item's. */
const NOT_THE_ITEMS: ReadonlySet<string> = new Set(["lift", "revokeStanding", "getBatch", "decideBatch"]);

describe("scopes", () => {
  it("says of every route who may use it", () => {
    expect(ROUTES.map((r) => r.id).sort()).toEqual(Object.keys(MAY).sort());
  });

  const table = ROUTES.flatMap((route) => SCOPES.map((scope) => [route.id, scope, MAY[route.id]?.includes(scope) ? "may" : "may not", route] as const));
  it.each(table)("%s by %s: it %s", async (id, scope, may, route) => {
    const body = route.method === "post" ? {} : undefined;
    const who = scope === "reviewer" ? (WITH_ROLE[id] ?? HOLDER.reviewer) : HOLDER[scope];
    const { status, body: answer } = await w.call(who, route.method.toUpperCase(), route.path.replace(/\{\w+\}/, item.itemId), body);
    // 404: what the item's id does not name.
    if (may === "may") expect([200, 422, ...(NOT_THE_ITEMS.has(id) ? [404] : [])]).toContain(status);
    else expect([status, answer.code]).toEqual([403, "forbidden"]);
  });

  const kinds = ["claim", "release", "approve", "edit", "reject", "respond", "acknowledge", "settle", "report", "clear"];
  it.each(kinds)("an agent's key can never %s", async (kind) => {
    const { status, body } = await w.decide("agent", item, { kind });
    expect([status, body.code]).toEqual([403, "forbidden"]);
  });

  it("a reviewer's key can never withdraw, propose or write receipts", async () => {
    expect((await w.decide("lead", item, { kind: "withdraw" })).body.code).toBe("forbidden");
    expect((await w.call("lead", "POST", "/v1/proposals", { idempotencyKey: "k", tool: "t", args: {} })).body.code).toBe("forbidden");
    expect((await w.receipt("lead", item.itemId, { kind: "started", grant: "01a1fdee-0000-7000-8000-0000000000ff" })).body.code).toBe("forbidden");
  });

  it.each([
    ["no key", null],
    ["a made up key", `cs_reviewer_${"A".repeat(43)}`],
    ["no key's form", "letmein"],
  ])("%s is told apart from a wrong scope, with the way out", async (_what, who) => {
    for (const route of ROUTES) {
      const { status, body, headers } = await w.call(
        who,
        route.method.toUpperCase(),
        route.path.replace("{itemId}", item.itemId),
        route.method === "post" ? {} : undefined,
      );
      expect([status, body.code]).toEqual([401, "unauthenticated"]);
      expect(headers.get("www-authenticate")).toBe("Bearer");
      expect(body.fix).toContain("countersign keys create");
    }
  });

  it("a revoked key is refused at once", async () => {
    const { keyId, key } = w.keys.createKey({ scope: "reviewer", id: "carol", roles: ["support-lead"] });
    expect((await w.call(key, "GET", "/v1/items")).status).toBe(200);
    w.keys.revokeKey(keyId);
    expect((await w.call(key, "GET", "/v1/items")).status).toBe(401);
  });
});

describe("what a key may see", () => {
  it("is an agent's own items only: others do not exist for it", async () => {
    for (const path of ["", "/outcome"]) {
      expect((await w.call("agent", "GET", `/v1/items/${item.itemId}${path}`)).status).toBe(200);
      expect((await w.call("otherAgent", "GET", `/v1/items/${item.itemId}${path}`)).body).toMatchObject({ status: 404, code: "not_found" });
      expect((await w.call("elsewhere", "GET", `/v1/items/${item.itemId}${path}`)).body).toMatchObject({ status: 404, code: "not_found" });
    }
    expect((await w.call<ListAnswer>("otherAgent", "GET", "/v1/items")).body.items).toEqual([]);
    expect((await w.call<ListAnswer>("elsewhere", "GET", "/v1/items?queue=true")).body.items).toEqual([]);
    expect((await w.call<ListAnswer>("agent", "GET", "/v1/items")).body.items).toMatchObject([{ itemId: item.itemId }]);
  });

  it("is what runs or may run, and no more of it, for an executor", async () => {
    const { itemId } = await w.granted();
    const { body } = await w.call<ListAnswer>("executor", "GET", "/v1/items");
    expect(body.items.map((i) => i.itemId)).toEqual([itemId]);
    expect(body.items[0]?.summary).toEqual({ workspace: "default", tools: ["issue_refund"], agent: "support-bot" });
  });
});
