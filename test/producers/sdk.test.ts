import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inProcessClient } from "../../src/gateway/in-process.ts";
import { type Client, createClient } from "../../src/producers/client.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { openWorld, until, type World } from "../gateway/world.ts";

let w: World;
beforeAll(async () => {
  w = await openWorld();
});
afterAll(() => w.close());

let serial = 0;
const refund = (amount = 10) => ({ idempotencyKey: `sdk-${serial++}`, tool: "issue_refund", args: { amount } });
const key = (name: string) => w.key[name] as string;
const decide = async (itemId: string, request: Record<string, unknown>, who = "lead") => {
  const item = await until(async () => {
    const { body } = await w.call<ItemView>("lead", "GET", `/v1/items/${itemId}`);
    return body.stage === "proposed" ? undefined : body;
  });
  return w.decide(who, item, request);
};

const CLIENTS: [string, () => Client][] = [
  ["over HTTP", () => createClient({ url: w.gateway.url, apiKey: key("agent"), executorKey: key("executor") })],
  [
    "in the process of the ledger",
    () =>
      inProcessClient(
        w.ledger,
        { kind: "agent", id: "support-bot", roles: [], workspace: "default" },
        { kind: "executor", id: "worker-1", roles: [], workspace: "default" },
      ),
  ],
];

describe.each(CLIENTS)("the SDK %s", (_where, client) => {
  it("proposes, waits for the person, starts, and succeeds with a receipt", async () => {
    const item = await client().propose(refund());
    const waiting = item.outcome();
    await decide(item.itemId, { kind: "approve" });
    const outcome = await waiting;
    expect(outcome).toMatchObject({ status: "proceed", grant: { actions: [{ args: { amount: 10 } }] } });
    const run = await item.start();
    expect(run).toMatchObject({ tool: "issue_refund", args: { amount: 10 }, effectKey: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const { id } = run.lease;
    expect((await run.renew()).id).not.toBe(id);
    expect(await run.succeed({ result: { ok: 1 }, externalRef: { system: "psp", id: "re_1" } })).toMatchObject({ item: { outcome: "succeeded" } });
    expect(await item.outcome()).toMatchObject({ status: "proceed", grant: null, finalOutcome: "succeeded" });
  });

  it("hands back the arguments that the reviewer edited, and nothing else", async () => {
    const item = await client().propose(refund());
    await decide(item.itemId, { kind: "edit", edits: [{ actionId: "a1", args: { amount: 4 } }] });
    expect(await item.outcome()).toMatchObject({ status: "proceed_edited", grant: { actions: [{ args: { amount: 4 } }] } });
    const run = await item.start();
    expect(run.args).toEqual({ amount: 4 });
    await run.fail({ code: "declined", message: "no" });
    expect((await item.view()).outcome).toBe("failed");
  });

  it("gives pending, never a grant, when the time to wait is over", async () => {
    const item = await client().propose(refund());
    const before = performance.now();
    const outcome = await item.outcome({ timeoutMs: 300 });
    expect(outcome.status).toBe("pending");
    expect("grant" in outcome).toBe(false);
    expect(performance.now() - before).toBeLessThan(2000);
    expect((await item.outcome({ timeoutMs: 0 })).status).toBe("pending");
  });

  it("ends a wait with the signal's reason", async () => {
    const item = await client().propose(refund());
    const stop = new AbortController();
    const waiting = item.outcome({ signal: stop.signal });
    setTimeout(() => stop.abort(new Error("the user left")), 50);
    await expect(waiting).rejects.toThrow("the user left");
  });

  it("does not start what was refused, what waits, or what has been withdrawn", async () => {
    const item = await client().propose(refund());
    await expect(item.start()).rejects.toMatchObject({ code: "no_grant" });
    await until(async () => ((await item.view()).stage === "pending" ? true : undefined));
    expect(await item.withdraw("the user moved on")).toMatchObject({ itemId: item.itemId });
    expect(await item.outcome()).toMatchObject({ status: "withdrawn" });
    await expect(item.start()).rejects.toMatchObject({ code: "no_grant" });
    await expect(item.succeed()).rejects.toMatchObject({ code: "no_grant" });
  });

  it("is the same item when the same proposal is made again, and a handle by id finds it", async () => {
    const request = refund();
    const [a, b] = [await client().propose(request), await client().propose(request)];
    expect(b.itemId).toBe(a.itemId);
    expect((await client().item(a.itemId).view()).itemId).toBe(a.itemId);
    await expect(client().propose({ ...request, args: { amount: 11 } })).rejects.toMatchObject({ code: "conflict" });
  });

  it("refuses what JSON would change without a word", async () => {
    for (const args of [{ amount: Number.NaN }, { amount: Number.POSITIVE_INFINITY }, { f: () => 1 }, { n: 10n }, { list: [undefined] }, { m: new Map() }])
      await expect(client().propose({ ...refund(), args })).rejects.toMatchObject({
        code: expect.stringMatching(/^json_/),
        field: expect.stringMatching(/^\/args\//),
      });
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    await expect(client().propose({ ...refund(), args: loop })).rejects.toMatchObject({ code: "json_syntax" });
  });
});

describe("executors", () => {
  it("starts in another process than the agent's, with a key of its own, and only there", async () => {
    const agent = createClient({ url: w.gateway.url, apiKey: key("agent") });
    const worker = createClient({ url: w.gateway.url, apiKey: key("executor") });
    const item = await agent.propose({ ...refund(), tool: "add_note", args: { text: "hi" } });
    expect(await item.outcome()).toMatchObject({ status: "proceed" });
    await expect(item.start()).rejects.toMatchObject({ code: "forbidden" });
    const run = await worker.executor(item.itemId).start();
    // A new handle, as after a restart of the worker, can still end it.
    expect(await worker.executor(item.itemId).succeed()).toMatchObject({ status: "effective" });
    await expect(run.succeed()).rejects.toMatchObject({ code: "late" });
  });

  it("lets one of many that start at once act", async () => {
    const item = await createClient({ url: w.gateway.url, apiKey: key("agent") }).propose({ ...refund(), tool: "add_note", args: { text: "race" } });
    await item.outcome();
    const starts = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) =>
        createClient({ url: w.gateway.url, apiKey: key(i % 2 ? "executor" : "executor2") })
          .executor(item.itemId)
          .start(),
      ),
    );
    expect(starts.filter((s) => s.status === "fulfilled")).toHaveLength(1);
    for (const s of starts) if (s.status === "rejected") expect(s.reason).toMatchObject({ code: "already_started" });
  });
});

