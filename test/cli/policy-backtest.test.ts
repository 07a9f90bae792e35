import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import type { Backtest } from "../../src/policy/backtest.ts";
import { type Bench, MINUTE, openBench } from "../support/bench-ledger.ts";
import { tempDir } from "../support/views.ts";
import { cli, lines } from "./harness.ts";
import { checkPage } from "./html.ts";

const head = "workspace: support\nowner: role:lead\n";
const SCHEMA = "{ type: object, properties: { order: { type: string }, amount: { type: number } }, required: [order, amount] }";
const credit = (risk: string, more = "") => `policy: work
${head}actions:
  credit: { arguments: ${SCHEMA}, reversibility: partially, execution: idempotent, risk: ${risk}, gate: { kind: ${risk === "high" ? "hard" : "none"} }, decisions: [approve, edit, reject], editable: [/amount] }
  note: { reversibility: reversible, execution: idempotent, risk: low }
${more}`;
const PAIR = "rules: [{ id: pair, when: { action: credit, args: { /amount: { above: 500 } } }, raise: { approvals: 2 }, because: Two people }]\n";
const MAIL = `policy: mail\n${head}actions:\n  send: { reversibility: reversible, execution: idempotent, risk: low }\n`;
const BUDGET =
  "budgets: [{ id: hourly, action: credit, measure: { sum: /amount }, per: agent, window: PT1H, limits: [{ above: 100, raise: { risk: high } }] }]\n";

const BOB = { kind: "person", id: "bob", roles: ["lead"] } as const;

/** Six items: approved, edited, rejected, a quorum of which the second person says no, one that flowed, and one of another document. */
async function filled(): Promise<{ bench: Bench; dir: string; file: (name: string, text: string) => string; ids: Record<string, string> }> {
  const dir = tempDir();
  const bench = await openBench({ dir });
  await bench.publish(credit("high", PAIR));
  await bench.publish(MAIL);
  const at = async (key: string, amount: number) => {
    bench.clock.now += MINUTE;
    return bench.propose(key, "credit", { order: key, amount });
  };
  const ids: Record<string, string> = {};
  ids.approved = await at("k1", 40);
  await bench.decide(ids.approved, "approve");
  ids.edited = await at("k2", 70);
  await bench.decide(ids.edited, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ order: "k2", amount: 50 }) }] });
  ids.rejected = await at("k3", 30);
  await bench.decide(ids.rejected, "reject");
  ids.pair = await at("k4", 600);
  await bench.decide(ids.pair, "approve");
  await bench.decide(ids.pair, "reject", { actor: BOB });
  ids.note = await bench.propose("k5", "note", {});
  ids.mail = await bench.propose("k6", "send", {});
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  return { bench, dir, file, ids };
}

