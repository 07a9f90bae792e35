import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { CountersignError, messageOf } from "../../errors.ts";
import type { ItemRecord } from "../../producers/wire/record.ts";
import { examples } from "../args.ts";
import { itemIdOf } from "../find-item.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { renderRecord } from "../render/record.ts";

/** `countersign record`: what an incident review opens. */
export function record(cli: Cli): Command {
  return new Command("record")
    .summary("the record of an item for a review: proposed, approved, executed; who, on what, where in the log (reviewer key)")
    .description(
      "Tells everything about one item: what was proposed, approved and executed side by side, what was changed by whom, under which policy and on what card, where the run went on, the receipts with the state after, findings, and every event with its place in the log.",
    )
    .argument("<id>", "item id, or at least its first 6 digits")
    .option("--html <file>", "write a page to read and to print; - for stdout")
    .addOption(
      new Option("--profile <name>", "strict hides what policies classify as secret or personal; raw hides nothing")
        .choices(["strict", "raw"])
        .default("strict"),
    )
    .addHelpText("after", examples("record 4f2a91c0", "record 4f2a91c0 --html record.html", "record 4f2a91c0 --json | jq .actions"))
    .action(async (id: string, options: { html?: string; profile: string }) => {
      const api = apiOf(cli.io);
      const found = await api.call<ItemRecord>("GET", `/v1/items/${await itemIdOf(api, id)}/record?profile=${options.profile}`);
      const page = async () => (await import("../../gateway/record-page/page.ts")).recordPage(found);
      if (options.html === "-") {
        if (cli.json())
          throw new CountersignError("usage", "--json and --html - both write to stdout", { field: "--html", fix: "name a file, or leave --json out" });
        return void cli.io.out.write(await page());
      }
      if (options.html !== undefined) write(options.html, await page());
      if (cli.json()) cli.data(found);
      else cli.say(options.html === undefined ? renderRecord(found, { width: cli.width, now: cli.io.now(), colors: cli.colors }) : `Written: ${options.html}`);
    });
}

function write(path: string, page: string): void {
  try {
    writeFileSync(path, page, { mode: 0o600 });
  } catch (cause) {
    throw new CountersignError("usage", `${path} cannot be written: ${messageOf(cause)}`, {
      cause,
      field: "--html",
      fix: "name a file in a folder that you may write to",
    });
  }
}
