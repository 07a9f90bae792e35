import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import { canonicalize, sha256 } from "../events/canonical.ts";
import { versionOf } from "../version.ts";
import { type Collection, type CollectOptions, collect } from "./collect.ts";
import { LABEL_MAP, type Label, labelsOf } from "./labels.ts";
import { type Cell, EXPORT_FORMAT, MANIFEST_FILE, type Manifest, REJECTED_FILE } from "./manifest.ts";
import { EXAMPLE_KINDS, type ReviewedExample } from "./reviewed-example.ts";
import { type FileEntry, Sinks } from "./sinks.ts";
import { DEFAULT_SPLIT_SEED, SPLIT_SHARES } from "./split.ts";
import { FunctionNames } from "./targets/function-names.ts";
import { TARGETS } from "./targets/table.ts";
import type { Target } from "./targets/target.ts";

/** What to export, and how. */
export interface ExportOptions extends CollectOptions {
  /** Who asked for a raw export. */
  readonly rawBy?: { readonly id: string; readonly role: string };
}

/** The target of a name. @throws CountersignError request_invalid */
export function targetOf(name: string): Target {
  const target = TARGETS.find((t) => t.name === name);
  if (target !== undefined) return target;
  throw new CountersignError("request_invalid", `There is no target ${JSON.stringify(name)}`, {
    field: "--target",
    value: name,
    fix: `name one of ${TARGETS.map((t) => t.name).join(", ")}`,
  });
}

/**
 * Exports what people decided into a folder, in the form of a target: its files, the rejected rows, and a manifest. The manifest is written
 * last, so a folder with a manifest is complete. The same ranges of the same log with the same configuration give the same bytes.
 *
 * @throws as collect; request_invalid for an unknown target; file_unreadable when the folder cannot be written
 */
export async function exportDataset(directory: string, targetName: string, options: ExportOptions): Promise<Manifest> {
  const target = targetOf(targetName);
  const transcripts = options.transcripts ?? true;
  const collection = await collect({ ...options, transcripts });
  try {
    return written(directory, target, collection, { ...options, transcripts });
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw new CountersignError("file_unreadable", `Cannot write the export to ${directory}: ${messageOf(cause)}`, {
      cause,
      fix: "name a folder that can be written with --out",
    });
  } finally {
    collection.close();
  }
}

function written(directory: string, target: Target, collection: Collection, options: ExportOptions): Manifest {
  mkdirSync(directory, { recursive: true });
  clear(directory);
  const sinks = new Sinks(directory, (file) => target.columns?.(file) ?? [], textOf);
  try {
    const tally = new Tally();
    const names = new FunctionNames();
    sinks.add(REJECTED_FILE);
    // Also without a row: a reader must not have to ask whether the file is there.
    if (!Array.isArray(target.takes)) sinks.add(target.files);
    if (Array.isArray(target.takes)) for (const row of collection.rows()) addLabels(target, row, names, sinks, tally);
    else if (target.takes === "examples") for (const row of collection.rows()) addExample(target, row, names, sinks, tally);
    else addOperations(target, collection, sinks, tally);
    const files = sinks.finish();
    const manifest = manifestOf(target, collection, tally, names, files, options);
    replace(join(directory, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    return manifest;
  } catch (error) {
    sinks.abandon();
    throw error;
  }
}

type Row = ReturnType<Collection["rows"]> extends Generator<infer T> ? T : never;

function addLabels(target: Target, { example, retry, equal }: Row, names: FunctionNames, sinks: Sinks, tally: Tally): void {
  tally.example(example);
  const all = labelsOf(example, retry);
  const labels = all.filter((label) => (target.takes as readonly string[]).includes(label.class));
  if (labels.length === 0) return;
  const refuse = (label: Pick<Label, "class">, reason: string) => sinks.add(REJECTED_FILE, tally.rejected(example, label.class, reason));
  // Redaction has made the two sides equal: neither says anything about the difference that a person saw.
  const reason = example.duplicateOf !== null ? "duplicate" : equal ? "equal_after_redaction" : null;
  for (const label of labels) {
    if (reason !== null) {
      refuse(label, reason);
      continue;
    }
    for (const made of target.rows({ example, labels: [label], names })) {
      if ("refused" in made) refuse(label, made.refused);
      else {
        sinks.add(made.file, made.row);
        tally.row(label.class, example);
      }
    }
  }
}

function addExample(target: Target, { example, retry }: Row, names: FunctionNames, sinks: Sinks, tally: Tally): void {
  tally.example(example);
  for (const made of target.rows({ example, labels: labelsOf(example, retry), names }))
    if (!("refused" in made)) {
      sinks.add(made.file, made.row);
      tally.row(example.decision.kind, example);
    }
}

function addOperations(target: Target, collection: Collection, sinks: Sinks, tally: Tally): void {
  for (const { example } of collection.rows()) tally.example(example);
  for (const operation of collection.operations()) {
    sinks.add(target.files, operation);
    tally.row(operation.kind, { split: operation.split, quality: { tier: "none" } });
  }
}

/** Counts for the manifest. */
class Tally {
  examples = 0;
  rows = 0;
  readonly byDecision = Object.fromEntries(EXAMPLE_KINDS.map((kind) => [kind, 0])) as { [K in (typeof EXAMPLE_KINDS)[number]]: number };
  private readonly cells = new Map<string, number>();
  private readonly refusals = new Map<string, number>();

  example({ decision }: ReviewedExample): void {
    this.examples++;
    this.byDecision[decision.kind]++;
  }

  row(labelClass: string, { split, quality }: { readonly split: string; readonly quality: { readonly tier: string } }): void {
    this.rows++;
    bump(this.cells, `${labelClass}\0${split}\0${quality.tier}`);
  }

  rejected(example: ReviewedExample, labelClass: string, reason: string): object {
    bump(this.refusals, `${labelClass}\0${reason}`);
    const { id, itemId, decision, split, sources, duplicateOf } = example;
    const source = sources.find((s) => s.topic === "decisions");
    return { id, itemId, decision: decision.kind, class: labelClass, reason, split, ...(duplicateOf !== null && { duplicateOf }), source };
  }

  counts(): Cell[] {
    return sorted(this.cells).map(([[labelClass = "", split = "", tier = ""], rows]) => ({ class: labelClass, split, tier, rows }));
  }

  refused(): Manifest["rejected"] {
    return sorted(this.refusals).map(([[labelClass = "", reason = ""], rows]) => ({ class: labelClass, reason, rows }));
  }
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted(counts: Map<string, number>): [string[], number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, n]) => [key.split("\0"), n]);
}

