import { Command } from "commander";
import type { EventOf } from "../../../events/types.generated.ts";
import type { Backtest, Recorded } from "../../../policy/backtest.ts";
import { examples } from "../../args.ts";
import type { Cli } from "../../io.ts";
import { oneLine, plural } from "../../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../../where.ts";

interface Options extends WhereOptions {
  policy: string;
}

/** `countersign policy backtest`: what a policy would have meant for recorded proposals. */
export function backtest(cli: Cli): Command {
  const command = new Command("backtest")
    .summary("what a policy would have meant for recorded proposals")
    .description(
      "Judges every recorded proposal of the policy's workspace again and prints old route, new route and what people decided. Budgets start empty for each proposal.",
    )
    .requiredOption("--policy <file>", "the policy to try")
    .addHelpText("after", examples("policy backtest --policy refunds-new.yaml", "policy backtest --policy refunds-new.yaml --json"));
  return where(command).action(async (options: Options) => {
    const [{ readPolicy }, { backtest: run }] = await Promise.all([import("../../policy-files.ts"), import("../../../policy/backtest.ts")]);
    const { compiled } = readPolicy(options.policy);
    const recorded = (await recordedIn(cli, whereOf(cli.io, options).log)).filter(({ proposal }) => proposal.workspace === compiled.workspace);
    const result = run(compiled, recorded);
    if (cli.json()) cli.data(result);
    else tell(cli, result);
  });
}

/** Effective proposals with their first verdict and the decision that settled them. */
async function recordedIn(cli: Cli, url: string): Promise<Recorded[]> {
  const [{ loadCodec }, { openProjector }, { viewsOptions }] = await Promise.all([
    import("../../../log/schemas.ts"),
    import("../../../projector/projector.ts"),
    import("../../../runtime.ts"),
  ]);
  const opened = await openExisting(url);
  try {
    const codec = await loadCodec(opened.registry);
    const projector = await openProjector({ ...viewsOptions({ ...opened, codec }, ":memory:"), path: ":memory:" });
    try {
      const proposals = new Map<string, EventOf["proposals"]>();
      const verdicts = new Map<string, EventOf["verdicts"]>();
      const decisions = new Map<string, string>();
      projector.onFolded(({ effective }) => {
        for (const { topic, itemId, event } of effective) {
          if (topic === "proposals") proposals.set(itemId, event as EventOf["proposals"]);
          if (topic === "verdicts" && !verdicts.has(itemId)) verdicts.set(itemId, event as EventOf["verdicts"]);
          const decision = topic === "decisions" ? (event as EventOf["decisions"]) : undefined;
          const settles = decision !== undefined && ["approve", "edit", "reject", "respond"].includes(decision.kind);
          if (settles && !decisions.has(itemId)) decisions.set(itemId, decision.kind);
        }
      });
      await projector.catchUp(cli.io.signal, (n) => cli.progress(`folding the log in memory: ${n} records`));
      cli.progress(null);
      return [...verdicts].flatMap(([itemId, verdict]) => {
        const proposal = proposals.get(itemId);
        if (proposal === undefined) return [];
        return [{ proposal, route: verdict.route, owner: verdict.owner, at: verdict.occurredAt, decision: decisions.get(itemId) ?? "none" }];
      });
    } finally {
      projector.close();
    }
  } finally {
    await opened.registry.close();
    await opened.log.close();
  }
}

function tell(cli: Cli, { proposals, cells, letThrough, reviews, budgetHits }: Backtest): void {
  cli.say(`${plural(proposals, "proposal")} judged again`);
  for (const { before, after, decision, count } of cells) cli.say(`  ${before} → ${after}, decision ${decision}: ${count}`);
  cli.say(`would have let ${letThrough.length} through that a person edited or rejected`);
  for (const { itemId, decision, tool } of letThrough) cli.say(`  ${itemId} ${oneLine(tool)}: ${decision}`);
  for (const { owner, day, before, after } of reviews) cli.say(`  ${day} ${oneLine(owner)}: ${before} → ${after} reviews`);
  for (const [budget, count] of Object.entries(budgetHits)) cli.say(`  budget ${budget}: ${count}`);
}
