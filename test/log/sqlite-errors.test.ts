import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AppendOutcomeUnknown } from "../../src/errors.ts";
import { openSqliteLog, type SqliteLog, type SqliteLogOptions } from "../../src/log/sqlite.ts";
import { certainlyNotCommitted, sqliteError } from "../../src/log/sqlite-errors.ts";
import { envelope, identity, read, record } from "./records.ts";

const APPENDER = new URL("./appender.ts", import.meta.url).pathname;
let dir: string;
const opened: SqliteLog[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "countersign-file-"));
});
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  rmSync(dir, { recursive: true });
});
async function open(options: Partial<SqliteLogOptions> = {}): Promise<SqliteLog> {
  const log = await openSqliteLog({ dir, ...options });
  opened.push(log);
  return log;
}
function sql<T>(work: (db: Database.Database) => T): T {
  const db = new Database(join(dir, "log.db"));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

describe("log.db", () => {
  it("has 12 partitions by default, and keeps its id and their number", async () => {
    const first = await open();
    expect(first.partitions).toBe(12);
    await first.close();
    expect((await open()).id).toBe(first.id);
    expect((await open({ partitions: 12 })).partitions).toBe(12);
    await expect(open({ partitions: 6 })).rejects.toMatchObject({ code: "partitions_mismatch", field: "partitions" });
  });

  it("is refused when a newer version wrote it", async () => {
    await (await open()).close();
    sql((db) => db.exec("UPDATE meta SET value = 2 WHERE name = 'format'"));
    await expect(open()).rejects.toMatchObject({ code: "log_format", retryable: false });
  });

  it("is not made where it must be there already", async () => {
    await expect(open({ create: false })).rejects.toMatchObject({ code: "log_unavailable" });
  });

  it("is told from a file that is no log", async () => {
    writeFileSync(join(dir, "log.db"), "this is a text, and a long one at that".repeat(100));
    await expect(open()).rejects.toMatchObject({ code: "log_unavailable", retryable: false });
  });

  it("is one file when the last process has closed it", async () => {
    const log = await open();
    await log.append([record("proposals", envelope("a", 1))]);
    await log.close();
    rmSync(join(dir, "log.db-wal"), { force: true });
    expect(await read(await open())).toHaveLength(1);
  });

  it("waits for another process that writes without stopping the event loop, and says so when that takes too long", async () => {
    const log = await open({ busyMs: 150 });
    const other = new Database(join(dir, "log.db"));
    other.exec("BEGIN IMMEDIATE");
    let ticks = 0;
    const clock = setInterval(() => ticks++, 5);
    await expect(log.append([record("proposals", envelope("a", 1))])).rejects.toMatchObject({ code: "log_busy", retryable: true });
    expect(ticks).toBeGreaterThan(8);
    const waiting = log.append([record("proposals", envelope("a", 2))]);
    setTimeout(() => other.exec("ROLLBACK"), 40);
    expect(await waiting).toHaveLength(1);
    clearInterval(clock);
    other.close();
    expect((await read(log)).map((r) => identity(r).n)).toEqual([2]);
  });

  it("never lets the time of appending fall, also when the clock is set back", async () => {
    const log = await open();
    await log.append([record("proposals", envelope("a", 1))]);
    await log.close();
    const ahead = Date.now() + 3_600_000;
    sql((db) => db.prepare("UPDATE record SET at = ?").run(ahead));
    const again = await open();
    await again.append([record("verdicts", envelope("a", 2))]);
    expect((await read(again)).map((r) => r.appendedAt)).toEqual([ahead, ahead]);
  });

  it("finds a record that is missing also in the middle and at the end", async () => {
    const log = await open();
    for (let n = 0; n < 30; n++) await log.append([record("decisions", envelope("a", n))]);
    // Another handle: the one that appended still has the records in memory.
    const other = await open();
    const [{ partition } = { partition: -1 }] = await read(other);
    sql((db) => db.exec("DELETE FROM record WHERE number = 30"));
    await expect(read(other)).rejects.toMatchObject({ code: "log_gap" });
    sql((db) => db.exec("DELETE FROM record WHERE number = 12"));
    await expect(read(await open())).rejects.toMatchObject({ code: "log_gap", field: `decisions/${partition}@11` });
  });

  it("shows a record to nobody before the disk has it, and takes what comes meanwhile in one go", async () => {
    let synced = () => {};
    let syncs = 0;
    const log = await open({
      faults: {
        sync: (sync) => {
          syncs++;
          return new Promise((resolve) => {
            synced = () => void sync().then(resolve);
          });
        },
      },
    });
    const first = log.append([record("proposals", envelope("a", 1))]);
    await vi.waitFor(() => expect(syncs).toBe(1));
    expect(sql((db) => db.prepare("SELECT count(*) FROM record").pluck().get())).toBe(1);
    expect(await read(log)).toEqual([]);
    expect((await log.heads()).every((head) => head.next === 0)).toBe(true);
    const more = [2, 3].map((n) => log.append([record("proposals", envelope("a", n))]));
    synced();
    await first;
    await vi.waitFor(() => expect(syncs).toBe(2));
    expect((await read(log)).map((r) => identity(r).n)).toEqual([1]);
    synced();
    await Promise.all(more);
    expect((await read(log)).map((r) => identity(r).n)).toEqual([1, 2, 3]);
  });

  it("leaves the outcome open when the disk fails, and appends nothing more", async () => {
    const log = await open({ faults: { sync: () => Promise.reject(new Error("EIO: i/o error, fdatasync")) } });
    const [one, two] = [1, 2].map((n) => log.append([record("proposals", envelope("a", n))]));
    await expect(one).rejects.toBeInstanceOf(AppendOutcomeUnknown);
    await expect(two).rejects.toBeInstanceOf(AppendOutcomeUnknown);
    await expect(log.append([record("proposals", envelope("a", 3))])).rejects.toMatchObject({ code: "log_unavailable", retryable: false });
    await log.close();
    expect((await read(await open())).map((r) => identity(r).n)).toEqual([1, 2]);
  });

  it("has everything that was acknowledged, without a hole, after the process was killed under load beside another", { timeout: 60_000 }, async () => {
    const mine = await open();
    const acknowledged = new Map<string, string>();
    for (const round of ["k1", "k2", "k3"]) {
      const child = spawn(process.execPath, [APPENDER, dir, round], { stdio: ["ignore", "pipe", "inherit"] });
      let out = "";
      let lines = 0;
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk;
        lines = out.split("\n").length;
      });
      const gone = once(child, "exit");
      const ended = once(child.stdout, "end");
      while (lines < 400 && child.exitCode === null) {
        const e = envelope("parent", acknowledged.size, `p-${round}`);
        const [p] = await mine.append([record("receipts", e)]);
        acknowledged.set(e.eventId, `${p!.partition}@${p!.offset}`);
      }
      child.kill("SIGKILL");
      expect((await gone)[1]).toBe("SIGKILL");
      await ended;
      // The last line may be cut.
      for (const line of out.split("\n").slice(0, -1)) acknowledged.set(...(line.split(" ") as [string, string]));
    }
    expect(acknowledged.size).toBeGreaterThan(1200);
    for (const log of [mine, await open()]) {
      const records = await read(log);
      const found = new Map(records.map((r) => [identity(r).eventId, `${r.partition}@${r.offset}`]));
      expect(found.size).toBe(records.length);
      for (const [eventId, place] of acknowledged) expect(found.get(eventId)).toBe(place);
      const next = new Map<number, number>();
      for (const r of records) {
        expect(r.offset).toBe(next.get(r.partition) ?? 0);
        next.set(r.partition, r.offset + 1);
      }
    }
  });
});

describe("an error of SQLite", () => {
  const failed = (code: string) => Object.assign(new Error(code), { code });

  it.each([
    ["SQLITE_BUSY", "log_busy", true],
    ["SQLITE_BUSY_RECOVERY", "log_busy", true],
    ["SQLITE_FULL", "log_unavailable", true],
    ["SQLITE_IOERR_FSYNC", "log_unavailable", true],
    ["SQLITE_CORRUPT", "log_unavailable", false],
    ["SQLITE_READONLY", "log_unavailable", false],
    ["SQLITE_CANTOPEN", "log_unavailable", false],
  ])("%s is told as %s, with a way out", (code, told, retryable) => {
    const error = sqliteError(failed(code), "data");
    expect(error).toMatchObject({ code: told, retryable });
    expect(error.fix).toBeTruthy();
  });

  it("leaves the outcome of a commit open after a failed write, not after a full disk or a lock", () => {
    expect(["SQLITE_IOERR_FSYNC", "SQLITE_IOERR_WRITE", "", "SQLITE_FULL", "SQLITE_BUSY"].map((c) => certainlyNotCommitted(failed(c)))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
  });
});