function manifestOf(target: Target, collection: Collection, tally: Tally, names: FunctionNames, files: readonly FileEntry[], options: ExportOptions): Manifest {
  const { log, profile = "strict" } = options;
  return {
    format: EXPORT_FORMAT,
    kind: "countersign.dataset",
    target: target.name,
    exporter: `countersign ${versionOf()}`,
    log: { url: log.url, partitions: log.partitions },
    ranges: collection.ranges,
    filters: { workspace: options.workspace ?? null, after: instant(options.after), before: instant(options.before) },
    transcripts: options.transcripts ?? true,
    labelMap: LABEL_MAP,
    split: {
      by: "hmac-sha256(workspace, thread)",
      seed: options.splitSeed ?? DEFAULT_SPLIT_SEED,
      shares: SPLIT_SHARES,
      holdoutFrom: instant(options.holdoutFrom),
    },
    redaction: {
      profile,
      keyId: keyIdOf(options.key),
      by: profile === "raw" ? (options.rawBy ?? null) : null,
      hidden: collection.hidden,
      unreadablePolicies: collection.unreadablePolicies,
    },
    examples: tally.examples,
    items: collection.items,
    rows: tally.rows,
    byDecision: tally.byDecision,
    counts: tally.counts(),
    rejected: tally.refused(),
    skipped: collection.skipped,
    parked: collection.parked,
    functionNames: names.table(),
    insights: collection.insights.report(),
    files,
  };
}

/** Tells one key from another without giving it away. */
export function keyIdOf(key: string): string {
  return sha256(`countersign export key\0${key}`).slice(0, 12);
}

function instant(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

/** Neutral rows are canonical; everything else keeps the order in which a reader expects its fields. */
function textOf(row: object): string {
  return `${"sources" in row ? canonicalize(row) : JSON.stringify(row)}\n`;
}

/** Removes what an earlier export left in the folder, its manifest first: a crash in between must not leave it beside other rows. */
function clear(directory: string): void {
  let old: { files?: readonly { name: string }[] };
  try {
    old = JSON.parse(readFileSync(join(directory, MANIFEST_FILE), "utf8"));
  } catch {
    return;
  }
  rmSync(join(directory, MANIFEST_FILE), { force: true });
  for (const { name } of old.files ?? []) if (/^[\w][\w./-]*$/.test(name) && !name.includes("..")) rmSync(join(directory, name), { force: true });
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}
