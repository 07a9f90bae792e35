import type { ItemView } from "../../producers/wire/answers.ts";
import { oneLine, shortId, span } from "../text.ts";

/** What only an executor can bring to an end, and who sees to it that one does. */
export function startText({ awaitsStart: start, owner }: ItemView, now: number): string | null {
  if (start === null) return null;
  const what = `${START_WORDS[start.what]}, by an executor: granted ${span(now - start.since)} ago`;
  if (!start.isLate) return `${what}; ${owner ?? "its owner"} is told where nobody starts it within ${span(start.due - now)}`;
  return `${what}, and nobody has started it: ${owner ?? "its owner"} sees to it that an executor runs, or says by hand how it ended`;
}

const START_WORDS = { retry: "the retry of what is in doubt", roll_back: "the roll_back of what has run" } as const;

/** Receipts are the only way in which a retry or a roll_back that was granted ends. */
export function byHand({ itemId, awaitsStart: start, grant }: ItemView): string[] {
  if (start?.isLate !== true) return [];
  const id = shortId(itemId);
  const action = grant === null || grant.actions.length === 1 ? "" : ` --action ${oneLine(grant.actions[grant.done]?.actionId ?? "")}`;
  const done = start.what === "roll_back" ? "compensated" : "succeeded --ref SYSTEM:ID";
  return [`receipt ${id} started${action}`, `receipt ${id} ${done}${action}`, `receipt ${id} failed${action} --error "CODE:MESSAGE"`];
}
