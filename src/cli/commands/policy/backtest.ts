import { existsSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Command } from "commander";
import { CountersignError, messageOf } from "../../../errors.ts";
import type { Recorded } from "../../../policy/backtest.ts";
import type { CompiledPolicy } from "../../../policy/compiled.ts";
import { examples, intArgument, moreArgument } from "../../args.ts";
import type { ImportOptions } from "../../backtest/imported.ts";
import type { Cli } from "../../io.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../../where.ts";

interface Options extends WhereOptions, Partial<ImportOptions> {
  policy: string;
  from?: string;
  to?: string;
  before?: string[];
  html?: string;
  url?: string;
}

/** `countersign policy backtest`: what a policy would have meant for recorded proposals. */
export function backtest(cli: Cli): Command {
  const command = new Command("backtest")
    .summary("what a policy would have meant for recorded proposals")
    .description(
      "Judges recorded proposals again, in order of time, with this document in the place of the one of the same name: old way, new way and what people decided, what would have run unseen, reviews by owner and day, budgets that take hold. Budgets count what would have been used. Writes nothing to the log.",
    )
    .requiredOption("--policy <file>", "the policy to try")
    .option("--from <where>", "where it begins: beginning, an instant, a manifest.json, or proposals:PARTITION:OFFSET,…")
    .option("--to <where>", "where it ends, exclusive: the same forms, or now")
    .option("--import <file>", "recorded runs instead of a log, as `import` reads them")
    .option("--tools <file>", "with --import: the tools that the agent was offered (OpenAI function format)")
    .option("--agent <id>", "with --import: who proposes (default: what the file says, else imported)")
    .option("--before <file>", "with --import: judge with this document for the old way; may be repeated", moreArgument)
    .option("--runs-per-day <n>", "with --import: spread the runs over days (default: all at one moment)", intArgument(1, 86_400_000))
    .option("--html <file>", "also write a page with pictures, in one file")
    .option("--url <address>", "with --html: where the links to items go (default: COUNTERSIGN_URL, else http://127.0.0.1:4680)")
    .addHelpText(
      "after",
      examples(
        "policy backtest --policy refunds-new.yaml --from 2026-10-01 --html refunds.html",
        "policy backtest --policy policies/refunds.yaml --import runs.jsonl --tools tools.json --runs-per-day 2000",
        "policy backtest --policy refunds-new.yaml --json",
      ),
    );
  return where(command).action((options: Options) => run(cli, options));
}

async function run(cli: Cli, options: Options): Promise<void> {
  checkOptions(options);
  const url = linkBase(options.url ?? cli.io.env.COUNTERSIGN_URL ?? "http://127.0.0.1:4680");
  const [{ readPolicy }, { backtest: judgeAll }, { backtestLines }] = await Promise.all([
    import("../../policy-files.ts"),
    import("../../../policy/backtest.ts"),
    import("../../backtest/text.ts"),
  ]);
  const { compiled } = readPolicy(options.policy);
  const before = (options.before ?? []).map((file) => readPolicy(file).compiled);
  const recorded =
    options.import === undefined ? await fromLog(cli, options, compiled) : await fromFile(cli, { ...options, import: options.import }, compiled, before);
  const result = judgeAll(compiled, recorded, (n) => cli.progress(`judging proposal ${n} of ${recorded.length}`));
  cli.progress(null);
  if (options.html !== undefined) {
    const { backtestPage } = await import("../../backtest/page.ts");
    const counted = recorded.filter(({ counts }) => counts).map(({ at }) => at);
    const span = counted.length === 0 ? null : ([counted.reduce((a, b) => Math.min(a, b)), counted.reduce((a, b) => Math.max(a, b))] as const);
    write(options.html, backtestPage(result, { policy: compiled.ref, workspace: compiled.workspace, span, url, linked: options.import === undefined }));
  }
  if (cli.json()) return cli.data(options.html === undefined ? result : { ...result, html: options.html });
  cli.say(backtestLines(result, cli.width).join("\n"));
  if (options.html !== undefined) cli.say(`\nThe page is in ${options.html}`);
}

function checkOptions(options: Options): void {
  const usage = (message: string, field: string, fix: string) => new CountersignError("usage", message, { field, fix });
  if (options.import !== undefined) {
    const flag = (["from", "to", "log", "data"] as const).find((name) => options[name] !== undefined);
    if (flag !== undefined) throw usage(`--import and --${flag} exclude each other: recorded runs lie in no log`, `--${flag}`, "leave one of them out");
    return;
  }
  const flag = (["tools", "agent", "before", "runsPerDay"] as const).find((name) => options[name] !== undefined);
  const written = flag === "runsPerDay" ? "--runs-per-day" : `--${flag}`;
  if (flag !== undefined)
    throw usage(`${written} is only for --import: a log says it itself`, written, "name the recorded runs with --import, or leave it out");
}

/** @throws CountersignError usage where a link would be none, or would run something */
function linkBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text.replace(/\/+$/, "");
  throw new CountersignError("usage", `--url ${text} is no web address`, {
    field: "--url",
    value: text,
    fix: "give one such as https://countersign.example.com",
  });
}

async function fromLog(cli: Cli, options: Options, policy: CompiledPolicy): Promise<readonly Recorded[]> {
  const opened = await openExisting(whereOf(cli.io, options).log);
  try {
    const { recordedIn } = await import("../../backtest/recorded.ts");
    const { recorded, notes } = await recordedIn(cli, opened, policy, options);
    for (const note of notes) cli.note(note);
    return recorded;
  } finally {
    await opened.registry.close();
    await opened.log.close();
  }
}

async function fromFile(cli: Cli, options: ImportOptions, policy: CompiledPolicy, before: readonly CompiledPolicy[]): Promise<readonly Recorded[]> {
  const { importedIn } = await import("../../backtest/imported.ts");
  return importedIn(options, policy.workspace, before, cli.io.now(), (text) => cli.note(text));
}

/** @throws CountersignError usage where the file cannot be written */
function write(file: string, text: string): void {
  try {
    if (!existsSync(dirname(file)) || (existsSync(file) && statSync(file).isDirectory())) throw new Error("there is no such folder, or it is one itself");
    writeFileSync(file, text);
  } catch (cause) {
    throw new CountersignError("usage", `--html ${file} cannot be written: ${messageOf(cause)}`, {
      cause,
      field: "--html",
      value: file,
      fix: "name a file in a folder that is there",
    });
  }
}
