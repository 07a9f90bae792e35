import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLog } from "../../src/log/open.ts";
import { story } from "../evals/story.ts";
import { cli, lines } from "./harness.ts";

let folder: string;
let log: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-tail-"));
  log = `sqlite:${folder}`;
  const opened = await openLog(log);
  for await (const { records } of (await story()).log.read({}, { until: "heads" }))
    await opened.log.append(records.map((r) => ({ topic: r.topic, key: r.key as string, value: r.value as Uint8Array })));
  await opened.registry.close();
  await opened.log.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  topic: string;
  partition: number;
  offset: number;
  event: { kind: string; actor: { id: string }; workspace: string };
}
const tail = async (...args: string[]) => lines<Told>((await cli(["tail", "--log", log, ...args])).out);

describe("tail", () => {
  test("filters by kind, writer and workspace", async () => {
    const edits = await tail("--topic", "decisions", "--kind", "edit");
    expect(edits.map((l) => [l.topic, l.event.kind])).toEqual(Array(3).fill(["decisions", "edit"]));
    expect(new Set((await tail("--topic", "decisions", "--actor", "clock")).map((l) => l.event.kind))).toEqual(new Set(["escalate", "expire"]));
    expect(await tail("--workspace", "other")).toEqual([]);
  });

  test("ends before --to and begins at --from: two halves are the whole, and nothing comes twice", async () => {
    const all = await tail("--topic", "decisions");
    const cut = all
      .map((l) => `decisions:${l.partition}:1`)
      .filter((at, i, list) => list.indexOf(at) === i)
      .join(",");
    const key = (l: Told) => `${l.partition}:${l.offset}`;
    const [first, second] = [await tail("--topic", "decisions", "--to", cut), await tail("--topic", "decisions", "--from", cut)];
    expect(first.length).toBeGreaterThan(0);
    expect(second.length).toBeGreaterThan(0);
    expect([...first, ...second].map(key).sort()).toEqual(all.map(key).sort());
  });

  test("an instant cuts by when the log appended", async () => {
    expect(await tail("--from", "2999-01-01")).toEqual([]);
    expect((await tail("--to", "2999-01-01")).length).toBe((await tail()).length);
  });

  test("a Parquet file holds the same events, read back by DuckDB, and the same bytes every time", async () => {
    const files = ["a.parquet", "b.parquet"].map((name) => join(folder, name));
    for (const file of files) expect((await cli(["tail", "--log", log, "--format", "parquet", "--out", file])).code).toBe(0);
    expect(readFileSync(files[0] as string).equals(readFileSync(files[1] as string))).toBe(true);
    const all = await tail();
    const db = await (await DuckDBInstance.create()).connect();
    const found = await db.runAndReadAll(
      `SELECT topic, "partition", "offset", kind, json_extract_string(event, '$.eventId') AS id, event_id FROM '${files[0]}'`,
    );
    const rows = found.getRowObjects();
    expect(rows.map((r) => `${r.topic} ${r.partition} ${r.offset}`)).toEqual(all.map((l) => `${l.topic} ${l.partition} ${l.offset}`));
    expect(rows.every((r) => r.id === r.event_id)).toBe(true);
    expect(rows.filter((r) => r.topic === "decisions" && r.kind === "edit")).toHaveLength(3);
  });

  test.each([
    [["--format", "csv"], "--format"],
    [["--format", "parquet"], "--out"],
    [["--format", "parquet", "--out", "x", "--follow"], "--follow"],
    [["--to", "2026-01-01", "--follow"], "--follow"],
    [["--to", "nowhere"], "--to"],
  ])("%j is refused with a way out", async (args, field) => {
    const { code, err } = await cli(["tail", "--log", log, "--json", ...args]);
    expect([code, JSON.parse(err)]).toMatchObject([2, { code: "usage", field }]);
    expect(JSON.parse(err).fix).toBeTruthy();
  });
});
