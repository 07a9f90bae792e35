import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MASKED } from "../../src/policy/render.ts";
import type { ItemRecord } from "../../src/producers/wire/record.ts";
import { itemRecord as shape } from "../../src/producers/wire/record.ts";
import { cli } from "../cli/harness.ts";
import { checkPage } from "../cli/html.ts";
import { type GrantShape, openWorld, until, type World } from "./world.ts";

/** Payouts name a person and an account; a token goes with them that nobody is to see. */
const POLICY = `
policy: payouts
workspace: default
version: "7"
owner: role:support-lead
mode: enforce
actions:
  send_payout:
    arguments:
      type: object
      properties: { amount: { type: number }, payee: { type: string }, note: { type: string }, auth: { type: object, properties: { token: { type: string } } } }
      required: [amount, payee]
    reversibility: partially
    execution: queryable
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, edit, reject]
    editable: [/amount, /payee]
    fields:
      /amount: { label: Amount }
      /payee: { label: Payee, class: personal }
      /auth/token: { label: Token, class: secret }
    card: { headline: "Pay {/payee} {/amount}" }
    lease: PT1S
  write_ledger:
    arguments: { type: object }
    reversibility: reversible
    execution: idempotent
    risk: high
    gate: { kind: hard }
    owner: role:support-lead
    decisions: [approve, edit, reject]
floors:
  - id: never-so-much
    when: { action: send_payout, args: { /amount: { above: 4000 } } }
    forbid: true
    because: "More than 4,000 is never paid out"
`;
const RUN = { framework: "langgraph", threadId: "thread-1", checkpointId: "c-4", step: 3 };
const HOSTILE = '</style><script>alert(1)</script><img src=x onerror="x">\u202egnp.exe';

let world: World;
beforeAll(async () => {
  world = await openWorld({ policy: POLICY });
});
afterAll(() => world.close());

const record = async (itemId: string, query = "") => {
  const { status, body } = await world.call<ItemRecord>("lead", "GET", `/v1/items/${itemId}/record${query}`);
  expect(status).toBe(200);
  return shape.parse(body);
};
const page = async (itemId: string, query = "?format=html") => {
  const response = await fetch(`${world.gateway.url}/v1/items/${itemId}/record${query}`, {
    headers: { authorization: `Bearer ${world.key.lead}`, accept: "text/html,application/xhtml+xml,*/*;q=0.8" },
  });
  return { headers: response.headers, html: await response.text() };
};
const grantOf = async (itemId: string) =>
  (await world.call<{ grant: GrantShape }>("executor", "GET", `/v1/items/${itemId}/outcome`, undefined, { prefer: "wait=10" })).body.grant;
const payout = (args: Record<string, unknown>) => ({ tool: "send_payout", args: { amount: 40, payee: "Jo Elsewhere", auth: { token: "hunter2-x" }, ...args } });

/** Proposed for Jo, forbidden once, edited, refused to somebody who may not, paid, and gone on elsewhere. */
async function paid(): Promise<{ itemId: string; grant: GrantShape }> {
  const item = await world.judged({
    ...payout({}),
    actions: [
      {
        ...payout({}),
        actionId: "a1",
        targetState: { state: { balance: 100, holder: "Jo Elsewhere" }, readAt: 1_700_000_000_000 },
        confidence: 0.7,
      },
      { actionId: "a2", tool: "write_ledger", args: { line: "x" } },
    ],
    tool: undefined,
    args: undefined,
    run: RUN,
    intent: "Pay Jo Elsewhere what is owed",
    evidence: [{ label: "invoice", value: "for Jo Elsewhere" }],
  });
  const forbidden = await world.decide("lead", item, { kind: "edit", edits: [{ actionId: "a1", args: payout({ amount: 4500 }).args }] });
  expect(forbidden.body.rejudged).toMatchObject({ state: "fell_back" });
  const now = (await world.call<typeof item>("lead", "GET", `/v1/items/${item.itemId}`)).body;
  const edit = { kind: "edit", edits: [{ actionId: "a1", args: payout({ amount: 25 }).args }], dropped: ["a2"], message: "Half of it, Jo Elsewhere agrees" };
  expect((await world.decide("intern", now, edit)).status).toBe(403);
  expect((await world.decide("lead", now, edit)).status).toBe(200);
  const grant = await grantOf(item.itemId);
  const of = { grant: grant.id, argsSha256: grant.actions[0]?.argsSha256 };
  expect((await world.receipt("executor", item.itemId, { ...of, kind: "started" })).status).toBe(200);
  const done = await world.receipt("executor", item.itemId, {
    ...of,
    kind: "succeeded",
    result: { to: "Jo Elsewhere", status: "Jo Elsewhere" },
    externalRef: { system: "bank", id: "tx-9", url: "https://bank.example/tx-9" },
    stateAfter: { state: { balance: 75 }, readAt: 1_700_000_100_000 },
    resumed: { threadId: "thread-2", checkpointId: "c-9" },
  });
  expect(done.status).toBe(200);
  return { itemId: item.itemId, grant };
}

