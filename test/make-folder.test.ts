import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder } from "../src/make-folder.ts";

describe("a folder", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "countersign-folder-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("is made with all that are missing above it, and again without harm", () => {
    const path = join(dir, "a", "b", "c");
    makeFolder(path);
    makeFolder(path);
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it("is not made over a file, nor below one", () => {
    const file = join(dir, "file");
    writeFileSync(file, "");
    expect(() => makeFolder(file)).toThrow("EEXIST");
    expect(() => makeFolder(join(file, "below"))).toThrow(/EEXIST|ENOTDIR/);
  });

  it.runIf(existsSync("/proc/self"))("is told to be impossible where the file system makes none, instead of being tried for ever", () => {
    expect(() => makeFolder("/proc/countersign/data")).toThrow("ENOENT");
  });
});
