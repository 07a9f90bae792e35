import { createInterface } from "node:readline/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { DecisionAnswer, ItemView } from "../../producers/wire/answers.ts";
import { durationArgument, examples, intArgument, listArgument, moreArgument, refArgument } from "../args.ts";
import { type DecideOptions, decisionOf, type Plan } from "../decision.ts";
import { EXIT } from "../exit.ts";
import { fetchItem } from "../find-item.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { stageText } from "../render/item.ts";
import { block, oneLine, sentences, shortId, wrap } from "../text.ts";

/** `countersign decide`: a reviewer decides. */
export function decide(cli: Cli): Command {
  return new Command("decide")
    .summary("approve, edit, reject, respond … (reviewer key)")
    .description(
      "Decides on an item. What is decided on is shown first; its card's hash goes with the decision, so that a card which has changed since is refused.",
    )
    .argument("<id>", "item id, or at least its first 6 digits")
    .option("--approve", "let exactly these arguments run")
    .option("--edit <json>", `approve with changes by path: '{"/amount": 50}'`)
    .option("--edit-args <json>", "approve with these arguments instead: JSON, @FILE, or -")
    .option("--reject", "nothing runs; see --reason and --message")
    .option("--respond <text>", "answer the agent's question")
    .option("--acknowledge", "close a notice")
    .option("--drop <ids>", "take steps out of the plan; separated by commas", listArgument)
    .option("--order <ids>", "the steps that stay, in their new order; separated by commas", listArgument)
    .addOption(
      new Option("--standing <reach>", "with --approve: this and alike may run, in this run or for this agent (bounded by --max, --up-to and --for)").choices([
        "run",
        "agent",
      ]),
    )
    .option("--max <n>", "with --standing: how many more actions at most (each step of a plan counts)", intArgument(1, 1000))
    .option("--up-to <amount>", "with --standing: up to which amount in all")
    .option("--for <duration>", "with --standing: for how long, such as PT1H (default: a day)", durationArgument)
    .option("--branch", "with --reject: withdraw what else is pending in the run as well, and take back its grants that nobody has started")
    .option("--step <ids>", "with --reject: the steps of the plan that are the reason", listArgument)
    .option("--take-over", "decide although somebody else has claimed it (takes the role takeover)")
    .option("--claim", "take it for a while, so that nobody else decides")
    .option("--release", "give it back")
    .option("--withdraw", "take the proposal back (agent key)")
    .option("--settle <how>", "say how an unknown execution ended: succeeded (with --ref), failed or retry", settleArgument)
    .option("--report <severity>", "report an incident found afterwards: low, medium, high or critical", severityArgument)
    .option("--clear <sha>", "clear the flag of a bad record, by its sha256")
    .option("-m, --message <text>", "words for the agent")
    .option("-r, --reason <code>", "reason code; may be repeated", listArgument)
    .option("--score <criterion=n>", "score the proposal by the action's rubric, 1 to 5; may be repeated", moreArgument)
    .option("--url <url>", "where the incident is tracked, with --report")
    .option("--ref <system:id>", "the record in the system of record, with --settle", refArgument)
    .option("--receipt <id>", "which receipt, with --settle and --report (default: the one in doubt, the final one)")
    .option("--action <id>", "the action that is edited, where there is more than one (otherwise a path begins with it: a2/amount)")
    .option("--minutes <n>", "how long to claim it", minutesArgument)
    .option("--seen <sha>", "the card's hash as you saw it; refused when the card is another one now")
    .option("-y, --yes", "do not ask again")
    .addHelpText(
      "after",
      examples(
        "decide 4f2a91c0 --approve",
        `decide 4f2a91c0 --edit '{"/amount": 50}' --message "Half is enough"`,
        `decide 4f2a91c0 --reject --reason wrong_customer --message "Ask for the order number"`,
        `decide 4f2a91c0 --drop a2 --order a3,a1 --edit '{"a1/amount": 30}'`,
        `decide 4f2a91c0 --reject --branch --step a2 --message "Stop writing to this customer"`,
        "decide 4f2a91c0 --approve --standing run --max 5 --up-to 100 --for PT1H",
        `decide 4f2a91c0 --respond "The second account"`,
        `decide 4f2a91c0 --approve --score right_amount=5 --score tone=3`,
        `decide 4f2a91c0 --report high --message "Paid twice" --url https://tracker.example/812`,
        "decide 4f2a91c0 --settle succeeded --ref psp:re_123",
      ),
    )
    .action(async (id: string, options: DecideOptions) => {
      const api = apiOf(cli.io);
      // What cannot be meant is refused before anybody is asked.
      const plan = await decisionOf(cli.io, options);
      const item = await fetchItem(api, id);
      const body = plan.bodyFor(item);
      tellWhat(cli, item, plan.words);
      if (!(await isSure(cli, options.yes === true))) {
        cli.note("Nothing was decided.");
        return cli.exit(EXIT.refused);
      }
      const answer = await api.call<DecisionAnswer>("POST", `/v1/items/${item.itemId}/decisions`, body);
      if (answer.status !== "effective" || fellBack(answer)) cli.exit(EXIT.refused);
      if (cli.json()) return cli.data(answer);
      for (const line of resultLines(answer, plan, cli.width)) cli.say(line);
    });
}

