import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DecisionAnswer, ItemView, ListedItem, OutcomeAnswer, ProposalAnswer, ReceiptAnswer } from "../../src/producers/wire/answers.ts";
import { cli, type Ended, lines, makeKey, startUp, type Up } from "./harness.ts";

const policy = (name: string) => fileURLToPath(new URL(`../../policies/${name}.yaml`, import.meta.url));
const data = mkdtempSync(join(tmpdir(), "countersign-cli-"));
let up: Up;
let keys: { agent: string; other: string; reviewer: string; outsider: string; executor: string };

beforeAll(async () => {
  const key = (scope: string, id: string, ...more: string[]) => makeKey(data, "--scope", scope, "--id", id, "--workspace", "support", ...more);
  keys = {
    agent: await key("agent", "support-agent"),
    other: await key("agent", "other-agent"),
    reviewer: await key("reviewer", "dana", "--roles", "support-lead,crm-steward"),
    outsider: await key("reviewer", "lee", "--roles", "gardener"),
    executor: await key("executor", "x"),
  };
  // The policies ask these roles too: doctor would say that nobody holds them.
  await key("reviewer", "oncall", "--roles", "payments-oncall,legal");
  up = await startUp(["--data", data, "--policy", policy("refunds"), policy("support-email"), policy("crm-update")]);
});

afterAll(async () => {
  const ended = await up.stop();
  rmSync(data, { recursive: true, force: true });
  expect(ended.code).toBe(0);
});

type Who = keyof typeof keys;
const as = (who: Who, ...argv: string[]): Promise<Ended> => cli(argv, { env: { COUNTERSIGN_URL: up.url, COUNTERSIGN_API_KEY: keys[who] } });

async function json<T>(who: Who, ...argv: string[]): Promise<T> {
  const { code, out, err } = await as(who, ...argv, "--json");
  expect(err).toBe("");
  expect(code).toBe(0);
  return JSON.parse(out) as T;
}

let n = 0;
/** A refund of an order of its own: a second one of the same order is somebody else's to decide. */
function refund(amount: number, ...more: string[]): string[] {
  const order = `A-${1001 + n++}`;
  const args = JSON.stringify({ order_id: order, customer_email: "jo@example.com", amount });
  return ["propose", "--tool", "issue_refund", "--args", args, "--evidence", `order=${order}`, "--key", `refund-${n}`, ...more];
}

async function pendingRefund(amount = 40): Promise<ItemView> {
  const { itemId } = await json<ProposalAnswer>("agent", ...refund(amount));
  for (;;) {
    const item = await json<ItemView>("reviewer", "show", itemId);
    if (item.stage === "pending") return item;
  }
}

