import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Manifest } from "../../src/evals/manifest.ts";
import { openLog } from "../../src/log/open.ts";
import type { Script } from "../evals/script.ts";
import { story } from "../evals/story.ts";
import { cli, lines, makeKey } from "./harness.ts";

let folder: string;
let log: string;
let script: Script;
/** Positions in the script's log that are in the embedded one. */
let written: Set<string>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-export-cli-"));
  log = `sqlite:${folder}`;
  script = await story();
  written = new Set();
  await write();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Brings what the script has written since the last call into the embedded log. */
async function write(): Promise<void> {
  const opened = await openLog(log);
  for await (const { records } of script.log.read({}, { until: "heads" })) {
    const fresh = records.filter((r) => !written.has(`${r.topic}/${r.partition}/${r.offset}`));
    for (const r of fresh) written.add(`${r.topic}/${r.partition}/${r.offset}`);
    await opened.log.append(fresh.map((r) => ({ topic: r.topic, key: r.key as string, value: r.value as Uint8Array })));
  }
  await opened.registry.close();
  await opened.log.close();
}

const out = (name: string) => join(folder, name);
const run = (args: readonly string[], env: Record<string, string> = {}) => cli(["export", "--log", log, "--data", folder, ...args], { env });
async function exported(args: readonly string[], env: Record<string, string> = {}): Promise<Manifest & { out: string }> {
  const { code, out: text, err } = await run(["--json", ...args], env);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(text);
}
const rowsIn = (path: string) => lines<{ id: string; decision: { reviewer: { id: string } } }>(readFileSync(path, "utf8"));

describe("a raw export", () => {
  const raw = ["--target", "jsonl", "--profile", "raw", "--json"];
  const record = () => out("raw-exports.jsonl");

  test("needs a key, of the right scope, with the role raw-export: else nothing is written and nothing recorded", async () => {
    const agent = await makeKey(folder, "--scope", "agent", "--id", "robot");
    const lead = await makeKey(folder, "--scope", "reviewer", "--id", "ann", "--roles", "lead");
    for (const [key, code] of [
      [undefined, "unauthenticated"],
      ["cs_not_a_key", "unauthenticated"],
      [agent, "forbidden"],
      [lead, "forbidden"],
    ] as const) {
      const { code: exit, out: text, err } = await run([...raw, "--out", out("raw")], key === undefined ? {} : { COUNTERSIGN_API_KEY: key });
      expect([exit, text, JSON.parse(err)]).toMatchObject([3, "", { code, field: "--profile", fix: expect.stringContaining("raw-export") }]);
    }
    expect([existsSync(out("raw")), existsSync(record())]).toEqual([false, false]);
  });

  test("shows reviewers as they are, names who asked in the manifest, and is recorded beside the keys, one line each time", async () => {
    const key = await makeKey(folder, "--scope", "reviewer", "--id", "dora", "--roles", "raw-export", "--workspace", "w");
    for (const n of [1, 2]) {
      const manifest = await exported([...raw, "--out", out(`raw${n}`)], { COUNTERSIGN_API_KEY: key });
      expect(manifest.redaction).toMatchObject({ profile: "raw", by: { id: "dora", role: "raw-export" }, hidden: { fields: 0 } });
      expect(new Set(rowsIn(out(`raw${n}/reviewed-examples.jsonl`)).map((row) => row.decision.reviewer.id))).toEqual(new Set(["ann"]));
      expect(lines(readFileSync(record(), "utf8"))).toEqual(
        [1, 2].slice(0, n).map((m) => ({
          ...{ at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T/), id: "dora", keyId: expect.any(String), role: "raw-export" },
          ...{ log, target: "jsonl", out: out(`raw${m}`) },
        })),
      );
    }
    expect(readFileSync(record(), "utf8")).not.toContain(key);
  });

  test("of a revoked key is refused", async () => {
    const key = await makeKey(folder, "--scope", "reviewer", "--id", "dora", "--roles", "raw-export", "--workspace", "w");
    const [{ keyId }] = lines<{ keyId: string }>((await cli(["keys", "list", "--data", folder, "--json"])).out) as [{ keyId: string }];
    expect((await cli(["keys", "revoke", keyId, "--data", folder])).code).toBe(0);
    const { code, err } = await run([...raw, "--out", out("raw")], { COUNTERSIGN_API_KEY: key });
    expect([code, JSON.parse(err).code]).toEqual([3, "unauthenticated"]);
  });

  test("shows what is of the key's workspace, and nothing of another", async () => {
    const key = await makeKey(folder, "--scope", "reviewer", "--id", "dora", "--roles", "raw-export", "--workspace", "other");
    const manifest = await exported([...raw, "--out", out("raw")], { COUNTERSIGN_API_KEY: key });
    expect([manifest.rows, manifest.filters.workspace]).toEqual([0, "other"]);
    const { code, err } = await run([...raw, "--workspace", "w", "--out", out("raw2")], { COUNTERSIGN_API_KEY: key });
    expect([code, JSON.parse(err)]).toMatchObject([3, { code: "forbidden", field: "--workspace", value: "w" }]);
    expect(existsSync(out("raw2"))).toBe(false);
  });

  test("is asked for: without a profile reviewers are pseudonyms, whoever asks", async () => {
    const key = await makeKey(folder, "--scope", "reviewer", "--id", "dora", "--roles", "raw-export", "--workspace", "w");
    const manifest = await exported(["--out", out("strict")], { COUNTERSIGN_API_KEY: key });
    expect(manifest.redaction).toMatchObject({ profile: "strict", by: null });
    for (const row of rowsIn(out("strict/reviewed-examples.jsonl"))) expect(row.decision.reviewer.id).toMatch(/^person-[0-9a-f]{12}$/);
    expect(existsSync(record())).toBe(false);
  });
});

