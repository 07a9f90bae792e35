import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { openKeys } from "../../src/local/keys.ts";
import { openLocalDb } from "../../src/local/local-db.ts";

const dir = mkdtempSync(join(tmpdir(), "countersign-keys-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("keys", () => {
  it("tells whom a key stands for, and shows its text only once", () => {
    const local = openLocalDb(dir);
    const keys = openKeys(local);
    const { keyId, key } = keys.createKey({ scope: "reviewer", id: "carol", roles: ["support-lead", "role:oncall"], workspace: "support" });
    expect(key).toMatch(/^cs_reviewer_[A-Za-z0-9_-]{43}$/);
    expect(keys.verifyKey(key)).toMatchObject({ keyId, scope: "reviewer", id: "carol", roles: ["support-lead", "oncall"], workspace: "support" });
    expect(JSON.stringify(keys.listKeys())).not.toContain(key);
    local.close();
  });

  it("keeps nothing on disk from which a key could be read", () => {
    const local = openLocalDb(dir);
    const { key } = openKeys(local).createKey({ scope: "agent", id: "bot" });
    local.db.pragma("wal_checkpoint(TRUNCATE)");
    local.close();
    expect(readFileSync(join(dir, "local.db")).includes(key.slice(9))).toBe(false);
    expect(statSync(join(dir, "local.db")).mode & 0o077).toBe(0);
  });

  it("knows the keys again after a restart", () => {
    const first = openLocalDb(dir);
    const { key } = openKeys(first).createKey({ scope: "executor", id: "worker" });
    first.close();
    const second = openLocalDb(dir);
    expect(openKeys(second).verifyKey(key)).toMatchObject({ scope: "executor", id: "worker", workspace: "default" });
    second.close();
  });

  it("does not know a key that is made up, cut, expired, revoked or of another scope's prefix", () => {
    let now = 1_000_000;
    const local = openLocalDb(":memory:");
    const keys = openKeys(local, () => now);
    const { key } = keys.createKey({ scope: "agent", id: "bot" });
    expect(keys.verifyKey(key)).toBeDefined();
    for (const wrong of ["", "cs_agent_", key.slice(0, -1), `${key}A`, key.replace("cs_agent_", "cs_reviewer_"), `cs_agent_${"A".repeat(43)}`])
      expect(keys.verifyKey(wrong)).toBeUndefined();
    const short = keys.createKey({ scope: "agent", id: "bot", expiresAt: now + 10 });
    expect(keys.verifyKey(short.key)).toBeDefined();
    now += 10;
    expect(keys.verifyKey(short.key)).toBeUndefined();
    const { keyId, key: gone } = keys.createKey({ scope: "agent", id: "bot" });
    keys.revokeKey(keyId);
    expect(keys.verifyKey(gone)).toBeUndefined();
    expect(() => keys.revokeKey("key_none")).toThrowError(expect.objectContaining({ code: "not_found" }));
    local.close();
  });

  it.each([
    ["id", { scope: "agent" as const, id: "a\0b" }],
    ["id", { scope: "agent" as const, id: "" }],
    ["workspace", { scope: "agent" as const, id: "bot", workspace: "a\nb" }],
    ["roles", { scope: "agent" as const, id: "bot", roles: ["lead"] }],
    ["scope", { scope: "admin" as "agent", id: "bot" }],
    ["expiresAt", { scope: "agent" as const, id: "bot", expiresAt: 1 }],
  ])("refuses a key whose %s could be taken for something else: %j", (field, key) => {
    const local = openLocalDb(":memory:");
    expect(() => openKeys(local).createKey(key)).toThrowError(expect.objectContaining({ code: "request_invalid", field }));
    local.close();
  });

  it("refuses a local.db of a newer version instead of guessing", () => {
    const newer = mkdtempSync(join(dir, "newer-"));
    const db = new Database(join(newer, "local.db"));
    db.pragma("user_version = 99");
    db.close();
    expect(() => openLocalDb(newer)).toThrowError(expect.objectContaining({ code: "file_invalid" }));
  });
});
