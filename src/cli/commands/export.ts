import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Manifest } from "../../evals/manifest.ts";
import type { Checkpoint } from "../../log/log.ts";
import { examples, instantMs, intArgument } from "../args.ts";
import { exportKey } from "../export-key.ts";
import type { Cli } from "../io.ts";
import { boundOf, checkOrder, earlierExport } from "../range.ts";
import { rawExporter } from "../raw-export.ts";
import { checkSameConfiguration, nextPart } from "../since-last.ts";
import { plural } from "../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  target: string;
  out: string;
  from?: string;
  to?: string;
  sinceLast?: boolean;
  workspace?: string;
  transcripts: boolean;
  profile: string;
  keyFile?: string;
  splitSeed?: string;
  holdoutFrom?: string;
  threads?: number;
}

/** `countersign export`: what people decided, as datasets. */
export function exportCommand(cli: Cli): Command {
  const command = new Command("export")
    .summary("what people decided, as datasets with a manifest")
    .description(
      "Reads the topics and writes what people decided in the form of a target, with a manifest and what was left out. The same ranges with the same configuration give the same bytes.",
    )
    .option("--target <name>", "form of the dataset; see list-targets", "jsonl")
    .option("--out <dir>", "folder to write to")
    .option("--from <where>", "where the decisions begin: an instant, a manifest.json (its end), or TOPIC:PARTITION:OFFSET,…")
    .option("--to <where>", "where reading ends, exclusive: the same forms")
    .option("--since-last", "go on where the last export in --out ended, in a folder of its own: part-0001, part-0002, …")
    .option("--workspace <name>", "only this workspace")
    .option("--no-transcripts", "leave messages and tools out")
    .option("--profile <name>", "strict hides what policies classify and what detectors find; raw needs the role raw-export", "strict")
    .option("--key-file <file>", "key of the pseudonyms (default: COUNTERSIGN_EXPORT_KEY, else export.key in the data folder)")
    .option("--split-seed <text>", "seed of the splits (default: countersign)")
    .option("--threads <n>", "threads that make the rows; they change no byte (default: one for each processor where there is much to do)", intArgument(1, 64))
    .option("--holdout-from <instant>", "runs that began at or after this are the split holdout")
    .addHelpText(
      "after",
      examples(
        "export --target trl-preference --out ./pairs",
        "export --target parquet --from 2026-01-01 --to 2026-04-01 --out ./q1",
        "export --target openai-sft --since-last --out ./weekly",
        "export list-targets",
      ),
    );
  command.addCommand(listTargets(cli));
  return where(command).action((options: Options) => run(cli, options));
}

function listTargets(cli: Cli): Command {
  return new Command("list-targets")
    .summary("the targets of an export")
    .description("Lists the targets: who reads them, which files they are, and what they take.")
    .addHelpText("after", examples("export list-targets", "export list-targets --json"))
    .action(async () => {
      const { TARGETS } = await import("../../evals/targets/table.ts");
      for (const { name, summary, files, takes, needsContext } of TARGETS)
        if (cli.json()) cli.data({ name, summary, files, takes, needsTranscript: needsContext });
        else cli.say(`${name.padEnd(16)} ${summary}\n${" ".repeat(17)}${files}`);
    });
}

async function run(cli: Cli, options: Options): Promise<void> {
  if (options.out === undefined) throw new CountersignError("usage", "Nothing says where to write", { field: "--out", fix: "name a folder with --out" });
  if (options.sinceLast === true && options.from !== undefined)
    throw new CountersignError("usage", "--since-last and --from exclude each other", { field: "--from", fix: "leave one of them out" });
  const [{ exportDataset, keyIdOf }, { targetOf }] = await Promise.all([import("../../evals/export.ts"), import("../../evals/targets/table.ts")]);
  const { lockFolder } = await import("../../evals/folder-lock.ts");
  targetOf(options.target);
  const { log: url, data } = whereOf(cli.io, options);
  const keyFolder = options.data === undefined && url.startsWith("sqlite:") ? url.slice("sqlite:".length) : data;
  const holdoutFrom = instantOf(options.holdoutFrom, "--holdout-from");
  const { log, registry } = await openExisting(url);
  let release = () => {};
  try {
    // Before the part is chosen: two at once would choose the same one, and take the same decisions.
    if (options.sinceLast === true) release = lockFolder(options.out);
    const { loadCodec } = await import("../../log/schemas.ts");
    const codec = await loadCodec(registry);
    if (options.sinceLast !== true) checkFolder(options.out);
    const place: ReturnType<typeof nextPart> = options.sinceLast === true ? nextPart(options.out) : { out: options.out };
    const asked = { profile: options.profile, data: keyFolder, log: log.url, target: options.target, out: resolve(place.out) };
    const rawBy = await rawExporter(cli.io, asked);
    const workspace = workspaceOf(options.workspace, rawBy);
    const earlier = place.from === undefined ? null : await earlierExport(place.from, "--since-last", log);
    const from = earlier === null ? await boundOf(options.from, "--from", log) : { offsets: earlier.end };
    const to = await boundOf(options.to, "--to", log);
    checkOrder(from, to);
    const key = exportKey(cli.io, { keyFile: options.keyFile, data: keyFolder });
    if (earlier !== null) await checkSameConfiguration(earlier, { ...options, workspace, holdoutFrom, keyId: keyIdOf(key) });
    log.onTrouble = (sentence) => sentence !== null && cli.note(sentence);
    const manifest = await exportDataset(place.out, options.target, {
      log,
      codec,
      schemaText: (id) => registry.textOf(id),
      signal: cli.io.signal,
      key,
      transcripts: options.transcripts,
      profile: options.profile === "raw" ? "raw" : "strict",
      onProgress: (read, all) => cli.progress(`reading the topics: ${read} of ${all} events`),
      onRows: (made, all) => cli.progress(`making the rows: ${made} of ${all} partitions`),
      ...boundsOf(from.offsets, to.offsets),
      ...(from.instant !== undefined && { after: from.instant }),
      ...(to.instant !== undefined && { before: to.instant }),
      ...(workspace !== undefined && { workspace }),
      ...(options.splitSeed !== undefined && { splitSeed: options.splitSeed }),
      ...(holdoutFrom !== undefined && { holdoutFrom }),
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(rawBy !== null && { rawBy: { id: rawBy.id, role: rawBy.role } }),
    });
    cli.progress(null);
    if (cli.json()) return cli.data({ out: place.out, ...manifest });
    tell(cli, place.out, manifest);
  } finally {
    cli.progress(null);
    release();
    await registry.close();
    await log.close();
  }
}

