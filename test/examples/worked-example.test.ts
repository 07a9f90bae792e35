import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { publishPolicies, readPolicies } from "../../src/cli/publish.ts";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import type { Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import { inProcessTransport } from "../../src/gateway/in-process.ts";
import { type Gateway, startGateway } from "../../src/gateway/server.ts";
import { openKeys } from "../../src/local/keys.ts";
import { type LocalDb, openLocalDb } from "../../src/local/local-db.ts";
import { createClient } from "../../src/producers/client.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { untilItem } from "../../src/projector/until.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import { cli } from "../cli/harness.ts";
import { collected } from "../evals/collected.ts";
import { sessionOf, shown } from "../support/session.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = sessionOf(`${root}docs/worked-example.md`);
const PROPOSAL = JSON.parse(readFileSync(`${root}examples/support-email/proposal.json`, "utf8"));
const ITEM = itemIdOf("support", "support-agent", PROPOSAL.idempotencyKey);
const NINE = Date.UTC(2026, 10, 2, 9);
const MINUTE = 60_000;
const DANA = { kind: "person", id: "dana", roles: ["support-lead"], workspace: "support" } as const;

let data: string;
let clock = NINE;
let ledger: Ledger;
let local: LocalDb;
let gateway: Gateway;
let keys: Record<string, string>;
const printed: string[] = [];

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "countersign-test-"));
  ledger = await openLedger({ log: `sqlite:${data}`, data, now: () => clock });
  await publishPolicies(ledger, readPolicies([`${root}policies/support-email.yaml`]));
  await ledger.start();
  local = openLocalDb(data);
  const store = openKeys(local);
  gateway = await startGateway(ledger, { port: 0, local: store });
  keys = {
    agent: store.createKey({ scope: "agent", id: "support-agent", workspace: "support", owner: PROPOSAL.agent.owner }).key,
    reviewer: store.createKey({ scope: "reviewer", id: DANA.id, roles: DANA.roles, workspace: "support" }).key,
    executor: store.createKey({ scope: "executor", id: "mailer", workspace: "support" }).key,
  };
  for (const { who, later, argv } of page.steps) {
    clock += later * MINUTE;
    const argvHere = argv.map((word) => word.replace("@examples/", `@${root}examples/`));
    const ended = await cli(argvHere, { env: { COUNTERSIGN_URL: gateway.url, COUNTERSIGN_API_KEY: keys[who] ?? "", COLUMNS: "80" }, now: () => clock });
    printed.push(ended.code === 0 ? shown(ended) : `exit ${ended.code}\n${shown(ended)}`);
    // The workers are as fast as they are; what the next party sees must not depend on it.
    await untilItem(ledger, ITEM, ({ stage }) => ["pending", "granted", "executing", "done"].includes(stage) || undefined);
  }
  if (process.env.UPDATE_DOCS === "1") page.rewrite(printed);
});

afterAll(async () => {
  await gateway?.close();
  await ledger?.close();
  local?.close();
  rmSync(data, { recursive: true, force: true });
});

/** The events of the item on a topic, in log order. */
async function events<T extends Topic>(topic: T, itemId = ITEM): Promise<EventOf[T][]> {
  const ids = ledger.queries.timeline(itemId).filter((e) => e.topic === topic);
  return Promise.all(ids.map(async (e) => (await ledger.events.get(itemId, topic, e.eventId)) as EventOf[T]));
}

function itemView(itemId = ITEM): Promise<ItemView> {
  return inProcessTransport(ledger, DANA).item(itemId);
}

test.skipIf(process.env.UPDATE_DOCS === "1").each(page.steps.map(({ argv }, i) => [`${argv[0]} (${i + 1})`, i] as const))(
  "the page shows what `%s` really prints; UPDATE_DOCS=1 writes it anew",
  (_, i) => expect(page.steps[i]?.printed).toBe(printed[i]),
);

