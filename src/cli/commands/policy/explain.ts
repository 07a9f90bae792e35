import { Command, InvalidArgumentError, Option } from "commander";
import { CountersignError } from "../../../errors.ts";
import type { VerdictReached } from "../../../events/types.generated.ts";
import type { Layer } from "../../../policy/explain.ts";
import { didYouMean } from "../../../policy/problems.ts";
import type { Described } from "../../../policy/testing/input.ts";
import { examples, instantMs, jsonArgument, listArgument, moreArgument, objectArgument, textArgument } from "../../args.ts";
import type { Cli } from "../../io.ts";
import { oneLine, pad, wrap } from "../../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../../where.ts";

interface Options extends WhereOptions {
  policy?: string[];
  action?: string;
  args?: string;
  target?: string;
  confidence?: number;
  source?: Described["confidence_source"];
  agent?: string;
  evidence?: string[];
  used?: string[];
  at?: number;
  case?: string;
}

/** Options that describe the proposal, as they are written. */
const DESCRIBING = {
  action: "--action",
  args: "--args",
  target: "--target",
  confidence: "--confidence",
  source: "--source",
  agent: "--agent",
  evidence: "--evidence",
  used: "--used",
  at: "--at",
} as const;

/** `countersign policy explain`: one judgement, layer by layer. */
export function explain(cli: Cli): Command {
  const command = new Command("explain")
    .summary("one judgement, layer by layer")
    .description(
      "Explains the verdicts on an item of the log, or what policy files would say of an action: each layer, what matched with the value, what would have been milder.",
    )
    .argument("[item]", "item id, or at least its first 6 digits")
    .option("--policy <file>", "judge with this document; may be repeated", moreArgument)
    .option("--action <name>", "with --policy: the tool")
    .option("--args <json>", "its arguments: JSON, @FILE or - for stdin (default: {})")
    .option("--target <json>", "the state of its target")
    .option("--confidence <c>", "from 0 to 1", share)
    .addOption(new Option("--source <source>", "where the confidence comes from").choices(["logprobs", "self_rating", "other"]))
    .option("--agent <id>", "who proposes")
    .option("--evidence <labels>", "labels of the evidence brought along", listArgument)
    .option("--used <budget=n>", "what a budget has used before; may be repeated", moreArgument)
    .option("--at <time>", "when it is judged (default: now)", time)
    .option("--case <case>", "in place of the above: all of it as a case of `policy test` says it, JSON or YAML, @FILE or -")
    .addHelpText(
      "after",
      examples(
        "policy explain 4f2a91c0",
        `policy explain --policy policies/starter.yaml --action issue_refund --args '{"amount": 750}' --confidence 0.82`,
        `policy explain --policy refunds.yaml --case '{"action": "issue_refund", "args": {"amount": 750}, "run": {"step": 41}}'`,
      ),
    );
  return where(command).action(async (item: string | undefined, options: Options) => {
    checkOptions(item, options);
    return item === undefined ? explainAction(cli, options) : explainItem(cli, item, options);
  });
}

/** What would be read by nobody is refused: a forgotten option must not look like an answer. */
function checkOptions(item: string | undefined, options: Options): void {
  const usage = (message: string, field: string, fix: string) => new CountersignError("usage", message, { field, fix });
  const given = (Object.keys(DESCRIBING) as (keyof typeof DESCRIBING)[]).find((name) => options[name] !== undefined);
  if ((item === undefined) === (options.policy === undefined))
    throw usage("Name either an item, or a policy with --policy", "item", "see countersign policy explain --help");
  const first = given === undefined ? undefined : DESCRIBING[given];
  if (item !== undefined && (first !== undefined || options.case !== undefined))
    throw usage(`${first ?? "--case"} describes a proposal, and the item has one already`, first ?? "--case", "leave it out, or judge with --policy");
  if (options.case !== undefined && first !== undefined) throw usage(`${first} and --case exclude each other`, first, "say it in the case");
  if (item === undefined && options.case === undefined && options.action === undefined)
    throw usage("--policy needs an --action to judge", "--action", "name the tool, such as --action issue_refund");
}

async function explainAction(cli: Cli, options: Options): Promise<void> {
  const [{ readPolicy }, { inputOf }, { judgeFully }, { explain: layersOf }, { unknownBudgets }] = await Promise.all([
    import("../../policy-files.ts"),
    import("../../../policy/testing/input.ts"),
    import("../../../policy/testing/run.ts"),
    import("../../../policy/explain.ts"),
    import("../../../policy/testing/file.ts"),
  ]);
  const policies = (options.policy ?? []).map(readPolicy);
  const contents = policies.map(({ document }) => document.content);
  const compiled = policies.map((policy) => policy.compiled);
  const described = await describedBy(cli, options);
  const [unknown] = unknownBudgets(described, contents);
  if (unknown !== undefined)
    throw new CountersignError("usage", unknown, {
      field: options.case === undefined ? "--used" : "--case",
      fix: "name one of the policy's budgets, or leave it out",
    });
  const input = inputOf({ ...described, at: described.at ?? cli.io.now() }, policies[0]?.document.workspace ?? "", compiled);
  const verdict = judgeFully(compiled, input);
  if (cli.json()) return cli.data(verdict);
  const tools = [...new Set(input.actions.map(({ tool }) => tool))];
  const entries = tools.map((tool) => compiled.flatMap((policy) => policy.find(tool)));
  const rules = contents.flatMap((content) => [...content.rules, ...content.floors, ...content.grants].map(({ id }) => id));
  const title = input.actions.map(({ tool, args }) => `${tool} ${args}`).join(", then ") || described.ask;
  const schema = entries.every((of) => of.some(({ check }) => check !== undefined));
  tell(cli, title, layersOf(verdict, { now: input.now, confidence: described.confidence ?? null, rules, schema }));
  const names = contents.flatMap(({ actions }) => Object.keys(actions));
  for (const [i, tool] of tools.entries()) if (entries[i]?.length === 0) cli.note(`Nobody describes ${oneLine(tool)}${didYouMean(tool, names)}`);
}

