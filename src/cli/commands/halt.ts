import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { HaltAnswer, HaltsAnswer, LiftAnswer } from "../../producers/wire/halts.ts";
import { durationArgument, examples } from "../args.ts";
import { apiOf } from "../http.ts";
import { type Cli, SELF } from "../io.ts";
import { stageText } from "../render/item.ts";
import { moment, oneLine, plural, shortId } from "../text.ts";

interface HaltOptions {
  all?: boolean;
  agent?: string;
  action?: string;
  reason?: string;
  for?: number;
  list?: boolean;
}

type Halt = HaltAnswer["halt"];

/** `countersign halt`: nothing of what it covers begins any more. */
export function halt(cli: Cli): Command {
  return new Command("halt")
    .summary("stop everything, one agent or one action at once (reviewer key with the role halt)")
    .description(
      "Stops what has not begun: new proposals wait for a person, nothing is granted or started, and grants that nobody has started are taken back. Prints what had started already: a halt does not stop that.",
    )
    .option("--all", "everything in the key's workspace")
    .option("--agent <id>", "what this agent proposes")
    .option("--action <tool>", "what uses this tool")
    .option("-r, --reason <text>", "why: told to everybody whom it stops")
    .option("--for <duration>", "when it ends by itself, such as PT2H (default: only when it is lifted)", durationArgument)
    .option("--list", "show the halts in force instead")
    .addHelpText(
      "after",
      examples(
        'halt --all --reason "Wrong refunds are going out"',
        'halt --agent support-bot --action issue_refund --reason "Looks wrong" --for PT2H',
        "halt --list",
      ),
    )
    .action(async (options: HaltOptions) => {
      const api = apiOf(cli.io);
      if (options.list === true) return tellHalts(cli, (await api.call<HaltsAnswer>("GET", "/v1/halts")).halts);
      const body = requestOf(options, cli.io.now());
      const answer = await api.call<HaltAnswer>("POST", "/v1/halts", body);
      if (cli.json()) return cli.data(answer);
      tellHalt(cli, answer);
    });
}

function requestOf({ all, agent, action, reason, for: lasts }: HaltOptions, now: number): Record<string, unknown> {
  const some = agent !== undefined || action !== undefined;
  if ((all === true) === some)
    throw new CountersignError("usage", some ? "--all goes with neither --agent nor --action" : "What shall be halted?", {
      field: "--all",
      fix: "give --all, or --agent and/or --action",
    });
  if (!reason?.trim())
    throw new CountersignError("usage", "A halt needs its reason", { field: "--reason", fix: 'add --reason "…": it is told to everybody whom the halt stops' });
  const scope = { ...(agent !== undefined && { agent }), ...(action !== undefined && { action }) };
  return { scope, reason, ...(lasts !== undefined && { expiresAt: now + lasts }) };
}

function tellHalt(cli: Cli, { halt: made, started, revoked, revoking, waiting, unknown }: HaltAnswer): void {
  cli.say(`Halted: ${scopeText(made)}${made.expiresAt === null ? "" : `, until ${moment(made.expiresAt)}`}. Nothing more begins.`);
  if (unknown.includes("agent")) cli.say(`  Is the name right? No recent item is of an agent ${oneLine(made.scope.agent ?? "")}.`);
  if (unknown.includes("action")) cli.say(`  Is the name right? No policy describes an action ${oneLine(made.scope.action ?? "")}.`);
  cli.say(`  ${plural(revoked, "grant")} taken back before ${revoked === 1 ? "it was" : "they were"} started.`);
  if (revoking > 0) cli.say(`  ${plural(revoking, "grant")} still to be taken back; ${revoking === 1 ? "it" : "they"} cannot be started any more.`);
  if (waiting.length > 0) cli.say(`  ${plural(waiting.length, "roll-back or retry", "roll-backs and retries")} of what has run: not before the lift.`);
  cli.say(started.length === 0 ? "  Nothing had started." : `  Had started already (a halt does not stop ${started.length === 1 ? "it" : "them"}):`);
  for (const { itemId, agent, tool, endsAt, stage } of started)
    cli.say(
      `    ${shortId(itemId)}  ${oneLine(tool ?? "plan")} of ${oneLine(agent)}: ${stageText(stage, null)}${endsAt === null ? "" : `, its lease ends ${moment(endsAt)}`}`,
    );
  cli.say(`  Lift it with: ${SELF} lift ${made.eventId}`);
}

function scopeText({ scope: { agent, action }, workspace }: Halt): string {
  const parts = [...(agent === undefined ? [] : [`agent ${oneLine(agent)}`]), ...(action === undefined ? [] : [`action ${oneLine(action)}`])];
  return parts.join(", ") || `everything in workspace ${oneLine(workspace)}`;
}

function tellHalts(cli: Cli, halts: readonly Halt[]): void {
  if (cli.json()) {
    for (const made of halts) cli.data(made);
    return;
  }
  if (halts.length === 0) cli.say("Nothing is halted.");
  for (const made of halts) {
    cli.say(
      `${made.eventId}  ${scopeText(made)}, by ${oneLine(made.by)} at ${moment(made.at)}${made.expiresAt === null ? "" : `, until ${moment(made.expiresAt)}`}`,
    );
    if (made.reason !== null) cli.say(`  ${oneLine(made.reason)}`);
  }
}

/** `countersign lift`: ends halts. */
export function lift(cli: Cli): Command {
  return new Command("lift")
    .summary("end a halt (reviewer key with the role halt)")
    .description("Ends a halt. What it stopped stays stopped: agents propose it again.")
    .argument("[halt]", "event id of the halt, or the beginning of it, as `halt --list` shows it (default: the only one)")
    .option("--all", "every halt in force in the key's workspace")
    .option("-r, --reason <text>", "why")
    .addHelpText("after", examples("lift 01990a2c", 'lift --all --reason "The bug is fixed"'))
    .action(async (typed: string | undefined, options: { all?: boolean; reason?: string }) => {
      const api = apiOf(cli.io);
      const { halts } = await api.call<HaltsAnswer>("GET", "/v1/halts");
      for (const { eventId } of chosen(halts, typed, options.all === true)) {
        const answer = await api.call<LiftAnswer>("POST", `/v1/halts/${eventId}/lift`, { ...(options.reason !== undefined && { reason: options.reason }) });
        if (cli.json()) cli.data(answer);
        else cli.say(`Lifted: ${scopeText(answer.halt)}. What it stopped stays stopped: agents propose it again.`);
      }
    });
}

function chosen(halts: readonly Halt[], typed: string | undefined, all: boolean): readonly Halt[] {
  if (halts.length === 0) throw new CountersignError("not_found", "Nothing is halted", { fix: "nothing: there is no halt to lift" });
  if (all && typed !== undefined) throw new CountersignError("usage", "Either a halt or --all, not both", { field: "--all", fix: "leave one of them out" });
  const found = all ? halts : typed === undefined ? halts : halts.filter((h) => h.eventId.startsWith(typed.trim().toLowerCase()));
  if (found.length === 0)
    throw new CountersignError("not_found", `No halt in force begins with ${JSON.stringify(typed)}`, {
      field: "halt",
      value: typed,
      fix: "see `countersign halt --list`",
    });
  if (!all && found.length > 1)
    throw new CountersignError("usage", `There are ${found.length} such halts: ${found.map((h) => h.eventId).join(", ")}`, {
      field: "halt",
      fix: "name one of them, or give --all",
    });
  return found;
}
