import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatewayApp } from "../../src/gateway/app.ts";
import { openApiDocument } from "../../src/gateway/openapi.ts";
import { startGateway } from "../../src/gateway/server.ts";
import { itemView, type ListAnswer, listAnswer, outcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, type World } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await openWorld();
});
afterAll(() => w.close());

describe("the gateway over HTTP", () => {
  it("refuses a query parameter that a route does not know, on every route", async () => {
    const item = await w.judged({ tool: "add_note", args: { text: "q" } });
    for (const path of [`/v1/items/${item.itemId}?after=zzz`, `/v1/items/${item.itemId}/outcome?wait=3`, "/v1/items?state=pending"]) {
      const { status, body } = await w.call("lead", "GET", path);
      expect([path, status, body.code]).toEqual([path, 422, "request_invalid"]);
    }
  });

  it("says on /healthz, without a key, that the views follow the log", async () => {
    expect(await w.call(null, "GET", "/healthz")).toMatchObject({ status: 200, body: { status: "ok", log: "sqlite", behind: 0 } });
  });

  it("says on /healthz that following has stopped", async () => {
    const app = gatewayApp(w.ledger, { keys: w.keys, stopping: new AbortController().signal, stopped: () => true, report: () => {} });
    const response = await app.request("/healthz");
    expect([response.status, ((await response.json()) as { status: string }).status]).toEqual([503, "stopped"]);
  });

  it("describes in /openapi.json exactly the routes that it serves", async () => {
    const { body } = await w.call(null, "GET", "/openapi.json");
    expect(body).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
    expect(Object.keys(body.paths as object).sort()).toEqual([
      "/healthz",
      "/v1/batches",
      "/v1/batches/{batchId}",
      "/v1/batches/{batchId}/decisions",
      "/v1/halts",
      "/v1/halts/{haltId}/lift",
      "/v1/items",
      "/v1/items/{itemId}",
      "/v1/items/{itemId}/decisions",
      "/v1/items/{itemId}/outcome",
      "/v1/items/{itemId}/receipts",
      "/v1/items/{itemId}/record",
      "/v1/notifications",
      "/v1/proposals",
      "/v1/slack/interactions",
      "/v1/standing",
      "/v1/standing/{standingId}/revoke",
    ]);
    expect(JSON.stringify(body)).not.toContain('"$ref":"#/components/schemas/undefined');
  });

  it("answers in the shapes that its document promises", async () => {
    const { itemId } = await w.granted({
      tool: "issue_refund",
      args: { amount: 3 },
      run: { threadId: "t" },
      evidence: [{ label: "order" }],
      onBehalfOf: { id: "alice" },
    });
    const item = (await w.call("lead", "GET", `/v1/items/${itemId}`)).body;
    expect(itemView.strict().safeParse(item).error).toBeUndefined();
    expect(outcomeAnswer.strict().safeParse((await w.call("lead", "GET", `/v1/items/${itemId}/outcome`)).body).error).toBeUndefined();
    expect(listAnswer.strict().safeParse((await w.call("lead", "GET", "/v1/items")).body).error).toBeUndefined();
  });

  it("gives problems for what is not there, and for the wrong method", async () => {
    expect((await w.call("lead", "GET", "/v1/nothing")).body).toMatchObject({ status: 404, code: "not_found" });
    const wrong = await w.call("lead", "DELETE", "/v1/items");
    expect([wrong.status, wrong.headers.get("allow"), wrong.headers.get("content-type")]).toEqual([405, "GET", "application/problem+json"]);
    expect((await w.call("lead", "GET", "/v1/items/zzz")).body).toMatchObject({ status: 404, code: "not_found" });
  });

  it("tells a client nothing of a fault but an id, under which the log has the stack", async () => {
    const lines: [string, unknown][] = [];
    const broken = {
      ...w.ledger,
      queries: {
        ...w.ledger.queries,
        item: () => {
          throw new Error("disk exploded at /secret/path");
        },
      },
    };
    const app = gatewayApp(broken, {
      keys: w.keys,
      stopping: new AbortController().signal,
      stopped: () => false,
      report: (line, error) => lines.push([line, error]),
    });
    const response = await app.request(`/v1/items/${"0".repeat(32)}`, { headers: { authorization: `Bearer ${w.key.lead}` } });
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).not.toContain("secret");
    expect(text).not.toContain("at ");
    const { instance, code } = JSON.parse(text);
    expect(code).toBe("internal");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.[0]).toContain(instance.replace("urn:uuid:", ""));
    expect(lines[0]?.[1]).toMatchObject({ stack: expect.stringContaining("disk exploded") });
  });

  it("says which port is taken", async () => {
    const port = Number(new URL(w.gateway.url).port);
    await expect(startGateway(w.ledger, { port, local: w.keys })).rejects.toMatchObject({
      code: "unavailable",
      field: "port",
      message: expect.stringContaining(`port ${port} on 127.0.0.1 is taken`),
    });
  });

  it("does not let anybody keep an answer", async () => {
    const { headers } = await w.call("lead", "GET", "/v1/items");
    expect([headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual(["no-store", "nosniff"]);
  });
});