describe("a chain on the command line", () => {
  it("goes from propose over queue, show, decide, outcome and started to a receipt", async () => {
    const item = await pendingRefund();
    const id = item.itemId.slice(0, 8);
    const waiting = await as("reviewer", "queue", "--mine");
    expect(waiting.out).toContain(`${id}  Refund USD 40.00 to jo@example.com for order A-1001`);
    expect(waiting.out).toContain("approve, edit, reject");
    expect(lines<ListedItem>((await as("reviewer", "queue", "--json")).out).map((i) => i.itemId)).toContain(item.itemId);
    expect((await as("agent", "outcome", id)).code).toBe(6);
    const decided = await as("reviewer", "decide", id, "--edit", '{"/amount": 25}', "--message", "Half is enough");
    expect(decided.err).toContain("Approve with changes: Refund USD 40.00 to jo@example.com for order A-1001");
    expect(decided.err).toContain(item.cardSha256);
    expect(decided).toMatchObject({ code: 0, out: expect.stringContaining("Edited.") });
    const outcome = await json<OutcomeAnswer>("agent", "outcome", id, "--wait", "20");
    expect(outcome).toMatchObject({ status: "proceed_edited", grant: { actions: [{ args: { amount: 25 } }] } });
    const started = await json<ReceiptAnswer>("executor", "receipt", id, "started");
    expect(started).toMatchObject({ status: "effective", lease: { id: expect.any(String) } });
    expect(await as("executor", "receipt", id, "succeeded", "--ref", "psp:re_1", "--result", '{"ok":true}')).toMatchObject({ code: 0 });
    const done = await as("reviewer", "show", id);
    expect(done.out).toContain("succeeded as psp re_1 → crm jo@example.com");
    expect(done.out).toContain("The agent had proposed:");
  });

  it("answers the same key and content with the item that is there", async () => {
    const argv = refund(12);
    const first = await json<ProposalAnswer>("agent", ...argv);
    expect(await json<ProposalAnswer>("agent", ...argv)).toMatchObject({ itemId: first.itemId, duplicate: true });
    expect((await as("agent", ...argv)).out).toContain("proposed before");
  });

  it("takes a question to a person and the answer back", async () => {
    const asked = await json<ProposalAnswer>("agent", "propose", "--question", "Which account is meant?");
    const waiting = as("agent", "outcome", asked.itemId, "--wait", "20");
    let decided: DecisionAnswer | undefined;
    while (decided === undefined) {
      const { code, out } = await as("reviewer", "decide", asked.itemId, "--respond", "The second one", "--json");
      if (code === 0) decided = JSON.parse(out) as DecisionAnswer;
    }
    expect(await waiting).toMatchObject({ code: 0, out: "responded: The second one\n" });
  });

  it("reads arguments from a file and from stdin", async () => {
    const file = join(data, "args.json");
    writeFileSync(file, '{"order_id": "A-7"}');
    const env = { COUNTERSIGN_URL: up.url, COUNTERSIGN_API_KEY: keys.agent };
    const byFile = await cli(["propose", "--tool", "get_order", "--args", `@${file}`, "--wait", "20", "--json"], { env });
    const byStdin = await cli(["propose", "--tool", "get_order", "--args", "-", "--wait", "20", "--json"], { env, stdin: '{"order_id": "A-8"}' });
    const granted = ({ out }: Ended) => (JSON.parse(out) as OutcomeAnswer).grant?.actions[0]?.args;
    expect([granted(byFile), granted(byStdin)]).toEqual([{ order_id: "A-7" }, { order_id: "A-8" }]);
  });

  it("ends outcome with 3 where policy forbids, and says why", async () => {
    const { code, out } = await as(
      "agent",
      "propose",
      "--tool",
      "send_email",
      "--args",
      '{"to": "jo@example.com", "subject": "Hi", "body": "password: x"}',
      "--wait",
      "20",
    );
    expect(code).toBe(3);
    expect(out).toContain("forbidden: Forbidden by policy: Passwords and keys are never sent by email");
  });
});

describe("what the answer to a decision says", () => {
  it("names what was decided, however far the run has been told of it", async () => {
    const say = async (id: string, ...argv: string[]) => (await as("reviewer", "decide", id, ...argv)).out.replaceAll(/\s+/g, " ");
    expect(await say((await pendingRefund(61)).itemId, "--reject")).toMatch(/^Rejected\. \w{8}: (rejected, the run is about to be told|refused) $/);
    expect(await say((await pendingRefund(62)).itemId, "--approve")).toMatch(
      /^Approved\. \w{8}: (approved, the run is about to be told|granted, not started yet) $/,
    );
    const { itemId } = await pendingRefund(63);
    expect((await as("agent", "decide", itemId, "--withdraw")).out).toMatch(/^Withdrawn\.\n {2}\w{8}: (withdrawn, the run is about to be told|withdrawn)\n$/);
  });

  it("says first that policy forbids an edit, with 3 and sentences that end", async () => {
    const item = await pendingRefund(64);
    const { code, out } = await as("reviewer", "decide", item.itemId, "--edit", '{"/amount": -5}');
    expect(code).toBe(3);
    expect(out).toMatch(/^The edit has no effect: policy forbids the new arguments, and the ones before stand\.\n/);
    expect(out).toContain("waiting for a decision");
    expect(out).not.toContain("Edited.");
  });
});

describe("an incident", () => {
  it("is reported about the receipt that ended the item, or about one that is named", async () => {
    const { itemId } = await pendingRefund(65);
    await json("reviewer", "decide", itemId, "--approve");
    await json("agent", "outcome", itemId, "--wait", "20");
    await json("executor", "receipt", itemId, "started");
    const ended = await json<ReceiptAnswer>("executor", "receipt", itemId, "succeeded", "--ref", "psp:re_9");
    expect(await as("reviewer", "decide", itemId, "--report", "high", "--message", "Paid twice")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Reported\./),
    });
    const named = await json<DecisionAnswer>("reviewer", "decide", itemId, "--report", "low", "--receipt", ended.eventId);
    const reports = named.item.timeline.filter((e) => e.what === "report");
    expect(reports.map((e) => [e.status, e.answers])).toEqual([
      ["effective", `receipts/${ended.eventId}`],
      ["effective", `receipts/${ended.eventId}`],
    ]);
    const wrong = await as("reviewer", "decide", itemId, "--report", "low", "--receipt", itemId.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5"));
    expect(wrong).toMatchObject({ code: 3, err: expect.stringContaining(ended.eventId) });
  });
});

