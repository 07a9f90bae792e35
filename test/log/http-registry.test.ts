import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { Codec } from "../../src/events/codec.ts";
import { SCHEMA_TEXT } from "../../src/events/schemas.generated.ts";
import { subjectOf, TOPICS } from "../../src/events/topics.ts";
import { openHttpRegistry } from "../../src/log/http-registry.ts";
import type { SchemaRegistry } from "../../src/log/registry.ts";
import { applySchemas, checkSchemas, loadCodec } from "../../src/log/schemas.ts";
import { sharedKafka, whyNoKafka } from "../support/kafka.ts";

const why = await whyNoKafka();

if (why) it.skip(why, () => undefined);
else describe("a real registry", real);

function real(): void {
  let url: string;
  beforeAll(async () => {
    url = (await sharedKafka()).registryUrl;
  });
  const fresh = () => {
    const prefix = `r${randomBytes(6).toString("hex")}.`;
    return { prefix, registry: openHttpRegistry({ url, prefix }) };
  };
  const get = async (path: string) => (await fetch(url + path)).json() as Promise<Record<string, unknown>>;
  const refund = (fields: object[]) => JSON.stringify({ type: "record", name: "Refund", namespace: "test", fields });
  const id = { name: "id", type: "string" };

  it("gives the same schema the same id, and has FULL_TRANSITIVE on the subject", async () => {
    const { registry, prefix } = fresh();
    expect(await registry.idOf("verdicts", SCHEMA_TEXT.verdicts)).toBeNull();
    const first = await registry.register("verdicts", SCHEMA_TEXT.verdicts);
    expect(await registry.register("verdicts", SCHEMA_TEXT.verdicts)).toBe(first);
    expect(await registry.idOf("verdicts", SCHEMA_TEXT.verdicts)).toBe(first);
    expect(await get(`/config/${subjectOf("verdicts", prefix)}`)).toEqual({ compatibilityLevel: "FULL_TRANSITIVE" });
    expect(await get(`/subjects/${subjectOf("verdicts", prefix)}/versions`)).toEqual([1]);
  });

  it("keeps every schema byte for byte, enum defaults included", async () => {
    const { registry } = fresh();
    for (const topic of TOPICS) {
      const schemaId = await registry.register(topic, SCHEMA_TEXT[topic]);
      expect(await registry.textOf(schemaId)).toBe(SCHEMA_TEXT[topic]);
    }
  });

  it("knows no text for an unknown id, and no id for a schema of another subject", async () => {
    const { registry } = fresh();
    expect(await registry.textOf(2_000_000_000)).toBeNull();
    await registry.register("proposals", SCHEMA_TEXT.proposals);
    expect(await registry.idOf("proposals", SCHEMA_TEXT.verdicts)).toBeNull();
    expect(await registry.idOf("verdicts", SCHEMA_TEXT.proposals)).toBeNull();
  });

  it("refuses an incompatible schema with the registry's own reason, and says so beforehand", async () => {
    const { registry } = fresh();
    await registry.register("receipts", refund([id]));
    const incompatible = refund([id, { name: "amount", type: "long" }]);
    const checked = await registry.check("receipts", incompatible);
    expect(checked.compatible).toBe(false);
    expect(checked.messages.join()).toMatch(/amount/);
    await expect(registry.register("receipts", incompatible)).rejects.toMatchObject({
      code: "schema_incompatible",
      retryable: false,
      message: expect.stringMatching(/amount/),
    });
    expect(await registry.idOf("receipts", incompatible)).toBeNull();
  });

  it("compares with all earlier versions, not only with the last", async () => {
    const { registry } = fresh();
    const withText = refund([id, { name: "note", type: "string", default: "" }]);
    await registry.register("receipts", withText);
    await registry.register("receipts", refund([id]));
    const withNumber = refund([id, { name: "note", type: "int", default: 0 }]);
    expect((await registry.check("receipts", withNumber)).compatible).toBe(false);
    await expect(registry.register("receipts", withNumber)).rejects.toMatchObject({ code: "schema_incompatible" });
  });

  it("takes a compatible schema as the next version", async () => {
    const { registry } = fresh();
    const first = await registry.register("receipts", refund([id]));
    const second = refund([id, { name: "note", type: ["null", "string"], default: null }]);
    expect(await registry.check("receipts", second)).toEqual({ compatible: true, messages: [] });
    expect(await registry.register("receipts", second)).not.toBe(first);
  });

  it("refuses what is no schema, with the registry's own reason", async () => {
    const { registry } = fresh();
    await expect(registry.register("receipts", "{nope")).rejects.toMatchObject({ code: "registry_refused", retryable: false });
  });

  it("lets schemas be checked, applied twice, and loaded for writing", async () => {
    const { registry, prefix } = fresh();
    await expect(loadCodec(registry)).rejects.toMatchObject({ code: "schema_missing" });
    expect((await checkSchemas(registry, { prefix })).map((r) => r.status)).toEqual(TOPICS.map(() => "would register"));
    expect((await applySchemas(registry, { prefix })).map((r) => r.status)).toEqual(TOPICS.map(() => "registered"));
    expect((await applySchemas(registry, { prefix })).map((r) => r.status)).toEqual(TOPICS.map(() => "unchanged"));
    expect(await loadCodec(registry)).toBeInstanceOf(Codec);
  });
}