describe("GET /v1/items", () => {
  it("pages through the queue by risk and deadline, each item once, also while items leave it", async () => {
    const own = await openWorld();
    try {
      for (let i = 0; i < 7; i++)
        await own.judged({
          tool: i % 2 === 0 ? "issue_refund" : "close_account",
          args: i % 2 === 0 ? { amount: i + 1 } : {},
          requestedTimeoutMs: 60_000 * (10 - i),
        });
      const all = (await own.call<ListAnswer>("lead", "GET", "/v1/items?queue=true&limit=200")).body.items;
      expect(all).toHaveLength(7);
      const deadlines = all.map((i) => i.deadline as number);
      expect(deadlines).toEqual([...deadlines].sort((a, b) => a - b));
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const { body }: { body: ListAnswer } = await own.call<ListAnswer>(
          "lead",
          "GET",
          `/v1/items?queue=true&limit=2${after === null ? "" : `&after=${after}`}`,
        );
        seen.push(...body.items.map((i) => i.itemId));
        after = body.next;
        const last = body.items.at(-1);
        // The item at the cursor leaves the queue: the next page must not depend on it.
        if (last !== undefined) await own.decide("lead", (await own.call<never>("lead", "GET", `/v1/items/${last.itemId}`)).body, { kind: "reject" });
      } while (after !== null);
      expect(seen).toEqual(all.map((i) => i.itemId));
      const list: string[] = [];
      after = null;
      do {
        const { body }: { body: ListAnswer } = await own.call<ListAnswer>("lead", "GET", `/v1/items?limit=3${after === null ? "" : `&after=${after}`}`);
        list.push(...body.items.map((i) => i.itemId));
        after = body.next;
      } while (after !== null);
      expect(new Set(list).size).toBe(7);
      expect(list).toHaveLength(7);
    } finally {
      await own.close();
    }
  });

  it("filters by stage, outcome, owner, own roles and the beginning of the id", async () => {
    const pending = await w.judged({ tool: "issue_refund", args: { amount: 10 } });
    const refused = await w.judged({ tool: "issue_refund", args: { amount: 10 } });
    await w.decide("lead", refused, { kind: "reject" });
    // Told only once the dispatcher has: until then it has no outcome.
    await w.call("agent", "GET", `/v1/items/${refused.itemId}/outcome`, undefined, { prefer: "wait=10" });
    const ids = async (query: string, who = "lead") => (await w.call<ListAnswer>(who, "GET", `/v1/items?limit=200&${query}`)).body.items.map((i) => i.itemId);
    expect(await ids("stage=pending")).toContain(pending.itemId);
    expect(await ids("stage=pending")).not.toContain(refused.itemId);
    expect(await ids("outcome=refused")).toEqual([refused.itemId]);
    expect(await ids("queue=true&mine=true")).toContain(pending.itemId);
    expect(await ids("queue=true&mine=true", "intern")).toEqual([]);
    expect(await ids("owner=support-lead&queue=true")).toContain(pending.itemId);
    expect(await ids("owner=role:nobody&queue=true")).toEqual([]);
    expect(await ids(`idPrefix=${pending.itemId.slice(0, 7)}`)).toEqual([pending.itemId]);
  });

  it.each(["limit=0", "limit=201", "limit=ten", "stage=lost", "colour=red", "after=bogus", "queue=true&stage=done", "limit=1&limit=2", "idPrefix=%25"])(
    "refuses ?%s",
    async (query) => {
      expect((await w.call("lead", "GET", `/v1/items?${query}`)).body).toMatchObject({ status: 422, code: "request_invalid" });
    },
  );
});
