import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { onTestFinished } from "vitest";
import type { Codec } from "../../src/events/codec.ts";
import type { Topic } from "../../src/events/topics.ts";
import { embeddedRegistry } from "../../src/log/embedded-registry.ts";
import type { EventLog, NewRecord } from "../../src/log/log.ts";
import { type MemoryStore, memoryStore, openMemoryLog } from "../../src/log/memory.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import type { SchemaRegistry } from "../../src/log/registry.ts";
import { loadCodec, registerSchemas } from "../../src/log/schemas.ts";
import { dumpViews } from "../../src/projector/dump.ts";
import { openProjector, type Projector, type ProjectorOptions } from "../../src/projector/projector.ts";

/** A folder that is gone after the test. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "countersign-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A log in memory with its registry and codec. */
export interface Stage {
  readonly store: MemoryStore;
  readonly log: EventLog;
  readonly registry: SchemaRegistry;
  readonly codec: Codec;
  /** Id under which this build's schema of a topic is registered. */
  schemaId(topic: Topic): number;
}

/** A new log in memory with this build's schemas. */
export async function newStage(partitions = 3): Promise<Stage> {
  const store = memoryStore(partitions);
  const log = openMemoryLog({ store });
  const registry = embeddedRegistry(store.schemas);
  await registerSchemas(registry);
  const codec = await loadCodec(registry);
  return { store, log, registry, codec, schemaId: (topic) => store.schemas.rows().find((r) => r.topic === topic)?.id as number };
}

/** Puts a record where it stands, as a foreign producer may: any key, any partition, null. */
export function appendRaw(store: MemoryStore, topic: Topic, partition: number, key: string | null, value: Uint8Array | null): number {
  const offset = store.next[topic][partition]!++;
  store.records.push({ topic, partition, offset, key, value, appendedAt: Date.now() });
  for (const wake of store.handles) wake();
  return offset;
}

/** The same log, giving batches of at most this many records. */
export function inBatches(log: EventLog, maxBatch: number): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === "read")
        return (from: Parameters<EventLog["read"]>[0], options: Parameters<EventLog["read"]>[1]) => target.read(from, { ...options, maxBatch });
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Options of a projector over a stage. */
export function projectorOptions(stage: Pick<Stage, "log" | "registry" | "codec">, path: string, more: Partial<ProjectorOptions> = {}): ProjectorOptions {
  const { log, registry, codec } = stage;
  return { log, registry, codec, path, logId: "test", partitionOf: (key) => partitionOf(key, log.partitions), ...more };
}

/** Opens a projector, folds all there is, and closes it. */
export async function foldAll(options: ProjectorOptions): Promise<number> {
  const projector = await openProjector(options);
  try {
    return await projector.catchUp();
  } finally {
    projector.close();
  }
}

/** Appends records one by one, so that their append times never fall. */
export async function appendAll(log: EventLog, records: readonly NewRecord[]): Promise<void> {
  for (const record of records) await log.append([record]);
}

/**
 * Every row of a views file, sorted, without who writes it. `appended: false` leaves out append times: they are the log's, and another
 * log (or another order of appending) has others.
 */
export function dumpFile(path: string, { appended = true }: { appended?: boolean } = {}): string[] {
  const db = new Database(path, { readonly: true });
  try {
    const lines = [...dumpViews(db)];
    return appended ? lines : lines.map((line) => line.replace(/\["appended",\d+\]/, ""));
  } finally {
    db.close();
  }
}

/** As dumpFile, of an open projector. */
export function dumpOf(projector: Projector, { appended = true }: { appended?: boolean } = {}): string[] {
  const lines = [...dumpViews(projector.views.db)];
  return appended ? lines : lines.map((line) => line.replace(/\["appended",\d+\]/, ""));
}

/** Names of all tables of a views file: a dump must not forget one. */
export function tablesOf(path: string): string[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[];
  } finally {
    db.close();
  }
}

/** The first lines in which two dumps differ; empty when they are equal row for row. */
export function differences(expected: readonly string[], got: readonly string[], most = 6): string[] {
  const [a, b] = [new Map(count(expected)), new Map(count(got))];
  const lines = [
    ...[...a].filter(([line, n]) => b.get(line) !== n).map(([line]) => `- ${line}`),
    ...[...b].filter(([line, n]) => a.get(line) !== n).map(([line]) => `+ ${line}`),
  ];
  return lines.sort((x, y) => (x.slice(2) < y.slice(2) ? -1 : 1)).slice(0, most);
}

function count(lines: readonly string[]): [string, number][] {
  return [...Map.groupBy(lines, (l) => l)].map(([line, all]) => [line, all.length]);
}
