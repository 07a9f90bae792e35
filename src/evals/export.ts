import { createHash } from "node:crypto";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CountersignError } from "../errors.ts";
import { canonicalize, sha256 } from "../events/canonical.ts";
import { dueItemId } from "../events/check.ts";
import { type Codec, FRAME_BYTES } from "../events/codec.ts";
import type { Topic } from "../events/topics.ts";
import { foldEvent } from "../ledger/fold.ts";
import { createItem } from "../ledger/item.ts";
import type { Checkpoint, EventLog, Head, LogRecord } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { EXAMPLE_KINDS, type ExampleKind, ExampleMemory, examplesOf, type FoldedItem, type PlacedExample } from "./reviewed-examples.ts";

/** Form of the rows and of the manifest. It changes when the same events would give other bytes. */
export const EXPORT_FORMAT = 1;

/** Topics that examples are made of. */
export const EXPORT_TOPICS = ["proposals", "verdicts", "decisions", "resumes", "receipts"] as const satisfies readonly Topic[];

/** What to export. */
export interface ExportOptions {
  readonly log: EventLog;
  readonly codec: Codec;
  /** Text of a schema that the codec does not know yet; null where nobody does. */
  readonly schemaText?: (id: number) => Promise<string | null>;
  /** First offsets of which the decisions become rows. Default: the beginning. */
  readonly from?: Checkpoint;
  /** Where reading ends, exclusive. Partitions that are not named end at the head, as all do by default. */
  readonly to?: Checkpoint;
  /** Only items of this workspace. */
  readonly workspace?: string;
  /** Put messages and tools of the transcripts into the rows. Default: only their hash and uri. */
  readonly transcripts?: boolean;
  readonly signal?: AbortSignal;
}

