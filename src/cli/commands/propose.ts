import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { ItemView, ProposalAnswer } from "../../producers/wire/answers.ts";
import { examples, intArgument, moreArgument, objectArgument, refArgument, textArgument } from "../args.ts";
import { EXIT } from "../exit.ts";
import { type Api, apiOf } from "../http.ts";
import { type Cli, SELF } from "../io.ts";
import { stageText } from "../render/item.ts";
import { block, oneLine, sentences, shortId, wrap } from "../text.ts";
import { awaitOutcome, tellOutcome } from "./outcome.ts";

interface Options {
  tool?: string;
  args?: string;
  question?: string;
  notify?: string;
  body?: string;
  key?: string;
  intent?: string;
  reasoning?: string;
  evidence?: string[];
  origin?: { system: string; id: string; url?: string };
  thread?: string;
  checkpoint?: string;
  framework?: string;
  trace?: string;
  confidence?: string;
  wait?: number;
}

/** `countersign propose`: an agent asks. */
export function propose(cli: Cli): Command {
  return new Command("propose")
    .summary("propose an action, ask a question, give notice (agent key)")
    .description("Proposes an action as an agent. Policy judges it; where the risk asks for it, a person decides.")
    .option("-t, --tool <name>", "the action")
    .option("-a, --args <json>", "its arguments: a JSON object, @FILE, or - for stdin", "{}")
    .option("--question <text>", "ask a person a question instead")
    .option("--notify <text>", "give notice of something instead; the run does not wait")
    .option("--body <json>", "the whole proposal as the API takes it: JSON, @FILE, or -")
    .option("-k, --key <key>", "idempotency key: the same key is the same item (default: a new one)")
    .option("--intent <text>", "what the agent wants to achieve")
    .option("--reasoning <text>", "why it thinks that this is right")
    .option("--evidence <label=value>", "something that supports it; may be repeated", moreArgument)
    .option("--origin <system:id>", "the business record it comes from, such as ticket:18422", refArgument)
    .option("--confidence <n>", "how sure the agent is, from 0 to 1")
    .option("--thread <id>", "the run's thread")
    .option("--checkpoint <id>", "the checkpoint the run waits at")
    .option("--framework <name>", "what runs it", "cli")
    .option("--trace <url>", "where its trace can be read")
    .option("-w, --wait <seconds>", "wait for the outcome as `outcome --wait` does", intArgument(0, 86_400))
    .addHelpText(
      "after",
      examples(
        `propose --tool send_email --args '{"to": "acct@example.com"}' --key ticket-18422-1`,
        "propose --tool run_migration --args @migration.json --wait 600",
        `propose --question "Which of the two accounts is meant?"`,
      ),
    )
    .action(async (options: Options) => {
      const api = apiOf(cli.io);
      const answer = await api.call<ProposalAnswer>("POST", "/v1/proposals", await bodyOf(cli, options));
      if (options.wait !== undefined) {
        cli.note(`${shortId(answer.itemId)} ${answer.duplicate ? "was proposed before" : "is proposed"}`);
        return tellOutcome(cli, await awaitOutcome(cli, api, answer.itemId, options.wait));
      }
      const item = await judged(api, answer.item);
      const forbidden = item.outcome === "forbidden";
      if (forbidden) cli.exit(EXIT.refused);
      if (cli.json()) return cli.data({ ...answer, item });
      for (const line of wrap(oneLine(item.headline ?? "Proposed"), cli.width)) cli.say(line);
      const state = `${stageText(item.stage, item.outcome)}${item.stage === "pending" ? ` of ${oneLine(item.owner ?? "nobody")}` : ""}${answer.duplicate ? " (proposed before)" : ""}`;
      for (const line of block(state, cli.width, 2)) cli.say(line);
      const why = item.verdict?.error ? [item.verdict.error.message] : item.because;
      if (forbidden) for (const line of block(sentences(why), cli.width, 2)) cli.say(line);
      cli.say(`  item ${answer.itemId}`);
      if (item.stage !== "done") cli.say(`  Wait for it: ${SELF} outcome ${shortId(answer.itemId)} --wait 600`);
    });
}

/** Policy answers within milliseconds, mostly: worth waiting for, so that people see what it says. */
async function judged(api: Api, item: ItemView): Promise<ItemView> {
  let now = item;
  for (let i = 0; i < 20 && now.stage === "proposed"; i++) {
    await sleep(50);
    now = await api.call<ItemView>("GET", `/v1/items/${item.itemId}`);
  }
  return now;
}

async function bodyOf(cli: Cli, options: Options): Promise<Record<string, unknown>> {
  const ways = (["tool", "question", "notify", "body"] as const).filter((way) => options[way] !== undefined);
  if (ways.length !== 1)
    throw new CountersignError("usage", ways.length === 0 ? "Nothing is proposed" : `${ways.map((w) => `--${w}`).join(" and ")} exclude each other`, {
      field: ways[1] === undefined ? "--tool" : `--${ways[1]}`,
      fix: "name an action with --tool and --args, or give one of --question, --notify and --body",
    });
  if (options.tool?.trim() === "")
    throw new CountersignError("usage", "--tool is empty", { field: "--tool", value: options.tool, fix: "name the action, such as --tool send_email" });
  if (options.body !== undefined) {
    const body = await objectArgument(cli.io, options.body, "--body");
    return { idempotencyKey: options.key ?? randomUUID(), ...body };
  }
  const asked =
    options.tool !== undefined
      ? { actions: [{ tool: options.tool, args: await objectArgument(cli.io, options.args ?? "{}", "--args"), ...confidenceOf(options.confidence) }] }
      : {
          ask: options.question === undefined ? "notify" : "question",
          question: await textArgument(cli.io, (options.question ?? options.notify) as string, "--question"),
        };
  const run =
    options.thread === undefined
      ? undefined
      : { framework: options.framework, threadId: options.thread, ...(options.checkpoint !== undefined && { checkpointId: options.checkpoint }) };
  const given = {
    origin: options.origin,
    run,
    intent: options.intent,
    reasoning: options.reasoning,
    evidence: options.evidence?.map(evidenceOf),
    traceUrl: options.trace,
  };
  return { idempotencyKey: options.key ?? randomUUID(), ...asked, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

function confidenceOf(text: string | undefined): { confidence?: number; confidenceSource?: string } {
  if (text === undefined) return {};
  const confidence = Number(text);
  if (text.trim() === "" || !(confidence >= 0 && confidence <= 1))
    throw new CountersignError("usage", `--confidence ${text} is no number from 0 to 1`, { field: "--confidence", fix: "give a number such as 0.8" });
  return { confidence, confidenceSource: "self_rating" };
}

function evidenceOf(text: string): { label: string; value?: string } {
  const at = text.indexOf("=");
  return at < 0 ? { label: text } : { label: text.slice(0, at), value: text.slice(at + 1) };
}
