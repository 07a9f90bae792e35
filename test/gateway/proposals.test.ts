import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ItemView, ProposalAnswer } from "../../src/producers/wire/answers.ts";
import { openWorld, type World } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await openWorld();
});
afterAll(() => w.close());

const propose = (body: unknown) =>
  w.call<ProposalAnswer & { code: string; field: string; value: unknown; fix: string; detail: string }>("agent", "POST", "/v1/proposals", body);

describe("POST /v1/proposals", () => {
  it("answers with the item once the fold has read the proposal back", async () => {
    const { status, body, headers } = await propose({
      idempotencyKey: "one",
      tool: "issue_refund",
      args: { amount: 10 },
      origin: { system: "ticket", id: "18422" },
      run: { threadId: "thread-9f2" },
    });
    expect(status).toBe(201);
    expect(body.item).toMatchObject({
      workspace: "default",
      agent: { id: "support-bot" },
      origin: { system: "ticket", id: "18422" },
      run: { threadId: "thread-9f2" },
    });
    expect(body.item.timeline[0]).toMatchObject({
      topic: "proposals",
      ...body.position,
      eventId: body.eventId,
      status: "effective",
      actor: "agent:support-bot",
    });
    expect(headers.get("location")).toBe(`/v1/items/${body.itemId}`);
  });

  it("gives the same item for the same key and content, and writes nothing", async () => {
    const request = { idempotencyKey: "same", tool: "issue_refund", args: { amount: 10, reason: "x" }, evidence: [{ label: "order", value: "1" }] };
    const first = await propose(request);
    const again = await propose({ ...request, args: { reason: "x", amount: 10.0 } });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toMatchObject({ itemId: first.body.itemId, eventId: first.body.eventId, duplicate: true, position: null });
    expect(again.body.item.timeline.filter((e) => e.topic === "proposals")).toHaveLength(1);
  });

  it("gives one item to many who send the same key at the same time", async () => {
    const request = { idempotencyKey: "storm", tool: "add_note", args: { text: "hi" } };
    const answers = await Promise.all(Array.from({ length: 8 }, () => propose(request)));
    expect(new Set(answers.map((a) => a.body.eventId)).size).toBe(1);
    expect(answers.filter((a) => a.status === 201)).toHaveLength(1);
  });

  it("refuses the same key with other content as a conflict", async () => {
    await propose({ idempotencyKey: "twice", tool: "issue_refund", args: { amount: 10 } });
    const { status, body } = await propose({ idempotencyKey: "twice", tool: "issue_refund", args: { amount: 11 } });
    expect([status, body.code, body.field]).toEqual([409, "conflict", "/idempotencyKey"]);
  });

  it("keeps the same key of two agents apart", async () => {
    const request = { idempotencyKey: "shared", tool: "add_note", args: { text: "hi" } };
    const [a, b] = [
      await w.call<ProposalAnswer>("agent", "POST", "/v1/proposals", request),
      await w.call<ProposalAnswer>("otherAgent", "POST", "/v1/proposals", request),
    ];
    expect([a.status, b.status]).toEqual([201, 201]);
    expect(a.body.itemId).not.toBe(b.body.itemId);
  });

  it("hands an action that no policy describes to a person instead of refusing it", async () => {
    const item = await w.judged({ tool: "launch_rocket", args: {} });
    expect([item.stage, item.owner, item.route]).toEqual(["pending", "role:support-lead", "interrupt"]);
  });

  it("ends what policy forbids without any person seeing it", async () => {
    const item = await w.judged({ tool: "issue_refund", args: { amount: 4500 } });
    expect([item.stage, item.outcome]).toEqual(["done", "forbidden"]);
    const queue = await w.call<{ items: ItemView[] }>("lead", "GET", "/v1/items?queue=true&limit=200");
    expect(queue.body.items.map((i) => i.itemId)).not.toContain(item.itemId);
  });

  const DOUBLING = {
    $defs: Object.fromEntries(
      Array.from({ length: 46 }, (_, i) => [
        `d${i}`,
        i === 45 ? { type: "number" } : { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
      ]),
    ),
    properties: { amount: { $ref: "#/$defs/d0" } },
  };
  const schema = { type: "object", properties: { amount: { type: "number" } }, required: ["amount"], additionalProperties: false };
  it.each<[string, object, string, string]>([
    ["arguments that break the agent's own schema, at the place", { tool: "t", args: { amount: "10" }, argsSchema: schema }, "schema_invalid", "/args/amount"],
    ["an argument that the agent's own schema does not know", { tool: "t", args: { amount: 1, evil: 2 }, argsSchema: schema }, "schema_invalid", "/args/evil"],
    ["a schema that does not compile", { actions: [{ tool: "t", args: {}, argsSchema: { type: "no such type" } }] }, "schema_invalid", "/actions/0/argsSchema"],
    ["a schema that would answer with a promise", { tool: "t", args: {}, argsSchema: { $async: true } }, "schema_invalid", "/argsSchema"],
    ["a schema that refers to itself for ever", { tool: "t", args: {}, argsSchema: { $ref: "#" } }, "schema_invalid", "/argsSchema"],
    ["a schema whose references double at every step", { tool: "t", args: { amount: 1 }, argsSchema: DOUBLING }, "schema_invalid", "/argsSchema"],
    [
      "a schema whose check of these arguments would never end",
      { tool: "t", args: JSON.parse(`${'{"a":'.repeat(50)}1${"}".repeat(50)}`), argsSchema: { properties: { a: { allOf: [{ $ref: "#" }, { $ref: "#" }] } } } },
      "schema_invalid",
      "/argsSchema",
    ],
    ["a field that it does not know", { tool: "t", args: {}, actor: { kind: "person", id: "carol" } }, "request_invalid", "/actor"],
    ["an agent's id in the body: it comes from the key", { tool: "t", args: {}, agent: { id: "other-bot" } }, "request_invalid", "/agent/id"],
    ["a control character in the key, which could make two keys one", { idempotencyKey: "a\0b", tool: "t", args: {} }, "request_invalid", "/idempotencyKey"],
    ["a control character in a tool", { tool: "t\u0007", args: {} }, "request_invalid", "/tool"],
    ["a proposal without an action", {}, "request_invalid", "/actions"],
    ["a question with an action", { ask: "question", question: "?", tool: "t", args: {} }, "request_invalid", "/actions"],
    ["a question without words", { ask: "question" }, "request_invalid", "/question"],
    [
      "two actions with one id",
      {
        actions: [
          { actionId: "x", tool: "t", args: {} },
          { actionId: "x", tool: "t", args: {} },
        ],
      },
      "request_invalid",
      "/actions",
    ],
    ["arguments that are no object", { tool: "t", args: [1] }, "request_invalid", "/args"],
    ["a retry of an item that is not the agent's", { tool: "t", args: {}, retryOf: "0".repeat(32) }, "request_invalid", "/retryOf"],
    ["a trace that is no address", { tool: "t", args: {}, traceUrl: "not a url" }, "request_invalid", "/traceUrl"],
    ["a trace that would run as a script", { tool: "t", args: {}, traceUrl: "javascript:alert(1)" }, "request_invalid", "/traceUrl"],
    [
      "a way to resume that would run as a script",
      { tool: "t", args: {}, run: { framework: "f", threadId: "t", ended: false, resumeUrl: "javascript:alert(1)" } },
      "request_invalid",
      "/run/resumeUrl",
    ],
    ["evidence that lies in a file", { tool: "t", args: {}, evidence: [{ label: "x", url: "file:///etc/passwd" }] }, "request_invalid", "/evidence/0/url"],
    ["confidence beyond 1", { actions: [{ tool: "t", args: {}, confidence: 1.5 }] }, "request_invalid", "/actions/0/confidence"],
  ])("refuses %s", async (_what, request, code, field) => {
    const { status, body, headers } = await propose({ idempotencyKey: `bad-${Math.random()}`, ...request });
    expect([status, body.code, body.field]).toEqual([422, code, field]);
    expect(body.fix).toBeTruthy();
    expect(headers.get("content-type")).toBe("application/problem+json");
  });

  it("names the rule and the value of a broken schema", async () => {
    const { body } = await propose({ idempotencyKey: "rule", tool: "t", args: { amount: -1 }, argsSchema: { properties: { amount: { minimum: 0 } } } });
    expect(body).toMatchObject({ code: "schema_invalid", field: "/args/amount", value: -1 });
    expect(body.detail).toContain("minimum");
  });

  it.each<[string, string, number, string, string | undefined]>([
    ["a key that is there twice", '{"idempotencyKey":"d","tool":"t","args":{"amount":1,"amount":1000}}', 400, "json_duplicate_key", "/args/amount"],
    [
      "a number that would become another one",
      '{"idempotencyKey":"d","tool":"t","args":{"account":12345678901234567890}}',
      400,
      "json_number_lossy",
      "/args/account",
    ],
    ["half of a surrogate pair", '{"idempotencyKey":"d","tool":"t","args":{"a":"\\ud800"}}', 400, "json_lone_surrogate", "/args/a"],
    ["nesting without end", `{"a":${"[".repeat(100)}${"]".repeat(100)}}`, 400, "json_too_deep", ""],
    ["what is no JSON", "{", 400, "json_syntax", ""],
    ["an empty body", "", 400, "json_syntax", ""],
    [
      "arguments over their limit, by name",
      JSON.stringify({ idempotencyKey: "d", tool: "t", args: { a: "x".repeat(300_000) } }),
      413,
      "json_too_large",
      "/args",
    ],
    ["a body over its limit", JSON.stringify({ idempotencyKey: "d", tool: "t", args: { a: "x".repeat(1_100_000) } }), 413, "json_too_large", ""],
    [
      "a transcript over its limit",
      JSON.stringify({ idempotencyKey: "d", tool: "t", args: {}, transcript: { messages: ["x".repeat(600_000)] } }),
      413,
      "json_too_large",
      "/transcript/messages",
    ],
  ])("refuses %s", async (_what, text, status, code, field) => {
    const answer = await propose(text);
    expect([answer.status, answer.body.code, answer.body.field]).toEqual([status, code, field]);
  });

  it("refuses a body that is no JSON by its type, or no UTF-8", async () => {
    const typed = await w.call("agent", "POST", "/v1/proposals", "a=1", { "content-type": "application/x-www-form-urlencoded" });
    expect([typed.status, typed.body.code]).toEqual([422, "request_invalid"]);
    const bytes = await w.call("agent", "POST", "/v1/proposals", new Uint8Array([0x7b, 0xff, 0x7d]));
    expect([bytes.status, bytes.body.code]).toEqual([400, "json_syntax"]);
  });

  it("keeps a key named __proto__ in the arguments, so that what is hashed is what was sent", async () => {
    const { body } = await propose('{"idempotencyKey":"proto","tool":"t","args":{"__proto__":{"amount":1}}}');
    expect(JSON.stringify(body.item.actions[0]?.args)).toBe('{"__proto__":{"amount":1}}');
  });
});
