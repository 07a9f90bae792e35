import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Counts, OwnerDay } from "../../projector/interruptions.ts";
import { examples, instantMs } from "../args.ts";
import type { Cli } from "../io.ts";
import { ratioText } from "../render/interruptions.ts";
import { oneLine, pad, plural } from "../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  from?: string;
  to?: string;
  zone: string;
  workspace?: string;
  owner?: string;
}

/** `countersign stats`: figures of the work of people. */
export function stats(cli: Cli): Command {
  const command = new Command("stats").summary("how much people are asked, and how much batches spare them").description("Figures of the work of people.");
  const interruptions = new Command("interruptions")
    .summary("notices a day of each owner, and how many without batches")
    .description(
      "Counts how often each owner was called a day: once for a batch, once for an item that interrupts, once for what came back later; and how often with a notice for each item. From the views: it does not matter whether a notifier ran.",
    )
    .option("--from <instant>", "what happened from this ISO 8601 instant on")
    .option("--to <instant>", "what happened before this instant")
    .option("--zone <name>", "time zone of the days, such as Europe/Zurich", "UTC")
    .option("--workspace <name>", "only this workspace")
    .option("--owner <owner>", "only this owner, such as role:support-lead")
    .addHelpText("after", examples("stats interruptions", "stats interruptions --from 2026-01-01 --zone Europe/Zurich --json"));
  command.addCommand(where(interruptions).action((options: Options) => run(cli, options)));
  return command;
}

async function run(cli: Cli, options: Options): Promise<void> {
  const { log: url, data } = whereOf(cli.io, options);
  const range = rangeOf(options);
  const [{ lockedBy }, { countInterruptions, sumOf }, { examineViews }] = await Promise.all([
    import("../../local/lock.ts"),
    import("../../projector/interruptions.ts"),
    import("../doctor/views.ts"),
  ]);
  const opened = await openExisting(url);
  try {
    const views = await examineViews(cli, opened, await opened.log.heads(), data, lockedBy(data));
    try {
      const onItem = (items: number) => {
        if (items % 5000 === 0) cli.progress(`looked at ${plural(items, "item")}`);
        cli.io.signal.throwIfAborted();
      };
      const all = countInterruptions(views, { ...range, onItem, ...(options.workspace !== undefined && { workspace: options.workspace }) });
      cli.progress(null);
      const days = options.owner === undefined ? all : all.filter((d) => isSame(d.owner, options.owner as string));
      const owners = [...Map.groupBy(days, (d) => d.owner)].map(([owner, of]) => ({ owner, days: of.length, ...sumOf(of) }));
      if (cli.json()) cli.data({ zone: options.zone, days, owners, total: sumOf(days) });
      else for (const line of lines(days, owners, sumOf(days))) cli.say(line);
    } finally {
      views.close();
    }
  } finally {
    cli.progress(null);
    await opened.registry.close();
    await opened.log.close();
  }
}

const isSame = (owner: string, typed: string): boolean => owner === typed || owner === `role:${typed}`;

/** @throws CountersignError usage */
function rangeOf({ from, to, zone }: Options): { from?: number; to?: number; zone: string } {
  const [begin, end] = [instantOf(from, "--from"), instantOf(to, "--to")];
  if (begin !== undefined && end !== undefined && begin >= end) throw usage("--to", to, "--to is not after --from", "give a later instant");
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    throw usage("--zone", zone, `--zone ${zone} is no time zone`, "give a name such as UTC or Europe/Zurich");
  }
  return { zone, ...(begin !== undefined && { from: begin }), ...(end !== undefined && { to: end }) };
}

function instantOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const at = instantMs(text);
  if (at === undefined) throw usage(flag, text, `${flag} ${text} is no instant`, "give one in ISO 8601, such as 2026-01-31 or 2026-01-31T08:00:00Z");
  return at;
}

function usage(field: string, value: unknown, message: string, fix: string): CountersignError {
  return new CountersignError("usage", message, { field, value, fix });
}

function lines(days: readonly OwnerDay[], owners: readonly (Counts & { owner: string; days: number })[], all: Counts): string[] {
  if (days.length === 0) return ["Nobody was asked anything."];
  const table = owners.flatMap(({ owner, days: n, ...counts }) => [
    `${oneLine(owner)}: ${ratioText(counts)}, on ${plural(n, "day")}`,
    ...days.filter((d) => d.owner === owner).map(dayLine),
  ]);
  const total = owners.length > 1 ? ["", `All owners: ${ratioText(all)}`] : [];
  return [...table, ...total];
}

function dayLine({ day, notices, batches, members, alone, later, unsealed, without }: OwnerDay): string {
  const parts = [
    ...(batches > 0 ? [`${plural(batches, "batch", "batches")} of ${plural(members, "item")}`] : []),
    ...(alone > 0 ? [`${alone} alone`] : []),
    ...(later > 0 ? [`${later} later`] : []),
    ...(unsealed > 0 ? [`${unsealed} in no batch yet, or decided before`] : []),
  ];
  return `  ${day}  ${pad(`${notices} of ${without}`, 12)}  ${parts.join(", ")}`;
}