/** A proxy to the gateway that can lose what passes through it. */
async function lossyProxy(
  target: string,
  lose: (request: IncomingMessage, n: number) => "nothing" | "request" | "answer",
): Promise<{ url: string; server: Server; requests: () => number }> {
  let n = 0;
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", async () => {
      const fate = lose(request, n++);
      if (fate === "request") return request.socket.destroy();
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !["host", "connection", "content-length", "transfer-encoding"].includes(name)),
      ) as Record<string, string>;
      const answer = await fetch(`${target}${request.url}`, {
        method: request.method as string,
        headers,
        ...(parts.length > 0 && { body: Buffer.concat(parts) }),
      });
      const text = await answer.text();
      if (fate === "answer") return request.socket.destroy();
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, requests: () => n };
}

describe("when answers are lost", () => {
  it("repeats every request with the same identity: one proposal, one start, one receipt", async () => {
    const lost = new Set<string>();
    const proxy = await lossyProxy(w.gateway.url, (request, n) => {
      const what = `${request.method} ${request.url}`;
      if (request.method !== "POST") return n % 3 === 0 ? "request" : "nothing";
      if (lost.has(what) && !request.url?.endsWith("/receipts")) return "nothing";
      const seen = lost.has(what);
      lost.add(what);
      return seen ? (n % 2 === 0 ? "answer" : "nothing") : "answer";
    });
    try {
      const client = createClient({ url: proxy.url, apiKey: key("agent"), executorKey: key("executor") });
      const item = await client.propose({ ...refund(), tool: "add_note", args: { text: "once" } });
      await item.outcome();
      const run = await item.start();
      await run.succeed();
      const view = (await w.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
      expect(view.timeline.filter((e) => e.topic === "proposals")).toHaveLength(1);
      expect(view.timeline.filter((e) => e.topic === "receipts").map((e) => [e.what, e.status])).toEqual([
        ["started", "effective"],
        ["succeeded", "effective"],
      ]);
      expect(view.findings).toEqual([]);
    } finally {
      proxy.server.closeAllConnections();
      proxy.server.close();
    }
  });

  it("says who does not answer, after its patience", async () => {
    const client = createClient({ url: "http://127.0.0.1:9", apiKey: key("agent"), patienceMs: 300 });
    await expect(client.propose(refund())).rejects.toMatchObject({ code: "unavailable", retryable: true, message: expect.stringContaining("127.0.0.1:9") });
  });

  it("refuses an address that is none and a key that is none, before anything is sent", () => {
    expect(() => createClient({ url: "localhost", apiKey: "x" })).toThrowError(expect.objectContaining({ code: "usage", field: "url" }));
    expect(() => createClient({ url: "http://localhost", apiKey: "" })).toThrowError(expect.objectContaining({ code: "usage", field: "apiKey" }));
  });

  it("goes on waiting through a restart of the gateway", async () => {
    const own = await openWorld();
    let target = own.gateway.url;
    const proxy = await lossyProxy("", () => "request");
    proxy.server.removeAllListeners("request");
    proxy.server.on("request", async (request, response) => {
      try {
        const answer = await fetch(`${target}${request.url}`, {
          headers: { authorization: request.headers.authorization as string, ...(request.headers.prefer && { prefer: request.headers.prefer as string }) },
        });
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(await answer.text());
      } catch {
        request.socket.destroy();
      }
    });
    const item = await own.judged({ tool: "issue_refund", args: { amount: 1 } });
    const waiting = createClient({ url: proxy.url, apiKey: own.key.agent as string, patienceMs: 1 })
      .item(item.itemId)
      .outcome();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await own.close({ keep: true });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const next = await openWorld({ dir: own.dir, key: own.key });
    target = next.gateway.url;
    try {
      await next.decide("lead", item, { kind: "reject" });
      expect(await waiting).toMatchObject({ status: "refused" });
    } finally {
      proxy.server.closeAllConnections();
      proxy.server.close();
      await next.close();
    }
  });
});
