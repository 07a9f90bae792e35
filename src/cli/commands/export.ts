import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Manifest } from "../../evals/export.ts";
import type { Checkpoint } from "../../log/log.ts";
import { examples, fileText } from "../args.ts";
import type { Cli } from "../io.ts";
import { plural } from "../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  out: string;
  workspace?: string;
  transcripts?: boolean;
  since?: string;
}

/** `countersign export`: reviewed examples. */
export function exportCommand(cli: Cli): Command {
  const command = new Command("export")
    .summary("reviewed examples as JSONL with a manifest")
    .description(
      "Reads the topics and writes one example for each effective decision of a person: proposed and final arguments, decision, reason, policy, positions. The same range gives the same bytes.",
    )
    .requiredOption("--out <dir>", "folder to write to")
    .option("--workspace <name>", "only this workspace")
    .option("--transcripts", "put messages and tools into the rows, not only their hash")
    .option("--since <manifest>", "go on where an earlier export ended: its manifest.json")
    .addHelpText("after", examples("export --out ./examples", "export --out ./more --since ./examples/manifest.json"));
  return where(command).action(async (options: Options) => {
    const { log: url } = whereOf(cli.io, options);
    const [{ exportExamples }, { loadCodec }] = await Promise.all([import("../../evals/export.ts"), import("../../log/schemas.ts")]);
    const from = options.since === undefined ? undefined : await endOfEarlier(options.since);
    const { log, registry } = await openExisting(url);
    try {
      const codec = await loadCodec(registry);
      cli.progress("reading the topics");
      const manifest = await exportExamples(options.out, {
        log,
        codec,
        schemaText: (id) => registry.textOf(id),
        signal: cli.io.signal,
        ...(from && { from }),
        ...(options.workspace !== undefined && { workspace: options.workspace }),
        ...(options.transcripts === true && { transcripts: true }),
      });
      cli.progress(null);
      if (cli.json()) return cli.data({ out: options.out, ...manifest });
      tell(cli, options.out, manifest);
    } finally {
      await registry.close();
      await log.close();
    }
  });
}

async function endOfEarlier(path: string): Promise<Checkpoint> {
  const { endOf } = await import("../../evals/export.ts");
  try {
    return endOf(JSON.parse(fileText(path, "--since")) as Manifest);
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw new CountersignError("file_invalid", `${path} is no manifest of an export`, {
      cause,
      field: "--since",
      fix: "name the manifest.json of an earlier export",
    });
  }
}

function tell(cli: Cli, out: string, manifest: Manifest): void {
  const kinds = Object.entries(manifest.byDecision).map(([kind, n]) => `${kind} ${n}`);
  cli.say(`${plural(manifest.rows, "example")} of ${plural(manifest.items, "item")} in ${out}: ${kinds.join(", ")}`);
  const { undecodable, unknownSchema, misplaced } = manifest.skipped;
  if (undecodable + unknownSchema + misplaced > 0)
    cli.say(`  left out: ${undecodable} undecodable, ${unknownSchema} of an unknown schema, ${misplaced} under a wrong key`);
  if (manifest.parked > 0) cli.say(`  ${plural(manifest.parked, "decision")} without a cause in the range`);
  for (const file of manifest.files) cli.say(`  ${file.name}  ${plural(file.rows, "row")}, ${file.bytes} bytes, sha256 ${file.sha256}`);
}