/** Whether policy forbade the edited arguments: the edit was recorded, but changed nothing. */
const fellBack = ({ rejudged }: DecisionAnswer): boolean => rejudged?.state === "fell_back";

function resultLines({ item, rejudged, branch, status, reason }: DecisionAnswer, { kind, words }: Plan, width: number): string[] {
  const now = `${shortId(item.itemId)}: ${stageText(item.stage, item.outcome, item.decision?.kind, item.flagged)}`;
  const why = rejudged === null || rejudged.state === "settled" ? [] : block(sentences(rejudged.because), width, 2);
  const state = block(now, width, 2);
  if (rejudged?.state === "fell_back") return ["The edit has no effect: policy forbids the new arguments, and the ones before stand.", ...why, ...state];
  const head = status === "effective" ? (DONE[kind] ?? `${words}: done`) : `${words} is ${oneLine(status)}${reason ? `: ${oneLine(reason)}` : ""}`;
  const again = rejudged === null ? [] : [`  ${REJUDGED[rejudged.state]}.`, ...why];
  return [...wrap(`${head}.`, width), ...again, ...state, ...branchLines(branch, width)];
}

/** Items that are named; of more than these only the number is told. */
const MOST_NAMED = 20;

function branchLines(branch: DecisionAnswer["branch"], width: number): string[] {
  if (branch === null) return [];
  const words: [string, readonly string[]][] = [
    ["Withdrawn with it", branch.withdrawn],
    ["Grants taken back", branch.revoked],
    ["Not granted any more", branch.withheld],
    ["Had started already, and goes on", branch.running],
    ["Still to be ended; nothing of it can begin any more", branch.open],
  ];
  const lines = words
    .filter(([, ids]) => ids.length > 0)
    .flatMap(([what, ids]) => block(`${what}: ${ids.length > MOST_NAMED ? `${ids.length} items` : ids.map(shortId).join(", ")}`, width, 2));
  return lines.length === 0 ? ["  Nothing else of the run was open."] : lines;
}

const DONE: Readonly<Record<string, string>> = {
  approve: "Approved",
  edit: "Edited",
  reject: "Rejected",
  respond: "Answered",
  acknowledge: "Acknowledged",
  claim: "Claimed",
  release: "Released",
  withdraw: "Withdrawn",
  settle: "Settled",
  report: "Reported",
  clear: "Cleared",
};

const REJUDGED: Readonly<Record<Exclude<NonNullable<DecisionAnswer["rejudged"]>["state"], "fell_back">, string>> = {
  waiting: "Policy has not judged the new arguments yet",
  settled: "Policy lets the new arguments run on your word",
  pending: "Policy wants another decision on the new arguments",
};

/** On stderr, so that stdout holds the answer alone. */
function tellWhat(cli: Cli, item: ItemView, words: string): void {
  if (cli.json()) return;
  const lines = wrap(`${words}: ${oneLine(item.headline ?? item.itemId)}`, cli.width);
  cli.note([...lines, ...(item.cardSha256 ? [`  card ${item.cardSha256}`] : [])].join("\n"));
}

async function isSure(cli: Cli, yes: boolean): Promise<boolean> {
  const { stdin, err, signal } = cli.io;
  if (yes || cli.json() || stdin.isTTY !== true || err.isTTY !== true) return true;
  const lines = createInterface({ input: stdin, output: err as unknown as NodeJS.WritableStream });
  try {
    return /^y(es)?$/i.test((await lines.question("Sure? [y/N] ", { signal })).trim());
  } finally {
    lines.close();
  }
}

function settleArgument(text: string): string {
  if (!["succeeded", "failed", "retry"].includes(text)) throw new InvalidArgumentError("It must be succeeded, failed or retry.");
  return text;
}

function severityArgument(text: string): string {
  if (!["low", "medium", "high", "critical"].includes(text)) throw new InvalidArgumentError("It must be low, medium, high or critical.");
  return text;
}

function minutesArgument(text: string): number {
  const n = Number(text);
  if (!(n > 0 && n <= 1440)) throw new InvalidArgumentError("It must be a number of minutes up to 1440.");
  return n;
}