describe("the record of an item that was edited and paid", () => {
  let itemId: string;
  let found: ItemRecord;
  beforeAll(async () => {
    ({ itemId } = await paid());
    found = await record(itemId, "?profile=raw");
  });

  test("proposed, approved and executed stand side by side, with the patch between them and the state before and after", () => {
    const [first, second] = found.actions;
    expect(first).toMatchObject({
      actionId: "a1",
      changed: "edited",
      proposed: { step: 1, args: { amount: 40 } },
      approved: { step: 1, args: { amount: 25 } },
      patch: [{ op: "replace", path: "/amount", value: 25 }],
      targetState: { state: { balance: 100 } },
      confidence: 0.7,
      executed: [
        {
          progress: "succeeded",
          by: "executor:worker-1",
          args: { amount: 25 },
          asGranted: true,
          externalRef: { system: "bank", id: "tx-9" },
          stateAfter: { state: { balance: 75 } },
        },
      ],
    });
    expect(first?.executed[0]?.argsSha256).toBe(first?.approved?.argsSha256);
    expect(first?.proposed?.argsSha256).not.toBe(first?.approved?.argsSha256);
    expect(second).toMatchObject({ actionId: "a2", changed: "dropped", proposed: { step: 2 }, approved: null, executed: [] });
  });

  test("every decision names who made it with which roles, on which card, and what it changed", () => {
    expect(found.decisions.map((d) => [d.kind, d.by.id, d.status, d.settles, d.sawThatCard])).toEqual([
      ["edit", "carol", "effective", true, true],
      ["edit", "carol", "effective", true, true],
    ]);
    const [forbidden, edit] = found.decisions;
    expect(edit).toMatchObject({
      by: { kind: "person", roles: ["support-lead"] },
      message: "Half of it, Jo Elsewhere agrees",
      dropped: ["a2"],
      edits: [{ actionId: "a1", before: { amount: 40 }, after: { amount: 25 }, patch: [{ op: "replace", path: "/amount", value: 25 }] }],
      review: { channel: "api" },
    });
    // The forbidden edit left the card of the first verdict standing: that is the one that was seen.
    const [first] = found.verdicts;
    expect([forbidden?.card, edit?.card]).toEqual([first?.eventId, first?.eventId]);
    expect(first?.card?.headline).toContain("Jo Elsewhere");
  });

  test("every judgement names the policy's version and document, and what it judged", () => {
    expect(found.verdicts.map((v) => [v.judges.split("/")[0], v.policy?.id, v.policy?.version, v.route, v.inForce])).toEqual([
      ["proposals", "payouts", "7", "interrupt", false],
      ["decisions", "payouts", "7", "forbid", false],
      ["decisions", "payouts", "7", "interrupt", true],
    ]);
    expect(found.verdicts[0]?.policy?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(found.verdicts[1]?.because.join()).toContain("never paid out");
  });

  test("it says where the run paused and went on, and that this is a finding", () => {
    expect(found.run).toMatchObject({
      paused: { threadId: "thread-1", checkpointId: "c-4" },
      wentOn: [{ threadId: "thread-2", checkpointId: "c-9", elsewhere: true }],
    });
    expect(found.findings).toMatchObject([{ code: "resumed_elsewhere", says: expect.stringContaining("thread or checkpoint"), topic: "receipts" }]);
  });

  test("every event stands in it with its place in the log, and each fact names the event it comes from", () => {
    const places = found.events.map((e) => `${e.topic} ${e.partition}:${e.offset} ${e.eventId}`);
    expect(new Set(places).size).toBe(9);
    expect(found.events.map((e) => e.what)).toEqual(["review", "interrupt", "edit", "forbid", "edit", "interrupt", "proceed_edited", "started", "succeeded"]);
    for (const { position: p, eventId } of [found.proposal, ...found.verdicts, ...found.decisions, ...found.resumes, ...found.receipts])
      expect(places).toContain(`${p.topic} ${p.partition}:${p.offset} ${eventId}`);
    for (const { topic, partition, offset, eventId } of found.events) {
      const [event] = world.ledger.queries.timeline(itemId).filter((e) => e.eventId === eventId);
      expect([partition, offset]).toEqual([found.proposal.position.partition, event?.offset]);
      expect(topic).toBe(event?.topic);
    }
  });

  test("strict hides what policy classifies wherever it stands, tells values apart, and leaves out hashes that would give them away", async () => {
    const strict = await record(itemId);
    const text = JSON.stringify(strict);
    expect(text).not.toMatch(/Jo Elsewhere|hunter2/);
    expect(strict.hidden).toEqual([
      { actionId: "a1", path: "/auth/token", class: "secret" },
      { actionId: "a1", path: "/payee", class: "personal" },
    ]);
    const [first, second] = strict.actions;
    expect(first?.proposed).toMatchObject({ args: { amount: 40, payee: "[personal 1]", auth: { token: "[secret 1]" } }, argsSha256: null });
    expect(first?.executed[0]).toMatchObject({
      asGranted: true,
      argsSha256: null,
      args: { payee: "[personal 1]" },
      result: { to: "[personal 1]", status: "[personal 1]" },
    });
    expect(second?.proposed?.argsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(strict.verdicts[0]).toMatchObject({ cardSha256: null, card: { headline: "2 steps: 1. Pay [personal 1] 40 · 2. Run write_ledger with line x" } });
    expect(strict.verdicts[0]?.card?.fields.find((f) => f.path === "/auth/token")?.value).toBe(MASKED);
    expect(strict.proposal.evidence[0]?.value).toBe("for [personal 1]");
    expect(strict.decisions[1]?.message).toBe("Half of it, [personal 1] agrees");
    expect(strict.decisions[1]?.sawThatCard).toBe(true);
    expect(JSON.stringify(strict.resumes)).not.toMatch(/"(argsSha256|effectKey)":"/);
    const raw = JSON.stringify(found);
    for (const hash of [found.actions[0]?.proposed?.argsSha256, found.actions[0]?.approved?.argsSha256, found.verdicts[0]?.cardSha256]) {
      expect(raw).toContain(hash);
      expect(text).not.toContain(hash);
    }
  });

  test("the page says the same: side by side, marked where it differs, escaped, without script, with rules for paper", async () => {
    const { headers, html } = await page(itemId, "");
    expect(headers.get("content-type")).toBe("text/html; charset=UTF-8");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    checkPage(html);
    expect(html).not.toMatch(/Jo Elsewhere|hunter2/);
    expect(html).toContain("@media print");
    expect(html).toContain("[personal 1]");
    expect(html).toContain("payouts@7");
    expect(html).toContain("The run went on at another thread or checkpoint");
    expect(html).toMatch(/<div class="changed"><code class="json">25<\/code><\/div>/);
    for (const { topic, partition, offset } of found.events) expect(html).toContain(`<code>${topic} ${partition}:${offset}</code>`);
    for (const title of [
      "Proposed, approved, executed",
      "What was changed",
      "Decisions",
      "The card, as it was seen",
      "Policy",
      "Resumed where",
      "Receipts",
      "Findings",
      "Every event",
    ])
      expect(html).toContain(`<h2>${title}</h2>`);
  });

  test("the command prints it in words, as JSON, and as a page that only its owner may read", async () => {
    const env = { COUNTERSIGN_URL: world.gateway.url, COUNTERSIGN_API_KEY: world.key.lead ?? "" };
    const words = await cli(["record", itemId.slice(0, 10)], { env });
    expect(words.code).toBe(0);
    expect(words.out).toContain("send_payout (action a1): approved with changes");
    expect(words.out).toContain("Went on      thread thread-2, checkpoint c-9 (NOT where it paused)");
    expect(words.out).not.toMatch(/Jo Elsewhere|hunter2/);
    expect(Math.max(...words.out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    const json = await cli(["record", itemId, "--json", "--profile", "raw"], { env });
    expect({ ...JSON.parse(json.out), at: 0 }).toEqual({ ...found, at: 0 });
    const file = join(world.dir, "record.html");
    expect(await cli(["record", itemId, "--html", file], { env })).toMatchObject({ code: 0, out: `Written: ${file}\n` });
    checkPage(readFileSync(file, "utf8"));
    expect((await cli(["record", itemId, "--html", world.dir], { env })).code).toBe(2);
    expect((await cli(["record", itemId, "--profile", "some"], { env })).code).toBe(2);
    expect((await cli(["record", "0".repeat(32)], { env })).code).toBe(4);
  });
});

test("only reviewers of its workspace read a record, and a parameter that nobody knows is refused", async () => {
  const { itemId } = await world.judged(payout({}));
  const status = async (who: string | null, query = "") => (await world.call(who, "GET", `/v1/items/${itemId}/record${query}`)).status;
  expect(await Promise.all([status("agent"), status("executor"), status("elsewhere"), status(null)])).toEqual([403, 403, 404, 401]);
  expect(await Promise.all([status("lead", "?profile=all"), status("lead", "?raw=true"), status("lead", "?format=pdf")])).toEqual([422, 422, 422]);
});

test("what waits is in its record as not approved, and a rejection with its reasons", async () => {
  const item = await world.judged(payout({ payee: "Sam" }));
  expect((await record(item.itemId)).actions).toMatchObject([{ changed: "waiting", approved: null, executed: [], patch: null }]);
  await world.decide("lead", item, { kind: "reject", reasonCodes: ["wrong_payee"], message: "Not Sam" });
  await grantOf(item.itemId);
  const found = await record(item.itemId, "?profile=raw");
  expect(found).toMatchObject({
    outcome: "refused",
    actions: [{ changed: "waiting", approved: null }],
    decisions: [{ kind: "reject", reasonCodes: ["wrong_payee"], settles: true }],
    resumes: [{ outcome: "refused", message: expect.stringContaining("Not Sam"), actions: [] }],
  });
});

test("an executor that used other arguments, and an outcome that nobody knew until it was settled, are told as such", async () => {
  const item = await world.judged(payout({ amount: 7 }));
  await world.decide("lead", item, { kind: "approve" });
  const grant = await grantOf(item.itemId);
  const of = { grant: grant.id, argsSha256: grant.actions[0]?.argsSha256 };
  await world.receipt("executor", item.itemId, { ...of, kind: "started" });
  const doubt = await until(async () => {
    const { body } = await world.call<typeof item>("lead", "GET", `/v1/items/${item.itemId}`);
    return body.stage === "in_doubt" ? body : undefined;
  });
  await world.receipt("executor", item.itemId, { ...of, argsSha256: "0".repeat(64), kind: "succeeded" });
  const settled = { kind: "settle", settlement: { outcome: "succeeded", externalRef: { system: "bank", id: "tx-1" } } };
  expect((await world.decide("lead", doubt, settled)).status).toBe(200);
  const found = await record(item.itemId);
  expect(found.actions[0]?.executed).toMatchObject([
    { progress: "unknown", asGranted: true, settled: { by: "person:carol", outcome: "succeeded", externalRef: { id: "tx-1" } } },
  ]);
  expect(found.findings.map((f) => f.code)).toEqual(["late_receipt"]);
  expect(found.receipts.map((r) => [r.kind, r.status])).toEqual([
    ["started", "effective"],
    ["unknown", "effective"],
    ["succeeded", "superseded"],
  ]);
  const other = await world.judged(payout({ amount: 8 }));
  await world.decide("lead", other, { kind: "approve" });
  const next = await grantOf(other.itemId);
  const start = { grant: next.id, argsSha256: next.actions[0]?.argsSha256 };
  await world.receipt("executor", other.itemId, { ...start, kind: "started" });
  await world.receipt("executor", other.itemId, { ...start, argsSha256: "1".repeat(64), kind: "succeeded" });
  const differs = await record(other.itemId);
  expect(differs.actions[0]?.executed).toMatchObject([{ asGranted: false, args: null }]);
  expect(differs.findings.map((f) => f.code)).toEqual(["args_differ"]);
  expect((await page(other.itemId)).html).toContain("other arguments than granted, which only the executor knows");
});

test("whatever agents and executors write is text on the page", async () => {
  const item = await world.judged({
    ...payout({ note: HOSTILE, [HOSTILE]: [HOSTILE, {}] }),
    intent: HOSTILE,
    run: { ...RUN, threadId: "t".repeat(300) },
    evidence: [{ label: "x", value: HOSTILE, url: "https://x.example/?a=1&b=\"'" }],
  });
  await world.decide("lead", item, { kind: "reject", message: HOSTILE, reasonCodes: [HOSTILE.slice(0, 90).replace("\u202e", "")] });
  const { html } = await page(item.itemId, "?format=html&profile=raw");
  checkPage(html);
  expect(html).not.toContain("<script");
  expect(html).not.toContain("\u202e");
  expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
});
