import { basename } from "node:path";
import { Command } from "commander";
import type { Tools } from "../../producers/tools.ts";
import type { BadCall, ProposedCall } from "../../producers/transcript-calls.ts";
import type { Run } from "../../producers/transcripts.ts";
import { examples, fileText, intArgument, moreArgument } from "../args.ts";
import type { Cli } from "../io.ts";
import { oneLine, plural } from "../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  tools?: string;
  agent?: string;
  workspace?: string;
  policy?: string[];
  dryRun?: boolean;
  runsPerDay?: number;
}

/** Bad calls told one by one; the rest is counted. */
const MOST_BAD = 10;

/** `countersign import`: recorded runs become proposals. */
export function importCommand(cli: Cli): Command {
  const command = new Command("import")
    .summary("recorded agent runs become proposals; --dry-run only judges them")
    .description(
      "Reads transcripts in OpenAI chat format (JSON Lines), or a tau-bench trajectory file, and proposes every tool call in them. A second import of the same runs adds nothing.",
    )
    .argument("<file>", "the transcripts")
    .option("--tools <file>", "the tools that the agent was offered (OpenAI function format)")
    .option("--agent <id>", "who proposes (default: what the file says, else imported)")
    .option("--workspace <name>", "workspace of the proposals (default: default; with --policy, theirs)")
    .option("--dry-run", "write nothing: say what a team would have had to review")
    .option("--policy <file>", "with --dry-run: judge with this document instead of those in force; may be repeated", moreArgument)
    .option("--runs-per-day <n>", "with --dry-run: also per day, at so many runs", intArgument(1, 1_000_000_000))
    .addHelpText(
      "after",
      examples(
        "import runs.jsonl --tools tools.json --agent support-agent",
        "import runs.jsonl --tools tools.json --dry-run --policy policies/refunds.yaml --runs-per-day 2000",
      ),
    );
  return where(command).action(async (file: string, options: Options) => {
    const [{ readTranscripts }, { readTools }, { callsOf, proposalsOf }] = await Promise.all([
      import("../../producers/transcripts.ts"),
      import("../../producers/tools.ts"),
      import("../../producers/transcript-calls.ts"),
    ]);
    const runs = readTranscripts(fileText(file, "the file"), { file: basename(file) });
    const tools = options.tools === undefined ? undefined : readTools(fileText(options.tools, "--tools"), basename(options.tools));
    tellBad(
      cli,
      runs.flatMap((run) => callsOf(run).bad),
    );
    const common = { ...(options.agent !== undefined && { agentId: options.agent }), ...(tools && { tools }) };
    if (options.dryRun === true) await dryRun(cli, options, runs, (workspace) => runs.flatMap((run) => proposalsOf(run, { ...common, workspace })));
    else await write(cli, options, runs, { ...common, workspace: options.workspace ?? "default" });
  });
}

function tellBad(cli: Cli, bad: readonly BadCall[]): void {
  for (const call of bad.slice(0, MOST_BAD))
    cli.note(oneLine(`${call.runId}, message ${call.messageIndex}, call ${call.callIndex} (${call.tool}) is left out: ${call.reason}`));
  if (bad.length > MOST_BAD) cli.note(`and ${plural(bad.length - MOST_BAD, "more call")} left out`);
}

async function dryRun(cli: Cli, options: Options, runs: readonly Run[], proposals: (workspace: string) => ProposedCall[]): Promise<void> {
  const [{ judgeCalls, policiesFor }, { summarize, renderReviewLoad }] = await Promise.all([
    import("../import-dry-run.ts"),
    import("../../producers/review-load.ts"),
  ]);
  const { policies, workspace } = await policiesFor(cli, options);
  const judged = await judgeCalls(policies, proposals(workspace), cli.io.now());
  const load = summarize(judged, { runs: runs.length, ...(options.runsPerDay !== undefined && { runsPerDay: options.runsPerDay }) });
  if (cli.json()) cli.data({ dryRun: true, workspace, ...load });
  else cli.say(renderReviewLoad(load).trimEnd());
}

async function write(cli: Cli, options: Options, runs: readonly Run[], how: { workspace: string; agentId?: string; tools?: Tools }): Promise<void> {
  const opened = await openExisting(whereOf(cli.io, options).log);
  try {
    const [{ importRuns }, { importTarget }] = await Promise.all([import("../../producers/import-runs.ts"), import("../import-target.ts")]);
    const target = await importTarget(cli, opened);
    const { calls, proposed, known, bad } = await importRuns(runs, how, target, (n) => cli.progress(`imported ${n} calls`));
    cli.progress(null);
    if (cli.json()) return cli.data({ dryRun: false, workspace: how.workspace, runs: runs.length, calls, proposed, known, bad: bad.length });
    cli.say(`${plural(runs.length, "run")}, ${plural(calls, "call")}: ${plural(proposed, "new item")}, ${known} already there`);
    if (proposed > 0) cli.say("A running `up` judges them at once.");
  } finally {
    await opened.registry.close();
    await opened.log.close();
  }
}