describe("propose", () => {
  it("ends with 3 and every reason where policy forbids the arguments", async () => {
    const args = JSON.stringify({ order_id: 7, customer_email: "jo@example.com", amount: -1 });
    const told = await as("agent", "propose", "--tool", "issue_refund", "--args", args, "--key", "broken-1");
    expect(told).toMatchObject({ code: 3, err: "" });
    expect(told.out).toContain("forbidden");
    expect(told.out.replaceAll(/\s+/g, " ")).toMatch(/\/amount must be .*\/order_id must be string|\/order_id must be string.*\/amount must be/);
    expect(Math.max(...told.out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    const again = await as("agent", "propose", "--tool", "issue_refund", "--args", args, "--key", "broken-1", "--json");
    expect([again.code, (JSON.parse(again.out) as ProposalAnswer).item.outcome]).toEqual([3, "forbidden"]);
    const waited = await as("agent", "outcome", (JSON.parse(again.out) as ProposalAnswer).itemId);
    expect(waited).toMatchObject({ code: 3, out: expect.stringContaining("Propose again, under another idempotency key") });
  });

  it("says one thing of a tool without a name", async () => {
    const { code, err } = await as("agent", "propose", "--tool", "");
    expect([code, err]).toEqual([2, "countersign: --tool is empty [usage]\n  Name the action, such as --tool send_email.\n"]);
  });
});

describe("JSON that cannot be read", () => {
  it("is refused with the option, or the place in the body, and the way out", async () => {
    const deep = "[".repeat(70) + "]".repeat(70);
    for (const [args, code, field] of [
      ["{bad", "json_syntax", "--args"],
      [`{"a": ${deep}}`, "json_too_deep", "--args"],
      ['{"a": 1, "a": 2}', "json_duplicate_key", "--args /a"],
    ] as const) {
      const told = await as("agent", "propose", "--tool", "get_order", "--args", args, "--json");
      expect([told.code, JSON.parse(told.err)]).toEqual([2, expect.objectContaining({ code, field, fix: expect.any(String) })]);
    }
    for (const body of ["{bad", deep]) {
      const headers = { authorization: `Bearer ${keys.agent}`, "content-type": "application/json" };
      const answer = await fetch(`${up.url}/v1/proposals`, { method: "POST", headers, body });
      expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ field: "", fix: expect.any(String) })]);
    }
  });
});

describe("a receipt", () => {
  it("names the findings that it causes", async () => {
    const { itemId } = await pendingRefund(66);
    await json("reviewer", "decide", itemId, "--approve");
    await json("agent", "outcome", itemId, "--wait", "20");
    await json("executor", "receipt", itemId, "started");
    const ended = await as("executor", "receipt", itemId, "succeeded", "--args-sha256", "ab".repeat(32));
    expect(ended).toMatchObject({ code: 0, out: expect.stringContaining("FINDING args_differ: the arguments that were used are not those of the grant") });
  });
});

