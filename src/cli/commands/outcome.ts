import { Command } from "commander";
import type { OutcomeAnswer } from "../../producers/wire/answers.ts";
import { examples, intArgument } from "../args.ts";
import { EXIT } from "../exit.ts";
import { itemIdOf } from "../find-item.ts";
import { type Api, apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import { block, exactJson, oneLine, shortId } from "../text.ts";

const GOES_ON = new Set(["proceed", "proceed_edited", "roll_back", "responded", "acknowledged"]);

const FLAGGED = "It is flagged: nothing is granted until a reviewer has cleared the record that could not be read (countersign show names it).";

/** The server holds a request for at most this long, in seconds. */
const MOST_WAIT = 60;

/** `countersign outcome`: what may run now. */
export function outcome(cli: Cli): Command {
  return new Command("outcome")
    .summary("what may run now, or why nothing does")
    .description(
      "Shows the outcome for the run: the grant with exactly the arguments that may run, or why nothing runs.\nExit code: 0 it goes on, 3 nothing may run, 6 still pending.",
    )
    .argument("<id>", "item id, or at least its first 6 digits")
    .option("-w, --wait <seconds>", "wait so long for it", intArgument(0, 86_400), 0)
    .addHelpText("after", examples("outcome 4f2a91c0", "outcome 4f2a91c0 --wait 600 --json | jq .grant.actions[0].args"))
    .action(async (id: string, options: { wait: number }) => {
      const api = apiOf(cli.io);
      const itemId = await itemIdOf(api, id);
      tellOutcome(cli, await awaitOutcome(cli, api, itemId, options.wait));
    });
}

/** Asks until it is decided or the seconds are over. */
export async function awaitOutcome(cli: Cli, api: Api, itemId: string, seconds: number): Promise<OutcomeAnswer> {
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const left = Math.max(0, (until - performance.now()) / 1000);
    cli.progress(seconds > 0 ? `waiting for a decision on ${shortId(itemId)}, ${Math.ceil(left)} s left` : null);
    const wait = Math.min(MOST_WAIT, Math.ceil(left));
    const answer = await api.call<OutcomeAnswer>("GET", `/v1/items/${itemId}/outcome`, undefined, wait > 0 ? { prefer: `wait=${wait}` } : {});
    if (answer.status !== "pending" || performance.now() >= until) return answer;
  }
}

/** Prints an outcome and sets the exit code. */
export function tellOutcome(cli: Cli, answer: OutcomeAnswer): void {
  cli.exit(answer.status === "pending" ? EXIT.pending : GOES_ON.has(answer.status) ? EXIT.done : EXIT.refused);
  if (cli.json()) {
    cli.data(answer);
    return;
  }
  cli.say(`${oneLine(answer.status).replaceAll("_", " ")}${answer.message ? `: ${oneLine(answer.message)}` : ""}`);
  if (answer.finalOutcome && answer.finalOutcome !== answer.status) cli.say(`It ended as ${oneLine(answer.finalOutcome)}.`);
  for (const line of answer.flagged ? block(FLAGGED, cli.width, 2) : []) cli.say(line);
  for (const line of answer.error ? block(`${answer.error.fix.charAt(0).toUpperCase()}${answer.error.fix.slice(1)}.`, cli.width, 2) : []) cli.say(line);
  if (answer.grant === null) return;
  for (const action of answer.grant.actions) cli.say(`  ${oneLine(action.tool)} ${exactJson(action.args)}\n  sha256 ${oneLine(action.argsSha256)}`);
  cli.say(`  grant ${oneLine(answer.grant.id)}`);
}