/** The proposal that the options describe. @throws CountersignError usage, policy_invalid, json_* */
async function describedBy({ io }: Cli, options: Options): Promise<Described> {
  if (options.case !== undefined) {
    const { parseDescribed } = await import("../../../policy/testing/file.ts");
    return parseDescribed(await textArgument(io, options.case, "--case"), "--case");
  }
  return {
    ask: "review",
    action: options.action,
    args: await objectArgument(io, options.args ?? "{}", "--args"),
    target: options.target === undefined ? undefined : await jsonArgument(io, options.target, "--target"),
    confidence: options.confidence,
    confidence_source: options.source,
    agent: options.agent === undefined ? undefined : { id: options.agent },
    evidence: options.evidence,
    budgets: usedOf(options.used ?? []),
    at: options.at,
  };
}

/** Every verdict on the item, the last one last. */
async function explainItem(cli: Cli, typed: string, options: Options): Promise<void> {
  const id = typed.trim().toLowerCase();
  if (!/^[0-9a-f]{6,32}$/.test(id))
    throw new CountersignError("usage", `${JSON.stringify(typed)} is no item id`, {
      field: "item",
      fix: "give the 32 hex digits of an item, or at least the first 6 of them",
    });
  const verdicts = await verdictsOf(cli, id, whereOf(cli.io, options).log);
  const items = [...new Set(verdicts.map(({ itemId }) => itemId))];
  if (items.length > 1)
    throw new CountersignError("usage", `${id} begins more than one item: ${items.slice(0, 3).join(", ")}`, { field: "item", fix: "give more digits" });
  if (items.length === 0)
    throw new CountersignError("not_found", `The log has no verdict on an item that begins with ${id}`, {
      field: "item",
      fix: "look for it with `countersign queue --all`; a new item may not be judged yet",
    });
  const { explain: layersOf } = await import("../../../policy/explain.ts");
  for (const verdict of verdicts) {
    if (cli.json()) cli.data(verdict);
    else
      tell(
        cli,
        `${verdict.itemId.slice(0, 8)}: ${verdict.card?.headline ?? "no card"} (answers the ${verdict.answers?.topic === "decisions" ? "edit" : "proposal"})`,
        layersOf(verdict, { now: verdict.occurredAt }),
      );
  }
}

async function verdictsOf(cli: Cli, id: string, url: string): Promise<VerdictReached[]> {
  const [{ loadCodec }, { learnFor }] = await Promise.all([import("../../../log/schemas.ts"), import("../../where.ts")]);
  const opened = await openExisting(url);
  try {
    const codec = await loadCodec(opened.registry);
    const found = new Map<string, VerdictReached>();
    for await (const batch of opened.log.read({}, { topics: ["verdicts"], until: "heads", signal: cli.io.signal })) {
      cli.progress("reading the verdicts");
      const own = batch.records.filter(({ key }) => key?.startsWith(id));
      await learnFor(own, opened, codec);
      for (const record of own) {
        const decoded = codec.decode("verdicts", record.value);
        const event = decoded.ok ? (decoded.event as VerdictReached) : undefined;
        if (event?.itemId === record.key && event !== undefined && !found.has(event.eventId)) found.set(event.eventId, event);
      }
    }
    cli.progress(null);
    return [...found.values()];
  } finally {
    await opened.registry.close();
    await opened.log.close();
  }
}

function tell(cli: Cli, title: string, layers: readonly Layer[]): void {
  const out = wrap(oneLine(title), cli.width).map((line) => cli.colors.bold(line));
  for (const { name, lines } of layers)
    for (const [i, line] of lines.entries()) {
      const indent = /^ */.exec(line)?.[0].length ?? 0;
      const parts = wrap(oneLine(line), cli.width - 13 - indent);
      for (const [j, part] of parts.entries())
        out.push(`${cli.colors.dim(pad(i === 0 && j === 0 ? name : "", 12))} ${" ".repeat(indent + (j > 0 ? 2 : 0))}${part}`.trimEnd());
    }
  cli.say(out.join("\n"));
}

function usedOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [, id, amount] = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
      if (id === undefined || amount === undefined)
        throw new CountersignError("usage", `--used ${text} is not BUDGET=NUMBER`, {
          field: "--used",
          value: text,
          fix: "write it as --used refunds-per-agent-day=4900",
        });
      return [id, amount];
    }),
  );
}

function share(text: string): number {
  const n = Number(text);
  if (text.trim() === "" || !(n >= 0 && n <= 1)) throw new InvalidArgumentError("It must be a number from 0 to 1.");
  return n;
}

function time(text: string): number {
  const at = instantMs(text);
  if (at === undefined) throw new InvalidArgumentError("It must be a time such as 2026-03-02T09:30:00Z.");
  return at;
}
