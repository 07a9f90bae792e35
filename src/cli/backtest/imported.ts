import { basename } from "node:path";
import { complete } from "../../events/draft.ts";
import { newEventId } from "../../events/ids.ts";
import type { ActionProposed } from "../../events/types.generated.ts";
import { type Recorded, wayOf } from "../../policy/backtest.ts";
import { replayUsage } from "../../policy/budgets/replay-usage.ts";
import type { CompiledPolicy } from "../../policy/compiled.ts";
import { countablesOf } from "../../policy/judgement/subjects.ts";
import { judgeFully } from "../../policy/testing/run.ts";
import { readTools } from "../../producers/tools.ts";
import { callsOf, proposalsOf } from "../../producers/transcript-calls.ts";
import { readTranscripts } from "../../producers/transcripts.ts";
import { fileText } from "../args.ts";
import { oneLine, plural } from "../text.ts";

const DAY = 86_400_000;
/** Bad calls told one by one; the rest is counted. */
const MOST_BAD = 10;

/** Where recorded runs lie, and how they are placed in time: they carry none. */
export interface ImportOptions {
  readonly import: string;
  readonly tools?: string;
  readonly agent?: string;
  /** Runs are spread evenly over days, this many on each; all at one moment where it is left out. */
  readonly runsPerDay?: number;
}

/**
 * The calls of recorded runs, as `import` proposes them. Nobody has decided on any. Their old ways are what `before` (documents) says of
 * them, each waiting item counting as approved; none where there are no documents.
 *
 * @throws CountersignError usage, file_invalid
 */
export function importedIn(
  options: ImportOptions,
  workspace: string,
  before: readonly CompiledPolicy[],
  end: number,
  note: (text: string) => void,
): Recorded[] {
  const runs = readTranscripts(fileText(options.import, "--import"), { file: basename(options.import) });
  const tools = options.tools === undefined ? undefined : readTools(fileText(options.tools, "--tools"), basename(options.tools));
  const bad = runs.flatMap((run) => callsOf(run).bad);
  for (const call of bad.slice(0, MOST_BAD))
    note(oneLine(`${call.runId}, message ${call.messageIndex}, call ${call.callIndex} (${call.tool}) is left out: ${call.reason}`));
  if (bad.length > MOST_BAD) note(`and ${plural(bad.length - MOST_BAD, "more call")} left out`);
  const step = options.runsPerDay === undefined ? 0 : DAY / options.runsPerDay;
  const usage = replayUsage(before);
  return runs.flatMap((run, i) => {
    const at = Math.round(end - (runs.length - 1 - i) * step);
    const how = { workspace, ...(options.agent !== undefined && { agentId: options.agent }), ...(tools && { tools }) };
    return proposalsOf(run, how).map(({ draft }): Recorded => {
      const whole = complete("proposals", { ...draft, eventId: newEventId(), occurredAt: at }) as ActionProposed;
      const proposal = { ...whole, transcript: null };
      const unjudged = { proposal, at, decision: "none", settledAt: at, ran: proposal.actions, others: [], counts: true } as const;
      if (before.length === 0) return { ...unjudged, way: "none", owner: null };
      const verdict = judgeFully(before, { proposal, actions: proposal.actions, answers: "proposal", now: at, usage: usage.reader(before) });
      const way = wayOf(verdict);
      if (way !== "forbid") usage.put(proposal.itemId, countablesOf(proposal, proposal.actions, { flowed: way === "allow" || way === "audit" }), at);
      return { ...unjudged, way, owner: verdict.owner };
    });
  });
}