function boundsOf(from: Checkpoint | undefined, to: Checkpoint | undefined): { from?: Checkpoint; to?: Checkpoint } {
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

/** An export replaces an earlier one in its folder, and nothing else. @throws CountersignError usage */
function checkFolder(out: string): void {
  if (!existsSync(out) || !statSync(out).isDirectory() || existsSync(join(out, "manifest.json"))) return;
  const foreign = readdirSync(out).find((name) => !/^part-\d{4,}$/.test(name) && !name.startsWith("."));
  if (foreign === undefined) return;
  throw new CountersignError("usage", `${out} holds ${foreign}, which no finished export has written`, {
    field: "--out",
    value: out,
    fix: "name a new or an empty folder, or remove what is in this one",
  });
}

/** A role is held in one workspace: nothing of another one leaves raw. @throws CountersignError forbidden */
function workspaceOf(asked: string | undefined, rawBy: { readonly id: string; readonly workspace: string } | null): string | undefined {
  if (rawBy === null || asked === rawBy.workspace) return asked;
  if (asked === undefined) return rawBy.workspace;
  throw new CountersignError("forbidden", `${rawBy.id} may export the workspace ${rawBy.workspace} raw, not ${asked}`, {
    field: "--workspace",
    value: asked,
    fix: `leave --workspace out, or ask somebody who has the role in ${asked}`,
  });
}

function instantOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = instantMs(text);
  if (ms === undefined)
    throw new CountersignError("usage", `${flag} ${text} is no instant`, { field: flag, value: text, fix: "give one such as 2026-01-01T00:00:00Z" });
  return ms;
}

function tell(cli: Cli, out: string, manifest: Manifest): void {
  const kinds = Object.entries(manifest.byDecision).map(([kind, n]) => `${kind} ${n}`);
  cli.say(`${plural(manifest.rows, "row")} for ${manifest.target} in ${out}`);
  cli.say(`  from ${plural(manifest.examples, "decision")} on ${plural(manifest.items, "item")}: ${kinds.join(", ")}`);
  for (const { class: labelClass, reason, rows } of manifest.rejected)
    cli.say(`  left out: ${plural(rows, "row")} of ${labelClass}: ${reason.replaceAll("_", " ")}`);
  const { undecodable, unknownSchema, misplaced } = manifest.skipped;
  if (undecodable + unknownSchema + misplaced > 0)
    cli.say(`  skipped records: ${undecodable} undecodable, ${unknownSchema} of an unknown schema, ${misplaced} under a wrong key`);
  if (manifest.parked > 0) cli.say(`  ${plural(manifest.parked, "decision")} without a cause in the range`);
  if (manifest.redaction.unreadablePolicies.length > 0) cli.note(`Fields of these policies are not known: ${manifest.redaction.unreadablePolicies.join(", ")}`);
  if (manifest.redaction.profile === "raw") cli.note(`Raw: nothing is hidden. Recorded for ${manifest.redaction.by?.id} in the manifest.`);
  for (const file of manifest.files) cli.say(`  ${file.name}  ${rowsText(file)}${file.bytes} bytes, sha256 ${file.sha256}`);
}

/** Cards and pictures have no rows that anybody would count. */
function rowsText({ name, rows }: Manifest["files"][number]): string {
  return rows === 0 && !/\.(jsonl|parquet)$/.test(name) ? "" : `${plural(rows, "row")}, `;
}
