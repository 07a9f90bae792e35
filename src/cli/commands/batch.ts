import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { ItemView } from "../../producers/wire/answers.ts";
import type { BatchAnswer, BatchDecisionAnswer, BatchDecisionRequest, BatchesAnswer } from "../../producers/wire/batches.ts";
import { examples, listArgument, moreArgument } from "../args.ts";
import { type BatchOptions, batchPlan } from "../batch-decision.ts";
import { EXIT } from "../exit.ts";
import { type Api, apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { renderBatch, renderResults, shortBatch } from "../render/batch.ts";
import { renderShow } from "../render/show.ts";
import { shortId } from "../text.ts";

/** `countersign batch`: one batch, shown and decided. */
export function batch(cli: Cli): Command {
  const show = new Command("show")
    .description("Shows a batch: members that are unlike the others first, and which one you must open before you decide.")
    .argument("<id>", "batch id, or at least its first 6 characters")
    .addHelpText("after", examples("batch show b4f2a91c0", "batch show b4f2a91c0 --json | jq '.members[].unlike'"))
    .action(async (id: string) => {
      const found = await fetchBatch(apiOf(cli.io), id);
      if (cli.json()) cli.data(found);
      else cli.say(renderBatch(found, look(cli)));
    });
  const decide = new Command("decide")
    .description("Decides the members of a batch, with exceptions. Each member is a decision of its own: one that is refused keeps no other from it.")
    .argument("<id>", "batch id, or at least its first 6 characters")
    .option("--approve-all", "approve every member that is not named otherwise")
    .option("--reject-all", "reject every member that is not named otherwise")
    .option("--except <items>", "leave these as they are; separated by commas", listArgument)
    .option("--approve <items>", "approve these", listArgument)
    .option("--reject <items>", "reject these", listArgument)
    .option("--edit <item=json>", `approve one with changes by path: '4f2a91c0={"/amount": 50}'; may be repeated`, moreArgument)
    .option("-m, --message <text>", "words for the agents; where something is rejected, for those alone")
    .option("-r, --reason <code>", "reason code; goes where --message goes", listArgument)
    .option("--opened <sha>", "the card's hash of the member that you had to open, or at least its first 8 digits")
    .option("-y, --yes", "do not ask again")
    .addHelpText(
      "after",
      examples(
        "batch decide b4f2a91c0 --approve-all --opened 9c1f22ab",
        "batch decide b4f2a91c0 --approve-all --except 77aa01bc,12bd90ff --opened 9c1f22ab",
        `batch decide b4f2a91c0 --approve-all --edit '77aa01bc={"/amount": 50}' --opened 9c1f22ab`,
        `batch decide b4f2a91c0 --approve-all --reject 77aa01bc --reason wrong_customer --opened 9c1f22ab`,
      ),
    )
    .action((id: string, options: BatchOptions) => run(cli, id, options));
  return new Command("batch")
    .summary("one batch: show it, decide its members (reviewer key)")
    .description("A batch is medium risk of one owner, action and rule set, decided together.")
    .addCommand(show)
    .addCommand(decide);
}

async function run(cli: Cli, id: string, options: BatchOptions): Promise<void> {
  const api = apiOf(cli.io);
  const found = await fetchBatch(api, id);
  const item = (itemId: string) => api.call<ItemView>("GET", `/v1/items/${itemId}`);
  const plan = await batchPlan(cli.io, found, options, item);
  const opened = found.toOpen === null ? null : await open(cli, found, await item(found.toOpen), options);
  if (opened === false) {
    cli.note("Nothing was decided.");
    return cli.exit(EXIT.refused);
  }
  const body: BatchDecisionRequest = { seen: { membersSha256: found.membersSha256 }, ...(opened !== null && { opened }), ...plan, review: { channel: "cli" } };
  const answer = await api.call<BatchDecisionAnswer>("POST", `/v1/batches/${found.batchId}/decisions`, body);
  const fellBack = answer.results.some((result) => result.rejudged === "fell_back");
  if (answer.refused > 0 || answer.effective === 0 || fellBack) cli.exit(EXIT.refused);
  if (cli.json()) cli.data(answer);
  else cli.say(renderResults(answer, cli.width));
}

/** Proof that the drawn member was opened: its card's hash as it was typed, or the member itself, shown here and looked at for a while. */
async function open(cli: Cli, { batchId }: BatchAnswer, item: ItemView, { opened, yes }: BatchOptions): Promise<BatchDecisionRequest["opened"] | false> {
  const { itemId, cardSha256 } = item;
  const { stdin, err, signal } = cli.io;
  if (opened !== undefined) {
    if (!/^[0-9a-f]{8,64}$/i.test(opened) || cardSha256?.startsWith(opened.toLowerCase()) !== true)
      throw new CountersignError("not_opened", `--opened ${opened} is not the card of ${shortId(itemId)}, which was drawn for you`, {
        field: "--opened",
        value: opened,
        fix: `open it with \`countersign show ${shortId(itemId)}\` and give the hash of the card that it shows`,
      });
    return { itemId, cardSha256 };
  }
  if (yes === true || cli.json() || stdin.isTTY !== true || err.isTTY !== true)
    throw new CountersignError("not_opened", `A batch is decided after one member was opened: ${shortId(itemId)} was drawn for you`, {
      field: "--opened",
      fix: `open it with \`countersign show ${shortId(itemId)}\`, then give the hash of its card: \`countersign batch decide ${shortBatch(batchId)} … --opened CARD\``,
    });
  cli.note(renderShow(item, look(cli)));
  const openedAt = cli.io.now();
  const lines = createInterface({ input: stdin, output: err as unknown as NodeJS.WritableStream });
  try {
    const answer = await lines.question("\nThis member was drawn for you. Decide the batch? [y/N] ", { signal });
    return /^y(es)?$/i.test(answer.trim()) && { itemId, cardSha256, openedAt, activeMs: cli.io.now() - openedAt };
  } finally {
    lines.close();
  }
}

async function fetchBatch(api: Api, typed: string): Promise<BatchAnswer> {
  const id = typed.trim();
  if (!/^[\w:.-]{6,100}$/.test(id))
    throw new CountersignError("usage", `${JSON.stringify(typed)} is no batch id`, {
      field: "id",
      value: typed,
      fix: "give the id of a batch as `countersign batches` shows it, or at least its first 6 characters",
    });
  if (!/^b[0-9a-f]{5,23}$/.test(id)) return api.call<BatchAnswer>("GET", `/v1/batches/${id}`);
  const [only, second] = (await api.call<BatchesAnswer>("GET", `/v1/batches?idPrefix=${id}&limit=2`)).batches.map((b) => b.batchId);
  if (second !== undefined)
    throw new CountersignError("usage", `${id} begins more than one batch: ${only}, ${second}`, { field: "id", value: typed, fix: "give more of it" });
  if (only === undefined)
    throw new CountersignError("not_found", `No batch that this key may see begins with ${id}`, {
      field: "id",
      value: typed,
      fix: "look for it with `countersign batches --all`",
    });
  return api.call<BatchAnswer>("GET", `/v1/batches/${only}`);
}

function look(cli: Cli) {
  return { width: cli.width, now: cli.io.now(), colors: cli.colors };
}
