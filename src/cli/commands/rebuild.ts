import { Command } from "commander";
import { examples } from "../args.ts";
import type { Cli } from "../io.ts";
import { plural } from "../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../where.ts";

/** `countersign rebuild`: new views from the log. */
export function rebuild(cli: Cli): Command {
  const command = new Command("rebuild")
    .summary("make the views anew from the log, and swap them in")
    .description(
      "Folds the whole log into a new views file and swaps it in. Refused while an `up` uses the folder: it would go on with the old file. Keys and notifications are not touched.",
    )
    .addHelpText("after", examples("rebuild", "rebuild --log sqlite:./data --data ./data"));
  return where(command).action(async (options: WhereOptions) => {
    const { log: url, data } = whereOf(cli.io, options);
    const opened = await openExisting(url);
    const [{ lockData }, { loadCodec }, { rebuildViews }, { viewsOptions }] = await Promise.all([
      import("../../local/lock.ts"),
      import("../../log/schemas.ts"),
      import("../../projector/rebuild.ts"),
      import("../../runtime.ts"),
    ]);
    try {
      const lock = lockData(data, { pid: process.pid, what: "rebuild", log: opened.log.url, since: cli.io.now() });
      try {
        const codec = await loadCodec(opened.registry);
        const began = performance.now();
        const records = await rebuildViews(viewsOptions({ ...opened, codec }, data), (n) => cli.progress(`folded ${n} records`), cli.io.signal);
        const seconds = Math.round(performance.now() - began) / 1000;
        if (cli.json()) cli.data({ records, seconds });
        else cli.say(`The views are new: ${plural(records, "record")} folded in ${seconds} s.`);
      } finally {
        lock.release();
      }
    } finally {
      await opened.registry.close();
      await opened.log.close();
    }
  });
}
