import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import { sha256 } from "../events/canonical.ts";
import { identityOf } from "../log/identity.ts";
import { makeFolder } from "../make-folder.ts";
import { versionOf } from "../version.ts";
import { cardFiles } from "./card.ts";
import { type Collection, type CollectOptions, collect } from "./collect.ts";
import { lockFolder } from "./folder-lock.ts";
import { LABEL_MAP } from "./labels.ts";
import { EXPORT_FORMAT, MANIFEST_FILE, type Manifest, REJECTED_FILE } from "./manifest.ts";
import { nothingHidden, redactor } from "./redact/redactor.ts";
import { redactedReport } from "./redact-report.ts";
import { Sinks } from "./sinks.ts";
import { DEFAULT_SPLIT_SEED, SPLIT_SHARES } from "./split.ts";
import { targetOf } from "./targets/table.ts";
import type { Target } from "./targets/target.ts";

/** What to export, and how. */
export interface ExportOptions extends CollectOptions {
  /** Who asked for a raw export. */
  readonly rawBy?: { readonly id: string; readonly role: string };
}

/**
 * Exports what people decided into a folder, in the form of a target: its files, the rejected rows, and a manifest. The manifest is written
 * last, so a folder with a manifest is complete. The folder is locked meanwhile. The same ranges of the same log with the same configuration give the same bytes.
 *
 * @throws as collect; conflict while another export writes to the folder; usage for an unknown target; file_unreadable when the folder cannot be written
 */
export async function exportDataset(directory: string, targetName: string, options: ExportOptions): Promise<Manifest> {
  const target = targetOf(targetName);
  const transcripts = options.transcripts ?? true;
  const release = lockFolder(directory);
  try {
    return await exportInto(directory, target, { ...options, transcripts });
  } finally {
    release();
  }
}

async function exportInto(directory: string, target: Target, options: ExportOptions): Promise<Manifest> {
  const collection = await collect(target.name, options);
  try {
    return written(directory, target, collection, options);
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw new CountersignError("file_unreadable", `Cannot write the export to ${directory}: ${messageOf(cause)}`, {
      cause,
      fix: "name a folder that can be written with --out",
    });
  } finally {
    await collection.close();
  }
}

function written(directory: string, target: Target, collection: Collection, options: ExportOptions): Manifest {
  makeFolder(directory);
  clear(directory);
  const sinks = new Sinks(directory, {
    columns: (file) => target.columns?.(file) ?? [],
    head: (file) => (file === REJECTED_FILE ? "" : (target.head?.(file) ?? "")),
    text: (row) => `${JSON.stringify(row)}\n`,
  });
  try {
    sinks.add(REJECTED_FILE);
    // Also without a row: a reader must not have to ask whether the file is there.
    if (!Array.isArray(target.takes) && !target.files.includes("<")) sinks.add(target.files);
    for (const part of collection.parts) sinks.part(part);
    for (const { name, text } of target.extra?.({ files: sinks.names(), documents: collection.documents }) ?? []) sinks.whole(name, text);
    const manifest = manifestOf(target, collection, options);
    for (const { name, text } of cardFiles(manifest, collection.tally.pictures(), target.readmeHead?.(sinks.names()) ?? "")) sinks.whole(name, text);
    const complete: Manifest = { ...manifest, files: sinks.finish() };
    replace(join(directory, MANIFEST_FILE), `${JSON.stringify(complete, null, 2)}\n`);
    return complete;
  } catch (error) {
    sinks.abandon();
    throw error;
  }
}

function manifestOf(target: Target, collection: Collection, options: ExportOptions): Omit<Manifest, "files"> {
  const { log, profile = "strict" } = options;
  const { tally } = collection;
  return {
    format: EXPORT_FORMAT,
    kind: "countersign.dataset",
    target: target.name,
    exporter: `countersign ${versionOf()}`,
    log: { id: identityOf(log), partitions: log.partitions },
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
    functionNames: collection.functionNames,
    insights: redactedReport(collection.insights.report(), redactor(profile, options.key, nothingHidden())("")),
  };
}

/** Tells one key from another without giving it away. */
export function keyIdOf(key: string): string {
  return sha256(`countersign export key\0${key}`).slice(0, 12);
}

function instant(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
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
