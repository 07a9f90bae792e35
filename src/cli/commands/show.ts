import { Command } from "commander";
import { examples } from "../args.ts";
import { fetchItem } from "../find-item.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { renderShow } from "../render/show.ts";

/** `countersign show`: one item, whole. */
export function show(cli: Cli): Command {
  return new Command("show")
    .summary("one item: what is asked, the exact arguments, what happened")
    .description(
      "Shows one item: the sentence, why, who decides until when, the card, the exact arguments, the timeline with positions, and what is wrong with it.",
    )
    .argument("<id>", "item id, or at least its first 6 digits")
    .addHelpText("after", examples("show 4f2a91c0", "show 4f2a91c0 --json | jq .actions[0].args"))
    .action(async (id: string) => {
      const item = await fetchItem(apiOf(cli.io), id);
      if (cli.json()) cli.data(item);
      else cli.say(renderShow(item, { width: cli.width, now: cli.io.now(), colors: cli.colors }));
    });
}