describe("the item, event by event", () => {
  test("comes from ticket 18422, with the checkpoint pointer and the trace", async () => {
    const [proposal, ...more] = await events("proposals");
    expect(more).toEqual([]);
    expect(proposal).toMatchObject({
      actor: { kind: "agent", id: "support-agent" },
      origin: { system: "helpdesk", id: "18422", url: "https://helpdesk.example.com/tickets/18422" },
      run: { framework: "langgraph", threadId: "thread-9f2", checkpointId: "cp-0007", step: 7, ended: false },
      traceUrl: "https://traces.example.com/runs/thread-9f2",
      actions: [{ tool: "send_email", ...canonicalArgs(PROPOSAL.args) }],
    });
  });

  test("wants to send an email to acct@example.com that speaks of a refund, which crosses the external-communication policy", async () => {
    const [verdict] = await events("verdicts");
    expect(JSON.parse((await events("proposals"))[0]?.actions[0]?.args ?? "")).toMatchObject({
      to: "acct@example.com",
      body: expect.stringContaining("refund"),
    });
    expect(verdict).toMatchObject({
      policy: { id: "external-communication" },
      route: "interrupt",
      risk: "high",
      reversibility: "irreversible",
      gate: "hard",
      matched: [{ rule: "refund-language", path: "/body", operator: "matches" }],
    });
    expect(verdict?.because[0]).toBe("The email speaks of a refund: that crosses the external-communication policy");
  });

  test("belongs to the support lead, who may approve, edit or reject until an absolute time four hours later", async () => {
    const [verdict] = await events("verdicts");
    expect(verdict).toMatchObject({
      owner: "role:support-lead",
      allowedDecisions: ["approve", "edit", "reject"],
      onExpiry: "reject",
      expiresAt: NINE + 240 * MINUTE,
    });
    expect(verdict?.editablePaths.map((e) => e.path)).toEqual(["/subject", "/body"]);
  });

  test("was edited by the support lead, who had seen its card; policy judged the new text again, and her vote satisfies it", async () => {
    const [first, second, ...more] = await events("verdicts");
    const [edit] = await events("decisions");
    expect(more).toEqual([]);
    expect(edit).toMatchObject({
      kind: "edit",
      actor: { kind: "person", id: "dana", roles: ["support-lead"] },
      answers: { topic: "verdicts", eventId: first?.eventId },
      seen: { cardSha256: first?.cardSha256 },
      reasonCodes: ["promises_refund"],
      review: { channel: "cli" },
    });
    expect(second).toMatchObject({ answers: { topic: "decisions", eventId: edit?.eventId }, route: "interrupt", risk: "medium", matched: [] });
    expect(ledger.queries.item(ITEM)?.life.verdict?.group).toMatchObject({ votes: ["dana"], closedBy: null });
  });

  test("resumed its run at the checkpoint with exactly the edited arguments", async () => {
    const [resume, ...more] = await events("resumes");
    const [edit] = await events("decisions");
    const args = JSON.parse(edit?.edits[0]?.args ?? "");
    expect(more).toEqual([]);
    expect(args).toMatchObject({ to: "acct@example.com", body: expect.not.stringContaining("refund") });
    expect(resume).toMatchObject({
      outcome: "proceed_edited",
      actions: [{ tool: "send_email", ...canonicalArgs(args), execution: "blind" }],
      run: { threadId: "thread-9f2", checkpointId: "cp-0007" },
      message: "Approved with changes: send_email /body. Never promise a refund before it is approved",
    });
  });

  test("was sent once, and its receipt attaches to the customer's record", async () => {
    const receipts = await events("receipts");
    const [resume] = await events("resumes");
    expect(receipts.map((r) => [r.kind, r.actor.id, r.answers?.eventId, r.argsSha256])).toEqual(
      ["started", "succeeded"].map((kind) => [kind, "mailer", resume?.eventId, resume?.actions[0]?.argsSha256]),
    );
    expect(receipts[1]).toMatchObject({ externalRef: { system: "mail", id: "msg-5d1e" }, result: '{"queued":false,"sent":true}' });
    expect((await events("verdicts")).map((v) => v.receiptTarget)).toEqual(Array(2).fill({ system: "crm", id: "acct@example.com", url: null }));
    expect((await itemView()).receiptTarget).toMatchObject({ system: "crm", id: "acct@example.com" });
    expect(ledger.queries.item(ITEM)).toMatchObject({ stage: "done", outcome: "succeeded" });
  });

  test("is one chain: every event names the one that it answers, and each has a place in the log", async () => {
    const timeline = (await itemView()).timeline;
    expect(timeline.map((e) => `${e.topic} ${e.what} ${e.status}`)).toEqual([
      "proposals review effective",
      "verdicts interrupt effective",
      "decisions edit effective",
      "verdicts interrupt effective",
      "resumes proceed_edited effective",
      "receipts started effective",
      "receipts succeeded effective",
    ]);
    const known = new Set(timeline.map((e) => `${e.topic}/${e.eventId}`));
    expect(timeline.map((e) => e.answers === null || known.has(e.answers))).toEqual(Array(7).fill(true));
    expect(new Set(timeline.map((e) => e.partition)).size).toBe(1);
    expect(timeline.map((e) => e.offset)).toEqual([0, 0, 0, 1, 0, 0, 1]);
  });

  test("is a row of the dataset: proposed and final arguments, reason, policy, outcome", async () => {
    const { examples } = await collected({ log: ledger.log, codec: ledger.codec, workspace: "support", profile: "raw" });
    expect(examples.find((e) => e.itemId === ITEM)).toMatchObject({
      agent: { id: "support-agent", version: "1.4.0", model: "gpt-4o" },
      run: { threadId: "thread-9f2" },
      proposed: [{ args: PROPOSAL.args }],
      final: [{ args: { to: "acct@example.com", body: expect.stringContaining("make it good") } }],
      decision: { kind: "edit", reasonCodes: ["promises_refund"], reviewer: { id: "dana" } },
      policy: { id: "external-communication" },
      outcome: { stage: "done", outcome: "succeeded", receipts: [{ kind: "succeeded", externalRef: { system: "mail", id: "msg-5d1e" } }] },
    });
  });
});