describe("hints", () => {
  it("name the commands as they are typed here", async () => {
    expect((await cli(["queue"])).err).toContain("`npm run -s countersign -- keys create --scope reviewer");
    expect((await as("reviewer", "show", "0".repeat(8))).err).toContain("`npm run -s countersign -- queue --all`");
  });

  it("and what is proposed keep to 80 columns", async () => {
    const words = "reconcile_the_ledger_of_the_customer_with_the_payment_provider_and_tell_everybody_about_it";
    const { out } = await as("agent", "propose", "--tool", words, "--args", "{}");
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe("what is refused", () => {
  it("is told with its code, field and way out, as RFC 9457 with --json and in sentences without", async () => {
    const item = await pendingRefund();
    const settled = await pendingRefund(41);
    await json("reviewer", "decide", settled.itemId, "--reject", "--reason", "wrong_order");
    const done = settled.itemId;
    const id = item.itemId;
    const table: [Who, string[], number, string][] = [
      ["reviewer", ["show", "0".repeat(32)], 4, "not_found"],
      ["reviewer", ["show", "0123456"], 4, "not_found"],
      ["reviewer", ["show", "xyz"], 2, "usage"],
      ["other", ["show", id], 4, "not_found"],
      ["agent", ["decide", id, "--approve"], 3, "forbidden"],
      ["reviewer", refund(1), 3, "forbidden"],
      ["agent", ["propose"], 2, "usage"],
      ["agent", ["propose", "--tool", "get_order", "--question", "why"], 2, "usage"],
      ["agent", ["propose", "--tool", "get_order", "--args", '{"a": 1, "a": 2}'], 2, "json_duplicate_key"],
      ["agent", ["propose", "--tool", "get_order", "--args", "[1]"], 2, "usage"],
      ["agent", ["propose", "--tool", "get_order", "--args", "@/no/such/file"], 2, "usage"],
      ["agent", ["propose", "--body", '{"tool": "get_order", "arguments": {}}'], 3, "request_invalid"],
      ["agent", ["propose", "--tool", "get_order", "--args", '{"order_id": "other"}', "--key", "refund-1"], 3, "conflict"],
      ["outsider", ["decide", id, "--approve"], 3, "not_entitled"],
      ["reviewer", ["decide", id], 2, "usage"],
      ["reviewer", ["decide", id, "--approve", "--reject"], 2, "usage"],
      ["reviewer", ["decide", id, "--respond", "no"], 3, "not_allowed"],
      ["reviewer", ["decide", id, "--edit", '{"/order_id": "A-9"}'], 3, "request_invalid"],
      ["reviewer", ["decide", id, "--edit", '{"amount": 1}'], 2, "usage"],
      ["reviewer", ["decide", id, "--approve", "--seen", "deadbeefdeadbeef"], 3, "stale"],
      ["reviewer", ["decide", id, "--settle", "succeeded"], 2, "usage"],
      ["reviewer", ["decide", id, "--settle", "perhaps"], 2, "usage"],
      ["reviewer", ["decide", done, "--approve"], 3, "settled"],
      ["executor", ["receipt", id, "started"], 3, "no_grant"],
      ["executor", ["receipt", id, "finished"], 2, "usage"],
      ["executor", ["decide", id, "--approve"], 3, "forbidden"],
      ["reviewer", ["queue", "--limit", "0"], 2, "usage"],
      ["reviewer", ["queue", "--stage", "lost"], 2, "usage"],
      ["reviewer", ["queue", "--outcome", "lost"], 2, "usage"],
      ["reviewer", ["decide", id, "--approve", "--seen", "deadbee"], 2, "usage"],
      ["reviewer", ["decide", id, "--approve", "--seen", "yesterday"], 2, "usage"],
      ["reviewer", ["decide", id, "--report", "low"], 3, "not_allowed"],
      ["reviewer", ["decide", id, "--approve", "--receipt", "x"], 2, "usage"],
      ["reviewer", ["decide", id, "--report", "low", "--receipt", "x"], 2, "usage"],
      ["agent", ["keys", "create", "--data", data, "--scope", "agent", "--id", "a", "--roles", "x"], 2, "usage"],
    ];
    const seen: unknown[] = [];
    for (const [who, argv] of table) {
      const told = await as(who, ...argv, "--json");
      expect(told.out).toBe("");
      seen.push([who, argv, told.code, (JSON.parse(told.err) as { code: string }).code]);
    }
    expect(seen).toEqual(table);
    const { err } = await as("reviewer", "decide", id, "--approve", "--seen", "deadbeefdeadbeef");
    expect(err).toMatch(/^countersign: The card is another one now than deadbeefdeadbeef \(--seen\) \[stale\]\n {2}Look at it again/);
  });

  it("says that a key is missing, wrong or revoked, and that nobody answers", async () => {
    expect(await cli(["queue"])).toMatchObject({ code: 2, err: expect.stringContaining("COUNTERSIGN_API_KEY is not set") });
    expect(await cli(["queue"], { env: { COUNTERSIGN_URL: up.url, COUNTERSIGN_API_KEY: "cs_reviewer_x" } })).toMatchObject({
      code: 3,
      err: expect.stringContaining("[unauthenticated]"),
    });
    expect(await cli(["queue"], { env: { COUNTERSIGN_URL: "http://127.0.0.1:1", COUNTERSIGN_API_KEY: "x" } })).toMatchObject({
      code: 5,
      err: expect.stringContaining("Nobody answers at http://127.0.0.1:1"),
    });
    expect(await cli(["queue"], { env: { COUNTERSIGN_URL: "nonsense", COUNTERSIGN_API_KEY: "x" } })).toMatchObject({ code: 2 });
    const { out } = await cli(["keys", "create", "--data", data, "--scope", "reviewer", "--id", "gone", "--json"]);
    const { key, keyId } = JSON.parse(out) as { key: string; keyId: string };
    expect(await cli(["keys", "revoke", keyId, "--data", data])).toMatchObject({ code: 0 });
    expect(await cli(["queue"], { env: { COUNTERSIGN_URL: up.url, COUNTERSIGN_API_KEY: key } })).toMatchObject({ code: 3 });
    expect(await cli(["keys", "revoke", "key_none", "--data", data])).toMatchObject({ code: 4 });
    expect((await cli(["keys", "list", "--data", data])).out).toMatch(new RegExp(`${keyId}\\s+reviewer\\s+revoked\\s+gone in default`));
  });
});

describe("beside the running up", () => {
  it("refuses a second up and a rebuild on the same folder, and an up on a port that is taken", async () => {
    expect(await cli(["up", "--data", data, "--port", "0"])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/A `countersign up` \(process \d+, http.*already uses the folder/),
    });
    expect(await cli(["rebuild", "--data", data])).toMatchObject({ code: 3, err: expect.stringContaining("already uses the folder") });
    const other = mkdtempSync(join(tmpdir(), "countersign-cli-"));
    const port = new URL(up.url).port;
    expect(await cli(["up", "--data", other, "--port", port])).toMatchObject({ code: 3, err: expect.stringContaining(`port ${port} on 127.0.0.1 is taken`) });
    rmSync(other, { recursive: true, force: true });
  });

  it("tail shows an item's events decoded, in their order", async () => {
    const item = await pendingRefund();
    const told = await cli(["tail", "--data", data, "--item", item.itemId]);
    const events = lines<{ topic: string; partition: number; offset: number; event: { eventId: string } }>(told.out);
    expect(events.map((e) => ({ topic: e.topic, partition: e.partition, offset: e.offset, eventId: e.event.eventId }))).toEqual(
      item.timeline.map(({ topic, partition, offset, eventId }) => ({ topic, partition, offset, eventId })),
    );
    const { partition, offset } = item.timeline[1]!;
    const one = lines<{ event: { eventId: string } }>((await cli(["tail", "--data", data, "--from", `verdicts:${partition}:${offset}`])).out);
    expect(one[0]?.event.eventId).toBe(item.timeline[1]!.eventId);
    expect(await cli(["tail", "--data", data, "--from", "verdicts:99:0"])).toMatchObject({ code: 2 });
    expect(await cli(["tail", "--data", data, "--from", "verdicts:1:99999"])).toMatchObject({ code: 4 });
    expect(await cli(["tail", "--data", data, "--topic", "verdict"])).toMatchObject({ code: 2, err: expect.stringContaining("proposals, verdicts") });
    expect(await cli(["tail", "--data", data, "--from", "now"])).toMatchObject({ code: 0, out: "" });
  });

  it("doctor finds nothing wrong, and exports give the same bytes twice", async () => {
    const checked = await cli(["doctor", "--data", data, "--json"]);
    const report = JSON.parse(checked.out) as { ok: boolean; checks: { check: string; status: string }[] };
    // Somebody should look at the receipt of other arguments above; nothing is wrong.
    expect(report.checks.filter((c) => c.status !== "ok")).toMatchObject([{ check: "findings", status: "look", detail: "1 finding" }]);
    expect([checked.code, report.ok]).toEqual([0, true]);
    const out = join(data, "out");
    const first = JSON.parse((await cli(["export", "--data", data, "--out", out, "--json"])).out) as { rows: number; files: { sha256: string }[] };
    const again = JSON.parse((await cli(["export", "--data", data, "--out", out, "--json"])).out) as typeof first;
    expect(first.rows).toBeGreaterThanOrEqual(2);
    expect(again.files).toEqual(first.files);
    const since = JSON.parse(
      (await cli(["export", "--data", data, "--out", join(data, "more"), "--from", join(out, "manifest.json"), "--json"])).out,
    ) as typeof first;
    expect(since.rows).toBe(0);
  });
});