async function result(...argv: string[]): Promise<Backtest> {
  const { code, out, err } = await cli(["policy", "backtest", "--json", ...argv]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return lines<Backtest>(out)[0] as Backtest;
}

describe("policy backtest", () => {
  test("replays a ledger: the matrix, the sentence with what people had edited or rejected, reviews and other documents as they were", async () => {
    const { dir, file, ids } = await filled();
    const low = file("low.yaml", credit("low"));
    const found = await result("--policy", low, "--data", dir);
    expect(found).toMatchObject({
      proposals: 6,
      cells: [
        { before: "allow", after: "allow", decision: "none", count: 2 },
        { before: "interrupt", after: "allow", decision: "approve", count: 1 },
        { before: "interrupt", after: "allow", decision: "edit", count: 1 },
        { before: "interrupt", after: "allow", decision: "reject", count: 2 },
      ],
      letThrough: { count: 4, edited: 1, rejected: 2 },
      reviews: [{ owner: "role:lead", day: "2026-01-05", before: 4, after: 0 }],
      budgetHits: [],
      errors: {},
    });
    expect(found.letThrough.items.map(({ itemId }) => itemId)).toEqual([ids.rejected, ids.pair, ids.edited, ids.approved]);
    const { out, code } = await cli(["policy", "backtest", "--policy", low, "--data", dir]);
    expect(code).toBe(0);
    expect(out).toContain("6 proposals judged again");
    expect(out).toContain("would have let 4 through, 1 of them edited, 2 rejected:");
    expect(out).toContain(`${ids.edited?.slice(0, 8)}  edit    credit, by helper`);
    expect(out).toContain("2026-01-05  role:lead  4 → 0");
    const same = await cli(["policy", "backtest", "--policy", file("same.yaml", credit("high", PAIR)), "--data", dir]);
    expect(same.out).toContain("would have let nothing more through");
  });

  test("leaves out items that publish documents: they are no question to the document that is tried", async () => {
    const { bench, dir, file } = await filled();
    await bench.propose("k7", "countersign.policy.publish", { policy: "work" });
    expect(await result("--policy", file("low.yaml", credit("low")), "--data", dir)).toMatchObject({ proposals: 6 });
  });

  test("a document of another workspace finds nothing there, and says where something was judged", async () => {
    const { dir, file } = await filled();
    const elsewhere = file("low.yaml", credit("low").replace("workspace: support", "workspace: suport"));
    const { code, err, out } = await cli(["policy", "backtest", "--policy", elsewhere, "--data", dir]);
    expect([code, out]).toEqual([0, expect.stringContaining("0 proposals judged again")]);
    expect(err).toContain('the document is for workspace "suport", in which nothing was judged; the log holds what was judged in "support"');
  });

  test("budgets count what would have been used before, in order of time", async () => {
    const { dir, file, ids } = await filled();
    const found = await result("--policy", file("budget.yaml", credit("low", BUDGET)), "--data", dir);
    // 40 and then 70 exceed 100. The 70 were edited to 50, which leaves no room for 30 either, and 600 never fit.
    expect(found.budgetHits).toEqual([{ budget: "hourly", count: 3, items: [ids.edited, ids.rejected, ids.pair] }]);
    expect(found.letThrough).toMatchObject({ count: 1, edited: 0, rejected: 0 });
  });

  test("takes a range by time and by position, and lets what lies before it use up budgets", async () => {
    const { bench, dir, file, ids } = await filled();
    const [low, budget] = [file("low.yaml", credit("low")), file("budget.yaml", credit("low", BUDGET))];
    const third = new Date(Date.UTC(2026, 0, 5, 9, 3)).toISOString();
    expect(await result("--policy", low, "--data", dir, "--from", third)).toMatchObject({ proposals: 4, letThrough: { count: 2, edited: 0, rejected: 2 } });
    expect(await result("--policy", low, "--data", dir, "--to", third)).toMatchObject({ proposals: 2, letThrough: { count: 2, edited: 1 } });
    expect(await result("--policy", budget, "--data", dir, "--from", third)).toMatchObject({ budgetHits: [{ items: [ids.rejected, ids.pair] }] });
    expect(await result("--policy", low, "--data", dir, "--from", "now")).toMatchObject({ proposals: 0 });
    expect(await result("--policy", low, "--data", dir, "--from", "beginning", "--to", "now")).toMatchObject({ proposals: 6 });
    const partition = partitionOf(ids.edited as string, bench.ledger.log.partitions);
    const inside = Object.values(ids).filter((id) => partitionOf(id, bench.ledger.log.partitions) === partition).length;
    expect(await result("--policy", low, "--data", dir, "--from", `proposals:${partition}:${inside}`)).toMatchObject({ proposals: 6 - inside });
    expect(await result("--policy", low, "--data", dir, "--to", `verdicts:${partition}:0`)).toMatchObject({ proposals: 6 - inside });
    const wrong = await cli(["policy", "backtest", "--policy", low, "--data", dir, "--from", "receipts:0:0"]);
    expect(wrong).toMatchObject({ code: 2, out: "" });
    expect(wrong.err).toContain("such as proposals:3:120");
  });

  test("writes a page that is whole in itself, with a link for each item let through", async () => {
    const { dir, file, ids } = await filled();
    const page = join(dir, "page.html");
    const budget = file("budget.yaml", credit("low", BUDGET));
    const { out, code } = await cli(["policy", "backtest", "--policy", budget, "--data", dir, "--html", page, "--url", "https://ledger.example.com/"]);
    expect(code).toBe(0);
    expect(out).toContain(`The page is in ${page}`);
    const html = readFileSync(page, "utf8");
    checkPage(html);
    expect(html).toContain("would have let 1 through, 0 of them edited, 0 rejected");
    expect(html).toContain(`<a href="https://ledger.example.com/v1/items/${ids.approved}">`);
    expect(html.match(/<svg /g)).toHaveLength(3);
    expect(html).toContain("prefers-color-scheme: dark");
  });

  test("of many items let through shows the first, those that people had changed before the others, and folds the rest away", async () => {
    const { bench, dir, file, ids } = await filled();
    for (let i = 0; i < 30; i++) await bench.propose(`more${i}`, "credit", { order: `m${i}`, amount: 1 });
    const page = join(dir, "page.html");
    expect((await cli(["policy", "backtest", "--policy", file("low.yaml", credit("low")), "--data", dir, "--html", page])).code).toBe(0);
    const html = readFileSync(page, "utf8");
    checkPage(html);
    const [open = "", folded = ""] = html.split("<summary>9 more items</summary>");
    expect(open.match(/<tr id="i-/g)).toHaveLength(25);
    expect(folded.match(/<tr id="i-/g)).toHaveLength(9);
    for (const id of [ids.rejected, ids.pair, ids.edited]) expect(open).toContain(`<tr id="i-${id}"`);
  });

  test("takes recorded runs, against documents of before or none", async () => {
    const dir = tempDir();
    const write = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const call = (id: string, args: string) => ({ id, type: "function", function: { name: "credit", arguments: args } });
    const run = (id: string, ...calls: object[]) => JSON.stringify({ run_id: id, messages: [{ role: "assistant", content: null, tool_calls: calls }] });
    const runs = write(
      "runs.jsonl",
      `${run("r1", call("a", '{"order":"1","amount":60}'), call("b", '{"order":"2","amount":60}'))}\n${run("r2", call("c", '{"order":"<b>3","amount":60}'), call("d", "{broken"))}\n`,
    );
    const schema = { type: "object", properties: { order: { type: "string" }, amount: { type: "number" } } };
    const tools = write("tools.json", JSON.stringify([{ type: "function", function: { name: "credit", parameters: schema } }]));
    const [low, high] = [write("low.yaml", credit("low", BUDGET)), write("high.yaml", credit("high"))];
    const once = await cli(["policy", "backtest", "--json", "--policy", low, "--import", runs, "--tools", tools]);
    expect(once.code).toBe(0);
    expect(once.err).toContain("r2, message 0, call 1 (credit) is left out");
    expect(lines<Backtest>(once.out)[0]).toMatchObject({
      proposals: 3,
      cells: [
        { before: "none", after: "allow", count: 1 },
        { before: "none", after: "interrupt", count: 2 },
      ],
      budgetHits: [{ budget: "hourly", count: 2 }],
    });
    const apart = await cli(["policy", "backtest", "--json", "--policy", low, "--before", high, "--import", runs, "--tools", tools, "--runs-per-day", "1"]);
    expect(lines<Backtest>(apart.out)[0]).toMatchObject({
      cells: [
        { before: "interrupt", after: "allow", count: 2 },
        { before: "interrupt", after: "interrupt", count: 1 },
      ],
      letThrough: { count: 2, edited: 0, rejected: 0 },
      reviews: [
        { owner: "role:lead", before: 2, after: 1 },
        { owner: "role:lead", before: 1, after: 0 },
      ],
    });
    const page = join(dir, "page.html");
    expect(await cli(["policy", "backtest", "--policy", low, "--import", runs, "--agent", "<img src=x>", "--html", page])).toMatchObject({ code: 0 });
    const html = readFileSync(page, "utf8");
    checkPage(html);
    expect(html).toContain("&lt;img src=x&gt;");
    expect(html).not.toContain("/v1/items/");
  });

  test("refuses what it cannot do, with the way out, and writes no page then", async () => {
    const { dir, file } = await filled();
    const low = file("low.yaml", credit("low"));
    const page = join(dir, "page.html");
    const refused = async (...argv: string[]) => {
      const { code, err, out } = await cli(["policy", "backtest", "--html", page, ...argv]);
      expect(out).toBe("");
      return `${code} ${err}`;
    };
    expect(await refused()).toMatch(/^2 [\s\S]*--policy/);
    expect(await refused("--policy", join(dir, "none.yaml"), "--data", dir)).toMatch(/^2 [\s\S]*cannot be read/);
    expect(await refused("--policy", file("bad.yaml", credit("low").replace("risk: low", "risk: lowish")), "--data", dir)).toMatch(/^2 [\s\S]*bad\.yaml:5:/);
    expect(await refused("--policy", low, "--data", join(dir, "nowhere"))).toMatch(/^4 [\s\S]*There is no log in/);
    expect(await refused("--policy", low, "--data", dir, "--from", "yesterday")).toMatch(/^2 [\s\S]*--from yesterday names no place/);
    expect(await refused("--policy", low, "--data", dir, "--tools", low)).toMatch(/^2 [\s\S]*--tools is only for --import/);
    expect(await refused("--policy", low, "--import", low, "--from", "now")).toMatch(/^2 [\s\S]*exclude each other/);
    expect(await refused("--policy", low, "--import", low)).toMatch(/^2 [\s\S]*\[file_invalid\]/);
    expect(await refused("--policy", low, "--data", dir, "--url", "javascript:alert(1)")).toMatch(/^2 [\s\S]*is no web address/);
    expect(await refused("--policy", low, "--data", dir, "--html", join(dir, "no", "page.html"))).toMatch(/^2 [\s\S]*cannot be written/);
    expect(existsSync(page)).toBe(false);
  });
});
