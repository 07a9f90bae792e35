import { CountersignError } from "../errors.ts";
import { Codec } from "../events/codec.ts";
import { SCHEMA_TEXT } from "../events/schemas.generated.ts";
import { subjectOf, TOPICS, type Topic } from "../events/topics.ts";
import type { SchemaRegistry } from "./registry.ts";

/** What happened, or would happen, to the schema of one topic. */
export interface SchemaStatus {
  readonly topic: Topic;
  readonly subject: string;
  readonly status: "registered" | "would register" | "unchanged" | "incompatible";
  /** Where it is registered. */
  readonly id?: number;
  /** Why it is incompatible, as sentences. */
  readonly messages: readonly string[];
}

/** Registers this build's schemas where they are missing, one row per topic. Does the same once or twice. @throws CountersignError registry_unreachable, registry_refused */
export async function applySchemas(registry: SchemaRegistry, options: { dryRun?: boolean; prefix?: string } = {}): Promise<readonly SchemaStatus[]> {
  const rows: SchemaStatus[] = [];
  for (const topic of TOPICS) rows.push(await applyOne(registry, topic, options));
  return rows;
}

/** What `applySchemas` would do. Writes nothing. @throws as applySchemas */
export function checkSchemas(registry: SchemaRegistry, options: { prefix?: string } = {}): Promise<readonly SchemaStatus[]> {
  return applySchemas(registry, { ...options, dryRun: true });
}

/** Registers this build's schemas. @throws CountersignError schema_incompatible when one cannot be, and as applySchemas */
export async function registerSchemas(registry: SchemaRegistry): Promise<void> {
  const broken = (await applySchemas(registry)).filter((row) => row.status === "incompatible");
  if (broken.length > 0)
    throw new CountersignError("schema_incompatible", broken.map((row) => `${row.subject}: ${row.messages.join("; ")}`).join("\n"), {
      field: broken[0]!.subject,
      fix: "use the version of countersign that this log was written with, or a newer one",
    });
}

/** A codec that writes with the ids under which this build's schemas are registered. @throws CountersignError schema_missing, registry_unreachable, registry_refused */
export async function loadCodec(registry: SchemaRegistry): Promise<Codec> {
  const codec = new Codec();
  const missing: Topic[] = [];
  for (const topic of TOPICS) {
    const id = await registry.idOf(topic, SCHEMA_TEXT[topic]);
    if (id === null) missing.push(topic);
    else codec.use(topic, id);
  }
  if (missing.length > 0)
    throw new CountersignError("schema_missing", `The registry does not have this version's schemas of ${missing.join(", ")}`, {
      field: missing[0]!,
      fix: "run countersign schemas apply",
    });
  return codec;
}

async function applyOne(registry: SchemaRegistry, topic: Topic, { dryRun = false, prefix = "" }: { dryRun?: boolean; prefix?: string }): Promise<SchemaStatus> {
  const text = SCHEMA_TEXT[topic];
  const row = { topic, subject: subjectOf(topic, prefix), messages: [] };
  const known = await registry.idOf(topic, text);
  if (known !== null) return { ...row, status: "unchanged", id: known };
  const { compatible, messages } = await registry.check(topic, text);
  if (!compatible) return { ...row, status: "incompatible", messages };
  if (dryRun) return { ...row, status: "would register" };
  return { ...row, status: "registered", id: await registry.register(topic, text) };
}