describe("what else could have happened to the same email", () => {
  const lead = () => inProcessTransport(ledger, DANA);
  async function proposed(key: string): Promise<ItemView> {
    const client = createClient({ url: gateway.url, apiKey: keys.agent as string });
    const { itemId } = await client.propose({ ...PROPOSAL, idempotencyKey: key });
    await untilItem(ledger, itemId, ({ stage }) => stage === "pending" || undefined);
    return itemView(itemId);
  }
  const seen = ({ verdict, cardSha256 }: ItemView) => ({ verdict: verdict?.eventId as string, seen: { cardSha256 } });

  test("the same proposal again is the same item", async () => {
    const before = ledger.queries.totals().items;
    const handle = await createClient({ url: gateway.url, apiKey: keys.agent as string }).propose(PROPOSAL);
    expect([handle.itemId, ledger.queries.totals().items]).toEqual([ITEM, before]);
  });

  test("approved, it runs with the arguments as they were proposed", async () => {
    const item = await proposed("approved");
    await lead().decide(item.itemId, { kind: "approve", ...seen(item) });
    const outcome = await createClient({ url: gateway.url, apiKey: keys.agent as string })
      .item(item.itemId)
      .outcome();
    expect(outcome).toMatchObject({ status: "proceed", grant: { actions: [{ tool: "send_email", args: PROPOSAL.args }] }, run: { threadId: "thread-9f2" } });
  });

  test("rejected, nothing runs, and the model is told why", async () => {
    const item = await proposed("rejected");
    await lead().decide(item.itemId, { kind: "reject", ...seen(item), message: "The refund is not approved" });
    const outcome = await createClient({ url: gateway.url, apiKey: keys.agent as string })
      .item(item.itemId)
      .outcome();
    expect(outcome).toMatchObject({ status: "refused", message: "The refund is not approved" });
    expect(outcome).not.toHaveProperty("grant");
  });

  test("answered instead of decided, or decided by somebody who is not the support lead, it still waits", async () => {
    const item = await proposed("refused tries");
    await expect(lead().decide(item.itemId, { kind: "respond", ...seen(item), message: "no" })).rejects.toMatchObject({ code: "not_allowed" });
    const intern = inProcessTransport(ledger, { ...DANA, id: "ivo", roles: ["support"] });
    await expect(intern.decide(item.itemId, { kind: "approve", ...seen(item) })).rejects.toMatchObject({ code: "not_entitled" });
    expect((await itemView(item.itemId)).stage).toBe("pending");
  });

  test("left alone for four hours, it expires: nothing is sent, and that is no person's refusal", async () => {
    const item = await proposed("left alone");
    clock += 241 * MINUTE;
    // The workers look at the clock when something is folded.
    await proposed("later");
    const done = await untilItem(ledger, item.itemId, (view) => (view.stage === "done" ? view : undefined));
    expect(done.outcome).toBe("expired");
    expect((await events("decisions", item.itemId)).map((d) => [d.kind, d.actor.kind])).toEqual([["expire", "clock"]]);
  });
});
