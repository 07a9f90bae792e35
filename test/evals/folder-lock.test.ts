import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { lockFolder } from "../../src/evals/folder-lock.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";

let work: string;
let folder: string;
let lock: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "countersign-folder-lock-"));
  folder = join(work, "out");
  lock = join(folder, ".countersign-export.lock");
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

function heldBy(text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(lock, text);
}

describe("the lock of a folder", () => {
  test("is held by one export at a time: a second one into the folder is refused, and writes nothing", async () => {
    const script = await Script.open();
    await script.decide(await script.judge(await script.propose("k", { n: 1 }), "interrupt"), "approve");
    const into = (target: string) => exportDataset(folder, target, { log: script.log, codec: script.codec, key: TEST_KEY });
    const [first, second] = await Promise.allSettled([into("jsonl"), into("trl-kto")]);
    expect([first.status, second]).toMatchObject([
      "fulfilled",
      { status: "rejected", reason: { code: "conflict", field: "--out", message: expect.stringContaining(String(process.pid)) } },
    ]);
    expect((JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as { target: string }).target).toBe("jsonl");
    expect(existsSync(lock)).toBe(false);
    expect((await into("trl-kto")).target).toBe("trl-kto");
  });

  test("that a living process holds stands, and that of a killed one is taken over", async () => {
    const code = `const { lockFolder } = await import(${JSON.stringify(fileURLToPath(new URL("../../src/evals/folder-lock.ts", import.meta.url)))}); lockFolder(process.argv[1]); console.log("held"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code, folder], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(child.stdout, "data");
      expect(() => lockFolder(folder)).toThrow(new RegExp(`The process ${child.pid} on .* is exporting into`));
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    expect(existsSync(lock)).toBe(true);
    lockFolder(folder)();
    expect(existsSync(lock)).toBe(false);
  });

  test.each([
    ["of this process's id, which an earlier process had", () => JSON.stringify({ pid: process.pid, host: hostname() })],
    ["of a process that has ended", () => JSON.stringify({ pid: spawnSync(process.execPath, ["-e", ""]).pid, host: hostname() })],
  ])("%s is taken over", (_, text) => {
    heldBy(text());
    const release = lockFolder(folder);
    expect(JSON.parse(readFileSync(lock, "utf8"))).toEqual({ pid: process.pid, host: hostname() });
    expect(() => lockFolder(folder)).toThrow(/is exporting into/);
    release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of another machine stands, since nobody knows of its processes; the error names what to remove", () => {
    heldBy(JSON.stringify({ pid: 1, host: "elsewhere" }));
    expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: "conflict", fix: expect.stringContaining(lock) }));
  });

  test("that says nothing stands while it may still be written, and not for long", () => {
    heldBy("");
    expect(() => lockFolder(folder)).toThrow(/Another process is exporting into/);
    utimesSync(lock, new Date(0), new Date(0));
    lockFolder(folder)();
    expect(existsSync(lock)).toBe(false);
  });

  test("leaves no folder behind that was made for it, and none away that holds something", () => {
    lockFolder(folder)();
    expect(existsSync(folder)).toBe(false);
    const release = lockFolder(folder);
    writeFileSync(join(folder, "row"), "");
    release();
    expect(readdirSync(folder)).toEqual(["row"]);
  });
});