describe("a registry that fails", () => {
  let stop: () => Promise<void> = async () => {};
  afterEach(() => stop());

  /** A server of this shape, so that a registry's failures can be made to happen. */
  async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(handle);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stop = () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    };
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  }
  const failing = (registry: SchemaRegistry) => registry.textOf(1);
  const json = (response: ServerResponse, status: number, body: object) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

  it("is unreachable, retryably, when nobody listens", async () => {
    const url = await serve(() => undefined);
    await stop();
    const registry = openHttpRegistry({ url, tries: 2 });
    await expect(failing(registry)).rejects.toMatchObject({ code: "registry_unreachable", retryable: true, message: expect.stringMatching(/ECONNREFUSED/) });
  });

  it("is tried again after an error of its own, and then used", async () => {
    let n = 0;
    const url = await serve((_, response) => (++n < 3 ? json(response, 503, {}) : json(response, 200, { schema: '"string"' })));
    expect(await failing(openHttpRegistry({ url }))).toBe('"string"');
    expect(n).toBe(3);
  });

  it("is given up when it never answers", async () => {
    const url = await serve(() => undefined);
    const registry = openHttpRegistry({ url, timeoutMs: 50, tries: 2 });
    await expect(failing(registry)).rejects.toMatchObject({ code: "registry_unreachable", message: expect.stringMatching(/no answer within 50 ms/) });
  });

  it("is told who asks, and a refusal is not tried again", async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.headers.authorization);
      json(response, 401, { error_code: 401, message: "Unauthorized" });
    });
    const registry = openHttpRegistry({ url, env: { SCHEMA_REGISTRY_USERNAME: "ann", SCHEMA_REGISTRY_PASSWORD: "s3cret" } });
    await expect(failing(registry)).rejects.toMatchObject({
      code: "registry_refused",
      retryable: false,
      fix: expect.stringMatching(/SCHEMA_REGISTRY_USERNAME/),
    });
    expect(asked).toEqual([`Basic ${Buffer.from("ann:s3cret").toString("base64")}`]);
  });

  it("is not taken for a registry when it answers with something else", async () => {
    const url = await serve((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>hello</html>"));
    await expect(failing(openHttpRegistry({ url }))).rejects.toMatchObject({
      code: "registry_refused",
      message: expect.stringMatching(/Confluent-compatible/),
    });
  });

  it("ends what it does when it is closed", async () => {
    const url = await serve(() => undefined);
    const registry = openHttpRegistry({ url });
    const asking = failing(registry);
    await registry.close();
    await expect(asking).rejects.toMatchObject({ code: "log_closed" });
  });
});
