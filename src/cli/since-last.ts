import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CountersignError } from "../errors.ts";
import { type EarlierExport, noManifest } from "./range.ts";

/** Where the next part goes, and the manifest that it goes on from: of the last part, or of a whole export in the folder. */
export function nextPart(out: string): { readonly out: string; readonly from?: string } {
  const parts = existsSync(out) ? readdirSync(out).filter((name) => /^part-\d{4,}$/.test(name) && existsSync(join(out, name, "manifest.json"))) : [];
  const last = parts.map((name) => Number(name.slice(5))).sort((a, b) => b - a)[0];
  const next = join(out, partName((last ?? 0) + 1));
  const from = last === undefined ? join(out, "manifest.json") : join(out, partName(last), "manifest.json");
  return existsSync(from) ? { out: next, from } : { out: next };
}

function partName(n: number): string {
  return `part-${String(n).padStart(4, "0")}`;
}

/** How an export is to be made. */
export interface Asked {
  readonly target: string;
  readonly workspace: string | undefined;
  readonly transcripts: boolean;
  readonly profile: string;
  readonly keyId: string;
  readonly splitSeed?: string;
  /** Milliseconds since the epoch. */
  readonly holdoutFrom: number | undefined;
}

/**
 * Refuses to go on from an export that was made in another way: with another workspace or target, what lies before the next part would be in
 * none, with another seed one run would be in two splits.
 *
 * @throws CountersignError usage, file_invalid
 */
export async function checkSameConfiguration({ path, manifest }: EarlierExport, asked: Asked): Promise<void> {
  const [{ EXPORT_FORMAT }, { DEFAULT_SPLIT_SEED }] = await Promise.all([import("../evals/manifest.ts"), import("../evals/split.ts")]);
  const { filters, redaction, split } = manifest;
  if (filters === undefined || redaction === undefined || split === undefined) throw noManifest(path, "--since-last", undefined);
  const { target, workspace = null, transcripts, profile, keyId, splitSeed = DEFAULT_SPLIT_SEED } = asked;
  const holdoutFrom = asked.holdoutFrom === undefined ? null : new Date(asked.holdoutFrom).toISOString();
  const compared = [
    ["--since-last", "form of the export", manifest.format, EXPORT_FORMAT],
    ["--target", "target", manifest.target, target],
    ["--workspace", "workspace", filters.workspace, workspace],
    ["--no-transcripts", "choice of transcripts", manifest.transcripts, transcripts],
    ["--profile", "profile", redaction.profile, profile],
    ["--key-file", "key of the pseudonyms", redaction.keyId, keyId],
    ["--split-seed", "seed of the splits", split.seed, splitSeed],
    ["--holdout-from", "beginning of the holdout", split.holdoutFrom, holdoutFrom],
  ] as const;
  for (const [field, what, before, now] of compared) {
    if (before === now) continue;
    throw new CountersignError("usage", `${path} was made with another ${what}: ${before ?? "none"}, not ${now ?? "none"}`, {
      field,
      value: now,
      fix: "the parts of a folder are made in one way: ask for the same again, or name another folder with --out, whose first part begins at the beginning",
    });
  }
}
