import { Command } from "commander";
import { CountersignError } from "../../errors.ts";
import type { StandingsAnswer, StandingView } from "../../producers/wire/standing.ts";
import { examples } from "../args.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { moment, oneLine, shortId } from "../text.ts";

/** `countersign standing`: approvals that let run what is alike. */
export function standing(cli: Cli): Command {
  const list = new Command("list")
    .description("Shows the standing approvals in force, with what has been used of them.")
    .option("--all", "those as well that are over")
    .addHelpText("after", examples("standing list", "standing list --all --json"))
    .action(async ({ all }: { all?: boolean }) => {
      const found = (await apiOf(cli.io).call<StandingsAnswer>("GET", `/v1/standing${all === true ? "?all=true" : ""}`)).standing;
      if (cli.json()) for (const one of found) cli.data(one);
      else if (found.length === 0) cli.say("There are no standing approvals.");
      else for (const line of found.flatMap(lines)) cli.say(line);
    });
  const revoke = new Command("revoke")
    .description("Ends a standing approval. What it let pass and nobody was granted yet is withheld.")
    .argument("<id>", "as `standing list` shows it, or the beginning of it")
    .option("-r, --reason <text>", "why")
    .addHelpText("after", examples('standing revoke 01990a2c --reason "Wrong customer"'))
    .action(async (typed: string, { reason }: { reason?: string }) => {
      const api = apiOf(cli.io);
      const { standing: all } = await api.call<StandingsAnswer>("GET", "/v1/standing?all=true");
      const [only, second] = all.filter((s) => s.eventId.startsWith(typed.trim().toLowerCase()));
      if (only === undefined || second !== undefined)
        throw new CountersignError(
          only === undefined ? "not_found" : "usage",
          `${only === undefined ? "No" : "More than one"} standing approval begins with ${JSON.stringify(typed)}`,
          {
            field: "id",
            value: typed,
            fix: "see `countersign standing list --all`",
          },
        );
      const ended = await api.call<StandingView>("POST", `/v1/standing/${only.eventId}/revoke`, { ...(reason !== undefined && { reason }) });
      if (cli.json()) cli.data(ended);
      else cli.say(`Revoked: ${summary(ended)}.`);
    });
  return new Command("standing")
    .summary("standing approvals: list and revoke them (reviewer key)")
    .description("Standing approvals let run what is alike to something that was approved, within bounds: give them with `decide --approve --standing`.")
    .addCommand(list)
    .addCommand(revoke);
}

function summary({ scope, by }: StandingView): string {
  return `${scope.tools.map(oneLine).join(", ")} of ${oneLine(scope.agent)}${scope.thread === null ? "" : ` in run ${oneLine(scope.thread)}`}, given by ${oneLine(by)}`;
}

function lines(one: StandingView): string[] {
  const { eventId, itemId, max, amount, usedAmount, usedActions, until, overshot, revoked, inForce } = one;
  const sum = amount === null ? "" : `, ${usedAmount ?? "0"} of ${amount}`;
  const state = revoked !== null ? `revoked by ${oneLine(revoked.by)} at ${moment(revoked.at)}` : inForce ? `until ${moment(until)}` : "over";
  return [
    `${eventId}  ${summary(one)}`,
    `  ${usedActions} of ${max} used${sum}; ${state}; given with ${shortId(itemId)}`,
    ...(overshot ? ["  FINDING more was let pass than it allows"] : []),
  ];
}