describe("--since-last", () => {
  const weekly = () => ["--since-last", "--out", out("weekly")];
  const since = () => exported(weekly());
  const decide = async (key: string) => {
    await script.decide(await script.judge(await script.propose(key, { amount: 8, to: key }), "interrupt"), "reject", { message: "No" });
    await write();
  };

  test("goes on where the last part ended: the parts together are the whole, and nothing stands in two", async () => {
    const parts = [await since()];
    for (const key of ["one", "two"]) await decide(key);
    parts.push(await since());
    await decide("three");
    parts.push(await since());
    expect(parts.map((part) => part.out)).toEqual(["part-0001", "part-0002", "part-0003"].map((part) => join(out("weekly"), part)));
    expect(parts.slice(1).map((part) => part.rows)).toEqual([2, 1]);
    const ids = parts.flatMap((part) => rowsIn(join(part.out, "reviewed-examples.jsonl")).map((row) => row.id));
    await exported(["--out", out("whole")]);
    const whole = rowsIn(out("whole/reviewed-examples.jsonl")).map((row) => row.id);
    expect(ids.sort()).toEqual(whole.sort());
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("with nothing new writes a part of no rows, that the next goes on from", async () => {
    const [first, second] = [await since(), await since()];
    expect([first.rows > 0, second.rows]).toEqual([true, 0]);
    await decide("one");
    expect((await since()).rows).toBe(1);
  });

  test("goes on from a whole export in the folder, and passes over a part that broke off", async () => {
    await exported(["--out", out("weekly")]);
    await decide("one");
    const part = await since();
    expect([part.out, part.rows]).toEqual([join(out("weekly"), "part-0001"), 1]);
    // The manifest is written last: without it a part is none.
    rmSync(join(part.out, "manifest.json"));
    const again = await since();
    expect([again.out, again.rows]).toEqual([part.out, 1]);
    expect(readdirSync(out("weekly")).filter((name) => name.startsWith("part-"))).toEqual(["part-0001"]);
  });

  test("is of one log: a manifest of another one is refused, also as --from", async () => {
    const first = await exported(["--out", out("weekly")]);
    const path = out("weekly/manifest.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(first.log.id, "sqlite:another-log"));
    for (const args of [
      ["--since-last", "--out", out("weekly")],
      ["--from", path, "--out", out("x")],
    ]) {
      const { code, err } = await run([...args, "--json"]);
      expect([code, JSON.parse(err)]).toMatchObject([2, { code: "usage", field: args[0], value: "sqlite:another-log" }]);
    }
    writeFileSync(path, '{"ranges":5}');
    expect(JSON.parse((await run(["--from", path, "--out", out("x"), "--json"])).err)).toMatchObject({ code: "file_invalid", field: "--from" });
    expect(existsSync(out("x"))).toBe(false);
  });

  test.each<[string, readonly string[], unknown, Record<string, string>?]>([
    ["--target", ["--target", "operations"], "operations"],
    ["--workspace", ["--workspace", "other"], "other"],
    ["--no-transcripts", ["--no-transcripts"], false],
    ["--split-seed", ["--split-seed", "x"], "x"],
    ["--holdout-from", ["--holdout-from", "2026-01-01T00:00:00Z"], "2026-01-01T00:00:00.000Z"],
    ["--key-file", [], expect.any(String), { COUNTERSIGN_EXPORT_KEY: "another key, long enough" }],
  ])("is made in one way: another %s is refused, and what lies before it is in no danger of being lost", async (field, args, value, env = {}) => {
    await since();
    await decide("one");
    const { code, err } = await run([...weekly(), ...args, "--json"], env);
    expect([code, JSON.parse(err)]).toMatchObject([2, { code: "usage", field, value, fix: expect.stringContaining("--out") }]);
    expect(readdirSync(out("weekly"))).toEqual(["part-0001"]);
    expect((await since()).rows).toBe(1);
    expect((await exported(["--since-last", "--out", out("another"), ...args], env)).out).toBe(join(out("another"), "part-0001"));
  });

  test("does not go on from an export of another form, or from a manifest that is not whole", async () => {
    const { out: first, ...manifest } = await since();
    for (const [code, changed] of Object.entries({ usage: { format: manifest.format - 1 }, file_invalid: { filters: undefined } })) {
      writeFileSync(join(first, "manifest.json"), JSON.stringify({ ...manifest, ...changed }));
      expect(JSON.parse((await run([...weekly(), "--json"])).err)).toMatchObject({ code, field: "--since-last" });
    }
  });

  test("is refused while another one writes a part, so that no two take the same decisions", async () => {
    const both = await Promise.all([run([...weekly(), "--json"]), run([...weekly(), "--json"])]);
    expect(both.map(({ code }) => code).sort()).toEqual([0, 3]);
    expect(JSON.parse(both.find(({ code }) => code === 3)?.err ?? "")).toMatchObject({ code: "conflict", field: "--out", value: out("weekly") });
    expect(readdirSync(out("weekly"))).toEqual(["part-0001"]);
  });

  test("and --from exclude each other", async () => {
    const { code, err } = await run(["--since-last", "--from", "2026-01-01", "--out", out("x"), "--json"]);
    expect([code, JSON.parse(err)]).toMatchObject([2, { code: "usage", field: "--from" }]);
  });
});

describe("an instant", () => {
  const files = (manifest: Manifest & { out: string }) =>
    Object.fromEntries(["manifest.json", ...manifest.files.map((f) => f.name)].map((name) => [name, readFileSync(join(manifest.out, name), "utf8")]));

  test.each(["trl-kto", "jsonl", "policy-tests"])(
    "as --to gives the same bytes of %s, whatever is reported, run, published or asked afterwards",
    async (target) => {
      const asked = await script.judge(await script.propose("x", { amount: 9 }, { run: { framework: "t", threadId: "x", ended: false } }), "interrupt");
      const grant = await script.resume(await script.decide(asked, "approve"), "proceed", { amount: 9 });
      const done = await script.receipt(await script.receipt(grant, "started").then(() => grant), "succeeded");
      await write();
      const to = new Date(done.event.occurredAt + 1).toISOString();
      const export_ = async () => files(await exported(["--target", target, "--to", to, "--out", out("a")]));
      const before = await export_();
      await script.decide(done, "report", { seen: null, message: "Paid twice", incident: { severity: "critical" } });
      await script.append("policies", {
        itemId: "policy:w:pay",
        actor: { kind: "authority", id: "ci" },
        kind: "policy",
        policyId: "pay",
        version: "2",
        document: "not a policy",
      });
      await script.decide(await script.judge(await script.propose("later", { amount: 9 }), "interrupt"), "reject", { message: "No" });
      await write();
      expect(await export_()).toEqual(before);
      const { rows } = await exported(["--target", "jsonl", "--from", to, "--out", out("rest")]);
      expect(rows).toBe(2);
    },
  );

  test("is half-open, and --since-last goes on behind it", async () => {
    const { event } = await script.decide(await script.judge(await script.propose("edge", { amount: 9 }), "interrupt"), "reject", { message: "No" });
    await write();
    const first = await exported(["--since-last", "--to", new Date(event.occurredAt).toISOString(), "--out", out("weekly")]);
    const second = await exported(["--since-last", "--out", out("weekly")]);
    const whole = await exported(["--out", out("whole")]);
    expect([first.rows + second.rows, second.rows]).toEqual([whole.rows, 1]);
  });

  test.each([["export"], ["insights", "evals"], ["tail"]])("%s that begins later than it ends is refused", async (...command) => {
    const more = command[0] === "export" ? ["--out", out("x")] : [];
    const { code, err } = await cli([...command, "--log", log, "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z", ...more, "--json"]);
    expect([code, JSON.parse(err)]).toMatchObject([
      2,
      { code: "usage", field: "--from", value: "2026-02-01T00:00:00.000Z", fix: expect.stringContaining("--to") },
    ]);
    expect(existsSync(out("x"))).toBe(false);
  });
});

describe("the export", () => {
  test("replaces an earlier one in its folder, and no file that it has not written", async () => {
    await exported(["--out", out("a")]);
    await exported(["--out", out("a")]);
    mkdirSync(out("mine"));
    writeFileSync(out("mine/README.md"), "mine");
    const { code, err } = await run(["--out", out("mine"), "--json"]);
    expect([code, JSON.parse(err)]).toMatchObject([2, { code: "usage", field: "--out", detail: expect.stringContaining("README.md") }]);
    expect(readFileSync(out("mine/README.md"), "utf8")).toBe("mine");
  });

  test("gives the same bytes by whatever path the log is named, and says which log it is", async () => {
    symlinkSync(folder, out("link"));
    const byLink = async (...args: string[]) => JSON.parse((await cli(["export", "--log", `sqlite:${out("link")}/`, "--data", folder, ...args, "--json"])).out);
    const first = await exported(["--out", out("a")]);
    // The manifest names each file with its hash.
    expect({ ...(await byLink("--out", out("b"))), out: out("a") }).toEqual(first);
    expect(first.log).toEqual({ id: expect.stringMatching(/^sqlite:[0-9a-f-]{36}$/), partitions: 12 });
    expect(await byLink("--since-last", "--out", out("a"))).toMatchObject({ rows: 0, out: out("a/part-0001") });
  });

  test("makes a key of pseudonyms that only its owner can read, and keeps it", async () => {
    const [first, second] = [await exported(["--out", out("a")]), await exported(["--out", out("b")])];
    expect(statSync(out("export.key")).mode & 0o777).toBe(0o600);
    expect(second.redaction.keyId).toBe(first.redaction.keyId);
    expect((await exported(["--out", out("c")], { COUNTERSIGN_EXPORT_KEY: "another key, long enough" })).redaction.keyId).not.toBe(first.redaction.keyId);
  });

  test.each([
    [["--target", "csv"], 2, "--target"],
    [["--profile", "loose"], 2, "--profile"],
    [["--holdout-from", "soon"], 2, "--holdout-from"],
    [["--from", "nowhere"], 2, "--from"],
  ])("%j is refused with a way out, and writes nothing", async (args, exit, field) => {
    const { code, err } = await run([...args, "--out", out("x"), "--json"]);
    expect([code, JSON.parse(err)]).toMatchObject([exit, { field, fix: expect.any(String) }]);
    expect(existsSync(out("x"))).toBe(false);
  });

  test("lists its targets, and tells people in words what it wrote and left out", async () => {
    const targets = lines<{ name: string }>((await cli(["export", "list-targets", "--json"])).out).map((target) => target.name);
    expect(targets).toEqual(expect.arrayContaining(["jsonl", "parquet", "trl-preference", "openai-sft", "langsmith", "promptfoo", "policy-tests"]));
    const { out: text } = await run(["--target", "trl-preference", "--out", out("pairs")]);
    expect(text).toMatch(/^2 rows for trl-preference in /);
    expect(text).toContain("left out: 1 row of preference: no transcript");
  });
});
