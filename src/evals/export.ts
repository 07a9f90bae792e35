import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import { canonicalize, sha256 } from "../events/canonical.ts";
import { makeFolder } from "../make-folder.ts";
import { versionOf } from "../version.ts";
import { cardFiles, type Pictures } from "./card.ts";
import { type Collected, type Collection, type CollectOptions, collect } from "./collect.ts";
import { LABEL_MAP, labelsOf } from "./labels.ts";
import { type Cell, EXPORT_FORMAT, MANIFEST_FILE, type Manifest, REJECTED_FILE } from "./manifest.ts";
import { EXAMPLE_KINDS, type ReviewedExample } from "./reviewed-example.ts";
import { Sinks } from "./sinks.ts";
import { DEFAULT_SPLIT_SEED, SPLIT_SHARES } from "./split.ts";
import type { Bar } from "./svg.ts";
import { FunctionNames } from "./targets/function-names.ts";
import { TARGETS } from "./targets/table.ts";
import type { Made, Target } from "./targets/target.ts";

/** What to export, and how. */
export interface ExportOptions extends CollectOptions {
  /** Who asked for a raw export. */
  readonly rawBy?: { readonly id: string; readonly role: string };
}

/** The target of a name. @throws CountersignError usage */
export function targetOf(name: string): Target {
  const target = TARGETS.find((t) => t.name === name);
  if (target !== undefined) return target;
  throw new CountersignError("usage", `There is no target ${JSON.stringify(name)}`, {
    field: "--target",
    value: name,
    fix: `name one of ${TARGETS.map((t) => t.name).join(", ")}`,
  });
}

/**
 * Exports what people decided into a folder, in the form of a target: its files, the rejected rows, and a manifest. The manifest is written
 * last, so a folder with a manifest is complete. The same ranges of the same log with the same configuration give the same bytes.
 *
 * @throws as collect; usage for an unknown target; file_unreadable when the folder cannot be written
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
  makeFolder(directory);
  clear(directory);
  const sinks = new Sinks(directory, {
    columns: (file) => target.columns?.(file) ?? [],
    head: (file) => target.head?.(file) ?? "",
    text: target.text ?? textOf,
  });
  try {
    const tally = new Tally();
    const names = new FunctionNames();
    sinks.add(REJECTED_FILE);
    // Also without a row: a reader must not have to ask whether the file is there.
    if (!Array.isArray(target.takes) && !target.files.includes("<")) sinks.add(target.files);
    if (target.takes === "operations") addOperations(target, collection, sinks, tally);
    else for (const row of collection.rows()) addRows(target, row, names, sinks, tally);
    for (const { name, text } of target.extra?.({ files: sinks.names(), documents: collection.documents }) ?? []) sinks.whole(name, text);
    const manifest = manifestOf(target, collection, tally, names, options);
    for (const { name, text } of cardFiles(manifest, tally.pictures(), target.readmeHead?.(sinks.names()) ?? "")) sinks.whole(name, text);
    const complete: Manifest = { ...manifest, files: sinks.finish() };
    replace(join(directory, MANIFEST_FILE), `${JSON.stringify(complete, null, 2)}\n`);
    return complete;
  } catch (error) {
    sinks.abandon();
    throw error;
  }
}

function addRows(target: Target, { example, retry, equal }: Collected, names: FunctionNames, sinks: Sinks, tally: Tally): void {
  tally.example(example);
  const takes = Array.isArray(target.takes) ? (target.takes as readonly string[]) : null;
  const labels = labelsOf(example, retry).filter((label) => takes?.includes(label.class) ?? true);
  const refuse = (labelClass: string, reason: string) => sinks.add(REJECTED_FILE, tally.rejected(example, labelClass, reason));
  // Redaction has made the two sides equal: neither says anything about the difference that a person saw.
  const reason = example.duplicateOf !== null ? "duplicate" : equal ? "equal_after_redaction" : null;
  if (reason !== null && (takes !== null || target.needsLabels === true)) for (const label of labels) refuse(label.class, reason);
  const used = reason === null ? labels : [];
  const add = (made: Made, labelClass: string) => {
    if ("refused" in made) return refuse(made.class, made.refused);
    sinks.add(made.file, made.row);
    tally.row(made.class ?? labelClass, example);
  };
  if (takes === null) for (const made of target.rows({ example, labels: used, names })) add(made, example.decision.kind);
  // One label at a time, so that each row is counted under what it is.
  else for (const label of used) for (const made of target.rows({ example, labels: [label], names })) add(made, label.class);
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
  private readonly actions = new Map<string, number>();
  private readonly reviewers = new Map<string, number>();
  private readonly days = new Map<string, number>();

  example({ decision, presented, ask }: ReviewedExample): void {
    this.examples++;
    this.byDecision[decision.kind]++;
    for (const tool of new Set(presented.length === 0 ? [ask] : presented.map((a) => a.tool))) bump(this.actions, tool);
    bump(this.reviewers, decision.reviewer.id);
    bump(this.days, new Date(decision.decidedAt).toISOString().slice(0, 10));
  }

  pictures(): Pictures {
    const labels = new Map<string, number>();
    for (const { class: labelClass, rows } of this.counts()) labels.set(labelClass, (labels.get(labelClass) ?? 0) + rows);
    return { labels: most(labels), actions: most(this.actions), reviewers: most(this.reviewers), time: periods(this.days) };
  }

  row(labelClass: string, { split, quality }: { readonly split: string; readonly quality: { readonly tier: string } }): void {
    this.rows++;
    bump(this.cells, `${labelClass}\0${split}\0${quality.tier}`);
  }

  rejected(example: ReviewedExample, labelClass: string, reason: string): object {
    bump(this.refusals, `${labelClass}\0${reason}`);
    const { id, itemId, decision, split, sources, duplicateOf } = example;
    const { topic, partition, offset, eventId } = sources.find((s) => s.topic === "decisions") ?? {};
    return {
      id,
      itemId,
      decision: decision.kind,
      class: labelClass,
      reason,
      split,
      ...(duplicateOf !== null && { duplicateOf }),
      source: { topic, partition, offset, eventId },
    };
  }

  counts(): Cell[] {
    return sorted(this.cells).map(([[labelClass = "", split = "", tier = ""], rows]) => ({ class: labelClass, split, tier, rows }));
  }

  refused(): Manifest["rejected"] {
    return sorted(this.refusals).map(([[labelClass = "", reason = ""], rows]) => ({ class: labelClass, reason, rows }));
  }
}

/** The longest bars first. */
function most(counts: Map<string, number>): Bar[] {
  const bars = [...counts].map(([label, value]) => ({ label, value }));
  return bars.sort((a, b) => b.value - a.value || (a.label < b.label ? -1 : 1)).slice(0, 15);
}

/** By day; by month where there are too many days for one picture. */
function periods(days: Map<string, number>): Bar[] {
  const by = new Map<string, number>();
  for (const [day, n] of days) by.set(days.size > 31 ? day.slice(0, 7) : day, (by.get(days.size > 31 ? day.slice(0, 7) : day) ?? 0) + n);
  return [...by].sort(([a], [b]) => (a < b ? -1 : 1)).map(([label, value]) => ({ label, value }));
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted(counts: Map<string, number>): [string[], number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, n]) => [key.split("\0"), n]);
}

function manifestOf(target: Target, collection: Collection, tally: Tally, names: FunctionNames, options: ExportOptions): Omit<Manifest, "files"> {
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