/** Half-open range of offsets. */
export interface Range {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** What lies beside the examples and says what they are. It names no time: the same range gives the same bytes. */
export interface Manifest {
  readonly format: number;
  readonly kind: "countersign.reviewed-examples";
  /** The log, without credentials. */
  readonly log: string;
  readonly partitions: number;
  /** The decisions in these ranges are the rows; everything before `to` was folded to know which decisions took effect. */
  readonly ranges: { readonly [T in (typeof EXPORT_TOPICS)[number]]: readonly Range[] };
  readonly workspace: string | null;
  readonly transcripts: boolean;
  readonly rows: number;
  readonly items: number;
  readonly byDecision: { readonly [K in ExampleKind]: number };
  /** Records that could not take part, by reason. */
  readonly skipped: { readonly undecodable: number; readonly unknownSchema: number; readonly misplaced: number };
  /** Decisions in the range whose cause does not lie before the end of the range: they are no rows, here or in a later export. */
  readonly parked: number;
  readonly files: readonly { readonly name: string; readonly rows: number; readonly bytes: number; readonly sha256: string }[];
}

type Skipped = { -readonly [K in keyof Manifest["skipped"]]: Manifest["skipped"][K] };

/** Examples in the order of their decisions (by partition, then offset), and what the manifest says of the range. */
export interface Examples {
  readonly examples: readonly PlacedExample[];
  readonly ranges: Manifest["ranges"];
  readonly skipped: Manifest["skipped"];
  readonly parked: number;
}

/**
 * Reads the topics up to `to`, folds every item, and gives one example for each effective decision of a person in the range.
 *
 * @throws CountersignError request_invalid when a range lies beyond the head, and what reading the log throws
 */
export async function collectExamples(options: ExportOptions): Promise<Examples> {
  const { log, workspace } = options;
  // A decision answers what was there before it. So the end of the decisions is taken first: heads are not read at one moment, and an
  // end of the verdicts that lies before that of the decisions would lose decisions between two exports.
  const decided = (await log.heads()).filter((h) => h.topic === "decisions");
  const others = (await log.heads()).filter((h) => h.topic !== "decisions");
  const ranges = rangesOf([...decided, ...others], options.from, options.to);
  const until = Object.fromEntries(EXPORT_TOPICS.map((t) => [t, Object.fromEntries(ranges[t].map((r) => [r.partition, r.to]))])) as Checkpoint;
  const items = new Map<string, FoldedItem>();
  const skipped: Skipped = { undecodable: 0, unknownSchema: 0, misplaced: 0 };
  for await (const { records } of log.read({}, { topics: EXPORT_TOPICS, until, ...(options.signal && { signal: options.signal }) })) {
    for (const record of records) if (record.offset < (until[record.topic]?.[record.partition] ?? 0)) await fold(record, items, skipped, options);
  }
  options.signal?.throwIfAborted();
  const from = new Map(ranges.decisions.map((r) => [r.partition, r.from]));
  const chosen = [...items.values()].filter(({ item }) => workspace === undefined || item.workspace === workspace);
  const inRange = (partition: number) => (offset: number) => offset >= (from.get(partition) ?? 0);
  const examples = chosen.flatMap((folded) => examplesOf(folded, inRange(folded.partition))).sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  const parked = chosen.reduce((n, folded) => n + parkedIn(folded, inRange(folded.partition)), 0);
  return { examples, ranges, skipped, parked };
}

async function fold(
  record: LogRecord,
  items: Map<string, FoldedItem>,
  skipped: Skipped,
  { log, codec, schemaText, transcripts }: ExportOptions,
): Promise<void> {
  let decoded = codec.decode(record.topic, record.value);
  if (!decoded.ok && decoded.reason === "unknown_schema") {
    const text = (await schemaText?.(decoded.schemaId)) ?? null;
    if (text !== null) {
      codec.learn(decoded.schemaId, text);
      decoded = codec.decode(record.topic, record.value);
    }
  }
  if (!decoded.ok) {
    skipped[decoded.reason === "unknown_schema" ? "unknownSchema" : "undecodable"]++;
    return;
  }
  const { event } = decoded;
  const due = dueItemId(record.topic, event);
  if (record.key !== event.itemId || record.partition !== partitionOf(event.itemId, log.partitions) || (due !== undefined && due !== event.itemId)) {
    skipped.misplaced++;
    return;
  }
  let folded = items.get(event.itemId);
  if (!folded) {
    folded = { item: createItem(event.itemId), memory: new ExampleMemory(transcripts ?? false), partition: record.partition };
    items.set(event.itemId, folded);
  }
  const contentSha256 = sha256((record.value as Uint8Array).subarray(FRAME_BYTES));
  foldEvent(folded.item, folded.memory, { topic: record.topic, offset: record.offset, event, contentSha256 });
}

function parkedIn({ memory }: FoldedItem, wanted: (offset: number) => boolean): number {
  return [...memory.statuses.values()].filter(({ status, entry }) => status === "parked" && entry.topic === "decisions" && wanted(entry.offset)).length;
}

function rangesOf(heads: readonly Head[], from: Checkpoint = {}, to: Checkpoint = {}): Manifest["ranges"] {
  const of = (topic: (typeof EXPORT_TOPICS)[number]): Range[] =>
    heads
      .filter((h) => h.topic === topic)
      .sort((a, b) => a.partition - b.partition)
      .map(({ partition, next }) => {
        const range = { partition, from: from[topic]?.[partition] ?? 0, to: to[topic]?.[partition] ?? next };
        if (range.from > range.to || range.to > next || range.from < 0)
          throw new CountersignError(
            "request_invalid",
            `The range ${range.from} to ${range.to} of ${topic} ${partition} does not lie in the log, which ends at ${next}`,
            {
              field: `/${topic}/${partition}`,
              fix: "give offsets with from ≤ to ≤ the end of the log",
            },
          );
        return range;
      });
  return Object.fromEntries(EXPORT_TOPICS.map((topic) => [topic, of(topic)])) as unknown as Manifest["ranges"];
}

/** Where an export ended, as the `from` of the next one. */
export function endOf(manifest: Pick<Manifest, "ranges">): Checkpoint {
  return Object.fromEntries(EXPORT_TOPICS.map((t) => [t, Object.fromEntries(manifest.ranges[t].map((r) => [r.partition, r.to]))]));
}

/** Name of the file with the examples, and of the one that describes it. */
export const EXAMPLES_FILE = "reviewed-examples.jsonl";
export const MANIFEST_FILE = "manifest.json";

/**
 * Exports reviewed examples into a folder: one canonical JSON object a line, and a manifest. The manifest is written last, so a folder
 * with a manifest is complete. The same range of the same log gives the same bytes.
 *
 * @throws as collectExamples, and file_unreadable when the folder cannot be written
 */
export async function exportExamples(directory: string, options: ExportOptions): Promise<Manifest> {
  const { examples, ranges, skipped, parked } = await collectExamples(options);
  try {
    await mkdir(directory, { recursive: true });
    // The old manifest goes first: a crash in between must not leave it beside other rows.
    await rm(join(directory, MANIFEST_FILE), { force: true });
    const file = await writeRows(directory, examples);
    const manifest: Manifest = {
      format: EXPORT_FORMAT,
      kind: "countersign.reviewed-examples",
      log: options.log.url,
      partitions: options.log.partitions,
      ranges,
      workspace: options.workspace ?? null,
      transcripts: options.transcripts ?? false,
      rows: examples.length,
      items: new Set(examples.map((e) => e.example.itemId)).size,
      byDecision: Object.fromEntries(
        EXAMPLE_KINDS.map((kind) => [kind, examples.filter((e) => e.example.decision.kind === kind).length]),
      ) as Manifest["byDecision"],
      skipped,
      parked,
      files: [file],
    };
    await replace(join(directory, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    return manifest;
  } catch (cause) {
    throw new CountersignError("file_unreadable", `Cannot write the export to ${directory}: ${(cause as Error).message}`, {
      cause,
      fix: "name a folder that can be written with --out",
    });
  }
}

async function writeRows(directory: string, examples: readonly PlacedExample[]): Promise<Manifest["files"][number]> {
  const path = join(directory, EXAMPLES_FILE);
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(`${path}.part`, "w");
  try {
    for (const { example } of examples) {
      const row = Buffer.from(`${canonicalize(example)}\n`);
      hash.update(row);
      bytes += row.length;
      await file.writeFile(row);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  return { name: EXAMPLES_FILE, rows: examples.length, bytes, sha256: hash.digest("hex") };
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}
