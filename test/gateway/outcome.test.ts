import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inProcessTransport } from "../../src/gateway/in-process.ts";
import type { OutcomeAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, type World } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await openWorld();
});
afterAll(() => w.close());

const ask = (itemId: string, prefer?: string) =>
  w.call<OutcomeAnswer & { code: string }>("agent", "GET", `/v1/items/${itemId}/outcome`, undefined, prefer === undefined ? {} : { prefer });

const proposed = async (request: object) =>
  (await w.call<{ itemId: string }>("agent", "POST", "/v1/proposals", { idempotencyKey: randomUUID(), ...request })).body;

describe("GET /v1/items/{id}/outcome", () => {
  it("is pending at once when nobody asked to wait", async () => {
    const item = await w.judged({ tool: "issue_refund", args: { amount: 1 } });
    const before = performance.now();
    expect((await ask(item.itemId)).body).toEqual({
      itemId: item.itemId,
      flagged: false,
      status: "pending",
      grant: null,
      message: null,
      error: null,
      run: null,
      stage: "pending",
      finalOutcome: null,
    });
    expect(performance.now() - before).toBeLessThan(500);
  });

  it("is pending, without a grant, when the wait runs out", async () => {
    const item = await w.judged({ tool: "issue_refund", args: { amount: 1 } });
    const before = performance.now();
    expect((await ask(item.itemId, "wait=1")).body).toMatchObject({ status: "pending", grant: null });
    expect(performance.now() - before).toBeGreaterThan(950);
  });

  it("answers as soon as the item is decided, not at the end of the wait", async () => {
    const item = await w.judged({ tool: "issue_refund", args: { amount: 1 } });
    const waiting = ask(item.itemId, "respond-async, wait=30");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await w.decide("lead", item, { kind: "approve" });
    expect((await waiting).body.status).toBe("proceed");
    expect(performance.now() - before).toBeLessThan(3000);
  });

  it("tells the agent every field that breaks the policy's schema, and the way out", async () => {
    const item = await proposed({ tool: "issue_refund", args: { amount: 6000, reason: 7, to: null } });
    const { body } = await ask(item.itemId, "wait=10");
    expect(body).toMatchObject({ status: "forbidden", grant: null, error: { code: "schema_invalid", fix: expect.stringContaining("propose again") } });
    for (const field of ["/amount must be <= 5000 (maximum), not 6000", "/reason must be string", "/to must be string"]) {
      expect(body.error?.message).toContain(field);
      expect(body.message).toContain(field);
    }
    const floor = await proposed({ tool: "issue_refund", args: { amount: 4500 } });
    expect((await ask(floor.itemId, "wait=10")).body).toMatchObject({ status: "forbidden", error: null, message: expect.stringContaining("never paid") });
  });

  it("refuses a wait that is no number", async () => {
    const item = await w.judged({ tool: "issue_refund", args: { amount: 1 } });
    expect((await ask(item.itemId, "wait=soon")).body.code).toBe("request_invalid");
  });

  it("stops listening when the one who waits has gone", async () => {
    const item = await w.judged({ tool: "issue_refund", args: { amount: 1 } });
    let listeners = 0;
    const { projector } = w.ledger;
    const counted = {
      ...w.ledger,
      projector: {
        folded: projector.folded,
        onFolded(listener: Parameters<typeof projector.onFolded>[0]) {
          listeners++;
          const stop = projector.onFolded(listener);
          return () => {
            listeners--;
            stop();
          };
        },
      },
    };
    const transport = inProcessTransport(counted, { kind: "agent", id: "support-bot", roles: [], workspace: "default" });
    const gone = new AbortController();
    const waiting = transport.outcome(item.itemId, 60_000, gone.signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(listeners).toBe(1);
    gone.abort();
    expect((await waiting).status).toBe("pending");
    expect(listeners).toBe(0);
  });

  it("answers those who wait as pending when the gateway closes", async () => {
    const own = await openWorld();
    const item = await own.judged({ tool: "issue_refund", args: { amount: 1 } });
    const waiting = own.call<OutcomeAnswer>("agent", "GET", `/v1/items/${item.itemId}/outcome`, undefined, { prefer: "wait=60" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await own.close();
    expect((await waiting).body.status).toBe("pending");
    expect(performance.now() - before).toBeLessThan(2000);
  });
});
