import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Delivery } from "../../local/deliveries.ts";
import { examples, intArgument } from "../args.ts";
import type { Cli } from "../io.ts";
import { shortBatch } from "../render/batch.ts";
import { block, moment, oneLine, plural, shortId } from "../text.ts";
import { DATA_OPTION, whereOf } from "../where.ts";

interface Options {
  failed?: boolean;
  limit: number;
  workspace?: string;
  data?: string;
}

/** `countersign notifications`: what became of the notices to owners. */
export function notifications(cli: Cli): Command {
  return new Command("notifications")
    .summary("notices to owners: sent, tried again, failed, dropped")
    .description("Shows what became of the notices to owners, newest first. `up --notify FILE` sends them; this reads local.db, also beside a running `up`.")
    .option("--failed", "only those that failed, or whose last attempt did")
    .option("-n, --limit <n>", "show at most so many", intArgument(1, 10_000), 20)
    .option("--workspace <name>", "only those of this workspace")
    .option(...DATA_OPTION)
    .addHelpText("after", examples("notifications", "notifications --failed", "notifications --json | jq -r .channel"))
    .action(async ({ failed, limit, workspace, data: folder }: Options) => {
      const { data } = whereOf(cli.io, { ...(folder !== undefined && { data: folder }) });
      if (!existsSync(join(data, "local.db")))
        throw new CountersignError("not_found", `There are no notices in ${data}`, {
          field: "--data",
          value: data,
          fix: "name the folder of a ledger with --data",
        });
      const [{ openLocalDb }, { openDeliveries }, { messageId }] = await Promise.all([
        import("../../local/local-db.ts"),
        import("../../local/deliveries.ts"),
        import("../../notify/notice.ts"),
      ]);
      const local = openLocalDb(data);
      try {
        const found = openDeliveries(local, messageId).list({ failed, limit, workspace });
        if (cli.json()) for (const delivery of found) cli.data(delivery);
        else if (found.length > 0) for (const delivery of found) for (const line of lines(delivery, cli)) cli.say(line);
        else cli.say(failed === true ? "No notice has failed." : "No notice was sent yet: `countersign up --notify FILE` sends them.");
      } finally {
        local.close();
      }
    });
}

/** item/ID/VERDICT/STEP → item ID, shortened so that other commands take it. */
function subjectOf(key: string): string {
  const [what = "", id = ""] = key.split("/");
  return `${what} ${what === "batch" ? shortBatch(id) : shortId(id)}`;
}

function lines({ channel, action, state, kind, key, owner, attempts, answer, at, due }: Delivery, { width, colors }: Cli): string[] {
  const paint = state === "sent" ? colors.green : state === "failed" ? colors.red : state === "due" && attempts > 0 ? colors.yellow : colors.dim;
  const when = state === "due" ? `, due ${moment(due)}` : "";
  return [
    `${moment(at)}  ${paint(state)}  ${oneLine(channel)}  ${action === "resolve" ? "resolves " : ""}${kind} for ${oneLine(owner ?? "nobody")}${attempts > 1 ? `, ${plural(attempts, "attempt")}` : ""}${when}`,
    ...block(`${subjectOf(key)}${answer === null ? "" : `: ${answer}`}`, width, 2),
  ];
}
