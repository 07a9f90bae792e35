import { describe, expect, it } from "vitest";
import { SCHEMA_TEXT } from "../../src/events/schemas.generated.ts";
import { TOPICS } from "../../src/events/topics.ts";
import { embeddedRegistry, memoryTable } from "../../src/log/embedded-registry.ts";
import { openLog } from "../../src/log/open.ts";
import { applySchemas, checkSchemas, loadCodec, registerSchemas } from "../../src/log/schemas.ts";

describe("the schemas of this build", () => {
  it("are registered once, and applying them again changes nothing", async () => {
    const registry = embeddedRegistry(memoryTable());
    expect((await checkSchemas(registry)).map((r) => r.status)).toEqual(TOPICS.map(() => "would register"));
    expect((await applySchemas(registry, { dryRun: true })).every((r) => r.id === undefined)).toBe(true);
    expect((await applySchemas(registry, { prefix: "cs." })).map((r) => [r.subject, r.status])).toEqual(TOPICS.map((t) => [`cs.${t}-value`, "registered"]));
    const again = await applySchemas(registry);
    expect(again.map((r) => r.status)).toEqual(TOPICS.map(() => "unchanged"));
    expect(again.map((r) => r.id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("are told to be incompatible where another version stands in the way, and the others are registered", async () => {
    const registry = embeddedRegistry(memoryTable());
    await registry.register(
      "batches",
      JSON.stringify({ type: "record", name: "BatchSealed", namespace: "countersign", fields: [{ name: "other", type: "string" }] }),
    );
    const rows = await applySchemas(registry);
    expect(rows.filter((r) => r.status === "incompatible").map((r) => r.topic)).toEqual(["batches"]);
    expect(rows.find((r) => r.topic === "batches")!.messages.length).toBeGreaterThan(0);
    await expect(registerSchemas(registry)).rejects.toMatchObject({ code: "schema_incompatible", field: "batches-value" });
  });

  it("must be registered before a codec can be loaded, and the error names the command", async () => {
    const registry = embeddedRegistry(memoryTable());
    await registry.register("proposals", SCHEMA_TEXT.proposals);
    await expect(loadCodec(registry)).rejects.toMatchObject({ code: "schema_missing", field: "verdicts", fix: "run countersign schemas apply" });
    await registerSchemas(registry);
    const codec = await loadCodec(registry);
    expect([1, 2, 3, 4, 5, 6, 7].every((id) => codec.knows(id))).toBe(true);
  });
});

describe("opening a log by its URL", () => {
  it("registers the schemas in an embedded log at once", async () => {
    const { log, registry } = await openLog("memory:", { partitions: 3 });
    expect(log.partitions).toBe(3);
    expect((await loadCodec(registry)).knows(7)).toBe(true);
    await registry.close();
    await log.close();
  });

  it("refuses a URL that it does not know", async () => {
    await expect(openLog("redis://h")).rejects.toMatchObject({ code: "log_url_invalid" });
  });
});
