import type { AnyEvent, Topic } from "../../events/topics.ts";
import type { EventOf } from "../../events/types.generated.ts";
import type { Ledger } from "../../runtime.ts";
import { type Cli, type Colors, SELF } from "../io.ts";
import { cut, oneLine, pad, shortId, timeLeft, timeOfDay, widthOf } from "../text.ts";

/** One thing that happened, in words. */
export interface Line {
  readonly word: string;
  readonly color: keyof Colors;
  readonly text: string;
  /** Kept whole where the text must be cut. */
  readonly end: string;
  /** Whether somebody has to decide now. */
  readonly waits: boolean;
}

/** Lines between two reminders that something waits. */
const REMIND_EVERY = 12;

/** Prints what takes effect, one line each. Gives the way to stop. */
export function narrate(cli: Cli, { projector, queries }: Pick<Ledger, "projector" | "queries">): () => void {
  let lines = 0;
  let reminded = Number.NEGATIVE_INFINITY;
  return projector.onFolded((batch) => {
    for (const { topic, itemId, event } of batch.effective) {
      const line = lineOf(topic, event, queries.item(itemId)?.summary.headline ?? "", cli.io.now());
      if (line === null) continue;
      const at = timeOfDay(event.occurredAt);
      const paint = cli.colors[line.color] as (text: string) => string;
      const text = cut(oneLine(line.text), Math.max(20, cli.width - 28 - widthOf(line.end)));
      cli.say(`${cli.colors.dim(at)} ${shortId(itemId)} ${paint(pad(line.word, 9))} ${text}${line.end}`);
      if (lines++ - reminded < REMIND_EVERY) continue;
      const pending = queries.counts().stages.pending ?? 0;
      if (pending === 0) continue;
      reminded = lines;
      cli.say(cli.colors.dim(`         ${pending === 1 ? "1 waits" : `${pending} wait`} for you: ${SELF} queue`));
    }
  });
}

/** The line of an effective event, or null where it says nothing new. Times are UTC. */
export function lineOf(topic: Topic, event: AnyEvent, headline: string, now: number): Line | null {
  if (topic === "verdicts") return ofVerdict(event as EventOf["verdicts"], headline, now);
  if (topic === "decisions") return ofDecision(event as EventOf["decisions"], headline);
  if (topic === "batches") return ofBatch(event as EventOf["batches"], headline);
  if (topic === "receipts") return ofReceipt(event as EventOf["receipts"], headline);
  if (topic === "policies") return line("policy", "dim", `${(event as EventOf["policies"]).policyId} is published`);
  return null;
}

function ofVerdict(event: EventOf["verdicts"], headline: string, now: number): Line {
  const text = event.card?.headline ?? headline;
  if (event.route === "allow") return line("flows", "green", text);
  if (event.route === "forbid") return line("forbidden", "red", `${event.because[0] ?? "by policy"}: ${text}`);
  const owner = (event.owner ?? "nobody").replace(/^role:/, "");
  return { ...line("waits", "yellow", text), end: ` → ${oneLine(owner)}, ${timeLeft(event.ladder[0]?.at ?? event.expiresAt, now)}`, waits: true };
}

/** One line for a batch, not one for each member's record. */
function ofBatch({ itemId, members, owner }: EventOf["batches"], headline: string): Line | null {
  if (members[0] !== itemId) return null;
  const text = members.length === 1 ? headline : `${members.length} alike, such as: ${headline}`;
  return { ...line("batched", "yellow", text), end: ` → ${oneLine(owner).replace(/^role:/, "")}`, waits: true };
}

function ofDecision(event: EventOf["decisions"], headline: string): Line {
  const who = event.actor.kind === "clock" ? "" : ` by ${event.actor.id}`;
  if (event.kind === "escalate") return line("escalated", "magenta", `${headline} → ${event.escalation?.to ?? "nobody"}: nobody decided in time`);
  if (event.kind === "expire") return line("expired", "magenta", `${headline}: nobody decided, so it does not run`);
  const text = `${headline}${who}${event.message === null ? "" : `: ${event.message}`}`;
  return line(DECIDED[event.kind] ?? event.kind, event.kind === "reject" ? "red" : "cyan", text);
}

function ofReceipt(event: EventOf["receipts"], headline: string): Line | null {
  if (event.kind === "started" || event.kind === "renewed") return null;
  if (event.kind === "succeeded")
    return line("done", "green", `${headline}${event.externalRef === null ? "" : ` (${event.externalRef.system} ${event.externalRef.id})`}`);
  if (event.kind === "failed") return line("failed", "red", `${headline}: ${event.error?.message ?? "no reason given"}`);
  if (event.kind === "unknown") return line("in doubt", "magenta", `${headline}: the executor never said how it ended; settle it`);
  return line(event.kind, "magenta", headline);
}

const DECIDED: Readonly<Record<string, string>> = {
  approve: "approved",
  edit: "edited",
  reject: "rejected",
  respond: "answered",
  acknowledge: "noted",
  withdraw: "withdrawn",
  claim: "claimed",
  release: "released",
  settle: "settled",
  clear: "cleared",
  report: "incident",
};

function line(word: string, color: keyof Colors, text: string): Line {
  return { word, color, text, end: "", waits: false };
}
