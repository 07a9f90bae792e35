import type { ItemView, ListedItem } from "../../producers/wire/answers.ts";
import type { Colors } from "../io.ts";
import { oneLine } from "../text.ts";

/** A name with its colour, for risks, routes and outcomes. */
export function riskText(risk: string | null | undefined, colors: Colors): string {
  const text = oneLine(risk ?? "not judged");
  if (risk === "critical") return colors.bold(colors.red(text));
  if (risk === "high") return colors.red(text);
  return risk === "medium" ? colors.yellow(text) : text;
}

/** A paths list as people read it. */
export function pathsText(paths: ItemView["editablePaths"]): string {
  const list = paths.map(({ path }) => (path === "" ? "everything" : oneLine(path)));
  return [...new Set(list)].join(", ");
}

/** The decisions a reviewer may make, as words for `decide`. */
export function decisionsText(item: Pick<ItemView | ListedItem, "allowedDecisions">): string {
  return item.allowedDecisions.map(oneLine).join(", ");
}

/** Where an item is, in a few words. `decision` is the kind of the one that settled it, where that is known. */
export function stageText(stage: string, outcome: string | null, decision?: string | null, flagged = false): string {
  if (stage === "done") return outcome ?? "done";
  if (stage === "settled" && flagged) return `${SETTLED_WORDS[decision ?? ""] ?? "settled"}, but ${HELD_BACK}`;
  if (stage === "settled" && decision) return `${SETTLED_WORDS[decision] ?? decision}, the run is about to be told`;
  return STAGE_WORDS[stage] ?? stage.replaceAll("_", " ");
}

const HELD_BACK = "flagged: nothing is granted until the record that could not be read is cleared (countersign show names it)";

const SETTLED_WORDS: Readonly<Record<string, string>> = {
  approve: "approved",
  edit: "approved with changes",
  reject: "rejected",
  respond: "answered",
  acknowledge: "acknowledged",
  withdraw: "withdrawn",
  expire: "expired",
};

const STAGE_WORDS: Readonly<Record<string, string>> = {
  unproposed: "not proposed yet",
  proposed: "being judged",
  pending: "waiting for a decision",
  rejudging: "edited, being judged again",
  settled: "settled, the run is about to be told",
  granted: "granted, not started yet",
  executing: "executing",
  in_doubt: "in doubt: started, and nobody knows how it ended",
};
