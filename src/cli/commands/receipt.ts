import { Argument, Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Grant, OutcomeAnswer, ReceiptAnswer } from "../../producers/wire/answers.ts";
import { examples, jsonArgument, refArgument } from "../args.ts";
import { EXIT } from "../exit.ts";
import { itemIdOf } from "../find-item.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { stageText } from "../render/item.ts";
import { block, moment, oneLine, shortId } from "../text.ts";

/** What a receipt can give somebody to look at. */
const FINDINGS: Readonly<Record<string, string>> = {
  args_differ: "the arguments that were used are not those of the grant",
  receipt_without_grant: "nothing was granted that it could be about",
  late_receipt: "it came when the grant was closed already",
  resumed_elsewhere: "the run went on in another thread than the one that asked",
};

const KINDS = ["started", "renewed", "succeeded", "failed", "compensated"] as const;

interface Options {
  grant?: string;
  action?: string;
  argsSha256?: string;
  result?: string;
  ref?: { system: string; id: string };
  error?: string;
}

/** `countersign receipt`: an executor says what it does. */
export function receipt(cli: Cli): Command {
  return new Command("receipt")
    .summary("say what an executor does with a grant (executor key)")
    .description("Writes a receipt on a grant. Act only after `started` was answered with effective; end with succeeded or failed.")
    .argument("<id>", "item id, or at least its first 6 digits")
    .addArgument(new Argument("<kind>", "what happened").choices(KINDS))
    .option("--grant <id>", "the grant (default: the item's)")
    .option("--action <id>", "the action of it (default: its only one)")
    .option("--args-sha256 <sha>", "hash of the arguments that were really used (default: the granted ones)")
    .option("--result <json>", "the result: JSON, @FILE, or -")
    .option("--ref <system:id>", "the record in the system of record", refArgument)
    .option("--error <code:message>", "why it failed")
    .addHelpText(
      "after",
      examples(
        "receipt 4f2a91c0 started",
        `receipt 4f2a91c0 succeeded --ref crm:acct-17 --result '{"sent": true}'`,
        `receipt 4f2a91c0 failed --error "timeout:The CRM did not answer"`,
      ),
    )
    .action(async (id: string, kind: (typeof KINDS)[number], options: Options) => {
      const api = apiOf(cli.io);
      const itemId = await itemIdOf(api, id);
      const granted =
        options.grant !== undefined && (options.argsSha256 !== undefined || kind === "renewed")
          ? null
          : (await api.call<OutcomeAnswer>("GET", `/v1/items/${itemId}/outcome`)).grant;
      const body = { kind, ...target(options, granted), ...(await contents(cli, kind, options)) };
      const answer = await api.call<ReceiptAnswer>("POST", `/v1/items/${itemId}/receipts`, body);
      if (answer.status !== "effective") cli.exit(EXIT.refused);
      if (cli.json()) return cli.data(answer);
      const lease = answer.lease ? `, until ${moment(answer.lease.endsAt)}` : "";
      cli.say(`${kind} is ${oneLine(answer.status)}${answer.reason ? `: ${oneLine(answer.reason)}` : ""}${lease}`);
      for (const code of answer.findings) for (const line of block(`FINDING ${code}: ${FINDINGS[code] ?? "see show"}`, cli.width, 2)) cli.say(line);
      cli.say(`  ${shortId(itemId)}: ${stageText(answer.item.stage, answer.item.outcome)}`);
    });
}

function target(options: Options, granted: Grant | null): Record<string, unknown> {
  const grant = options.grant ?? granted?.id;
  if (grant === undefined)
    throw new CountersignError("no_grant", "The item has no grant: nothing may run", {
      field: "--grant",
      fix: "see `countersign outcome` for what it waits for",
    });
  const actions = granted?.id === grant ? granted.actions : [];
  const action = options.action === undefined && actions.length === 1 ? actions[0] : actions.find((a) => a.actionId === options.action);
  if (options.action === undefined && action === undefined && actions.length > 1)
    throw new CountersignError("usage", `The grant has ${actions.length} actions: ${actions.map((a) => a.actionId).join(", ")}`, {
      field: "--action",
      fix: "name one with --action",
    });
  const actionId = options.action ?? action?.actionId;
  const argsSha256 = options.argsSha256 ?? action?.argsSha256;
  return { grant, ...(actionId !== undefined && { actionId }), ...(argsSha256 !== undefined && { argsSha256 }) };
}

async function contents(cli: Cli, kind: string, { result, ref, error }: Options): Promise<Record<string, unknown>> {
  const at = error?.indexOf(":") ?? -1;
  const failure =
    error === undefined ? undefined : at > 0 ? { code: error.slice(0, at), message: error.slice(at + 1).trim() } : { code: "failed", message: error };
  if (failure !== undefined && kind !== "failed")
    throw new CountersignError("usage", `--error goes with failed, not with ${kind}`, { field: "--error", fix: "leave it out" });
  return {
    ...(result !== undefined && { result: await jsonArgument(cli.io, result, "--result") }),
    ...(ref !== undefined && { externalRef: ref }),
    ...(failure !== undefined && { error: failure }),
  };
}
