import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { embeddedRegistry, memoryTable, type SchemaTable } from "../../src/log/embedded-registry.ts";
import { openSqliteLog, type SqliteLog } from "../../src/log/sqlite.ts";

const schema = (fields: unknown[]) => JSON.stringify({ type: "record", name: "R", fields });
const text = { name: "a", type: "string" };
const V1 = schema([text]);
const V2 = schema([text, { name: "b", type: ["null", "string"], default: null }]);
const V3 = schema([text, { name: "b", type: ["null", "string"], default: null }, { name: "c", type: "int", default: 0 }]);

const opened: SqliteLog[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "countersign-registry-"));
  folders.push(dir);
  return dir;
}
async function tableIn(dir: string): Promise<SchemaTable> {
  const log = await openSqliteLog({ dir });
  opened.push(log);
  return log.schemas;
}

describe.each([
  ["memory", async () => memoryTable()],
  ["sqlite", () => tableIn(folder())],
] as const)("the registry in %s", (_, table) => {
  it("gives ids from 1, the same id to the same text, and the text back by id", async () => {
    const registry = embeddedRegistry(await table());
    expect(await registry.idOf("proposals", V1)).toBeNull();
    expect(await registry.register("proposals", V1)).toBe(1);
    expect(await registry.register("verdicts", V1)).toBe(2);
    expect(await registry.register("proposals", V2)).toBe(3);
    expect(await registry.register("proposals", V1)).toBe(1);
    expect(await registry.idOf("proposals", V2)).toBe(3);
    expect(await registry.idOf("verdicts", V2)).toBeNull();
    expect(await registry.textOf(3)).toBe(V2);
    expect(await registry.textOf(4)).toBeNull();
  });

  it("accepts what can be read both ways beside every earlier version", async () => {
    const registry = embeddedRegistry(await table());
    for (const version of [V1, V2, V3]) {
      expect(await registry.check("proposals", version)).toEqual({ compatible: true, messages: [] });
      await registry.register("proposals", version);
    }
  });

  it.each([
    ["a field without a default is added", schema([text, { name: "n", type: "int" }]), "new schema cannot read"],
    ["a field that had no default is taken away", schema([]), "cannot read what the new schema writes"],
    ["a type is changed", schema([{ name: "a", type: "int" }]), "new schema cannot read"],
    ["a type is widened, which old readers do not understand", schema([{ name: "a", type: ["null", "string"] }]), "cannot read what the new schema writes"],
    ["it is no schema", '{"type":"record"}', "no Avro schema"],
    ["it is no JSON", "{", "no Avro schema"],
  ])("refuses a schema when %s", async (_why, broken, sentence) => {
    const registry = embeddedRegistry(await table());
    await registry.register("proposals", V1);
    const { compatible, messages } = await registry.check("proposals", broken);
    expect(compatible).toBe(false);
    expect(messages.join()).toContain(sentence);
    await expect(registry.register("proposals", broken)).rejects.toMatchObject({ code: "schema_incompatible", field: "proposals" });
    expect(await registry.idOf("proposals", broken)).toBeNull();
    expect(await registry.register("proposals", V2)).toBe(2);
  });

  it("compares with every earlier version, not only with the last", async () => {
    const registry = embeddedRegistry(await table());
    await registry.register("proposals", schema([text, { name: "b", type: "string", default: "" }]));
    await registry.register("proposals", V1);
    // Fits the second, but reads the first's strings as ints.
    const { messages } = await registry.check("proposals", schema([text, { name: "b", type: "int", default: 0 }]));
    expect(messages.every((m) => m.includes("schema 1"))).toBe(true);
    expect(messages).toHaveLength(2);
  });
});

describe("the registry in sqlite", () => {
  it("gives one id when two handles register the same schema at the same time, and keeps it across a restart", async () => {
    const dir = folder();
    const registries = [embeddedRegistry(await tableIn(dir)), embeddedRegistry(await tableIn(dir))];
    const ids = await Promise.all(registries.flatMap((r) => [r.register("proposals", V1), r.register("proposals", V2)]));
    expect(new Set(ids)).toEqual(new Set([1, 2]));
    expect(ids[0]).toBe(ids[2]);
    for (const log of opened.splice(0)) await log.close();
    expect(await embeddedRegistry(await tableIn(dir)).idOf("proposals", V1)).toBe(ids[0]);
  });
});
