import { verdictOfGrant } from "../ledger/fold.ts";
import { type ActionTerms, type Item, keyOf, nodeOf, type ProposalNode, type ReceiptNode, type ResumeNode } from "../ledger/item.ts";
import { owedTo } from "../ledger/owed.ts";
import { type Called, isGrant } from "../ledger/resumes.ts";
import type { Queries } from "../projector/queries.ts";
import type { StoredItemView } from "../projector/reading.ts";
import type { Retries } from "../projector/retries.ts";

/** Another item that does, did or may have done the work of one: both go by the same effect keys. */
export interface OtherTry {
  readonly itemId: string;
  /**
   * `open`: it has a grant, or nobody knows yet how it ended. `due`: it is about to be granted. `done`: it, or a step that is named again, has
   * happened. `doubtful`: it ended, and whether it happened is not certain.
   */
  readonly state: "open" | "due" | "done" | "doubtful";
  /** Id of the grant that is all that is open of it, where nobody has started that; else null. */
  readonly idleGrant: string | null;
  /** Its state, as one says of it. */
  readonly words: string;
  /** Names it and its state. */
  readonly why: string;
}

/** What is asked about the tries of one piece of work. */
export interface Tries {
  /** The other tries that stand in the way of an item, or have to be known by whoever lets it run with these actions. */
  beside(item: Item, actions: readonly Step[]): readonly OtherTry[];
}

const IN_DOUBT = "is in doubt";
/** How what was in doubt is spoken of once it is settled. */
const WAS_IN_DOUBT = /^was in doubt and ended as \w+/;

type Step = Pick<ActionTerms, "actionId" | "tool" | "argsSha256">;

/** Finds the tries of one piece of work: what an item follows along `retryOf`, and what follows any of those. One agent's, in one workspace. */
export function openTries(queries: Queries, retries: Retries): Tries {
  function othersOf(item: Item): StoredItemView[] {
    const own = nodeOf(item, "proposals", item.proposal);
    const others: StoredItemView[] = [];
    const seen = new Set([item.id]);
    const found: { readonly id: string; readonly proposal: ProposalNode | undefined }[] = [{ id: item.id, proposal: own }];
    // It grows while it is gone through.
    for (const { id, proposal } of found)
      for (const next of [proposal?.retryOf ?? id, ...retries.of(id)]) {
        if (seen.has(next)) continue;
        seen.add(next);
        const view = queries.item(next);
        const of = view === undefined ? undefined : nodeOf(view.item, "proposals", view.item.proposal);
        // What names somebody else's item keeps nothing of theirs from running.
        if (view === undefined || of === undefined || of.agentId !== own?.agentId || view.item.workspace !== item.workspace) continue;
        others.push(view);
        found.push({ id: next, proposal: of });
      }
    return others;
  }

  return {
    beside(item, actions) {
      const named = nodeOf(item, "proposals", item.proposal)?.retryOf;
      return othersOf(item).flatMap((view) => {
        const standing = standingOf(view, actions, queries.saidSucceeded(view.itemId));
        if (standing === null) return [];
        const what = view.itemId === named ? `It is to try again ${view.itemId}, which` : `The same work is that of ${view.itemId}, which`;
        return [{ itemId: view.itemId, ...standing, why: `${what} ${standing.words}` }];
      });
    },
  };
}

/**
 * Why an item is not granted for what other tries have come to since somebody decided on it; null where nothing is in its way.
 *
 * @param said the sentences that whoever decided could read
 * @param hasBegun whether it is itself a further try at what is in doubt: only what has certainly happened is in its way then
 */
export function unsaid(others: readonly OtherTry[], said: readonly string[], hasBegun: boolean): string | null {
  const isSaid = ({ itemId, state, words }: OtherTry) => {
    // Whoever let it run while that was in doubt knew that nobody knows; whoever only heard that it executes did not.
    const known = state === "doubtful" ? [words, words.replace(WAS_IN_DOUBT, IN_DOUBT)] : [words];
    return said.some((sentence) => sentence.includes(itemId) && known.some((of) => sentence.includes(of)));
  };
  const other = others.find((o) => (o.state === "done" || (o.state === "doubtful" && !hasBegun)) && !isSaid(o));
  return other === undefined ? null : `${other.why}. Nothing was run; propose it again where it is still wanted.`;
}

/**
 * The other try that keeps an item from being granted which is decided: it runs, or nobody knows yet how it ended. In words; null where the item
 * waits for none.
 */
export function waitsFor(view: StoredItemView, { beside }: Tries): string | null {
  const isOwed = owedTo(view.item).some(({ duty, names }) => duty === "resume" && names !== "roll_back" && isGrant(names as Called["outcome"]));
  return isOwed ? (beside(view.item, []).find(({ state }) => state === "open")?.why ?? null) : null;
}

function standingOf(view: StoredItemView, actions: readonly Step[], saidSucceeded: boolean): Pick<OtherTry, "state" | "idleGrant" | "words"> | null {
  const { item, stage, outcome } = view;
  const grants = grantsOf(item);
  const unknowns = unknownsOf(item);
  const open = grants.filter(({ group }) => group.closedBy === null);
  const inDoubt = unknowns.some(({ settle }) => settle === null);
  // A success that has no effect is the one trace of what may well have happened.
  const also = saidSucceeded ? ", though an executor said that it had succeeded" : "";
  if (open.length > 0 || inDoubt) {
    const idle = open.every(({ group }) => group.running === null && group.done === 0);
    const words = `${inDoubt ? IN_DOUBT : idle ? "is granted" : "is executing"}${also}`;
    return { state: "open", idleGrant: idle && !inDoubt ? (open[0]?.id ?? null) : null, words };
  }
  const closed = (state: OtherTry["state"], words: string) => ({ state, idleGrant: null, words });
  if (outcome === "succeeded" || outcome === "compensated") return closed("done", `ended as ${outcome}`);
  // That it was undone in part is no certainty, nor is an end that nobody saw: a person may have settled it.
  const undone = grants.some((grant) => grant.outcome === "roll_back" && grant.group.startedAt !== null);
  if (unknowns.length > 0 && stage !== "done") return closed("doubtful", `${IN_DOUBT}${also}`);
  const ended = `${unknowns.length > 0 ? "was in doubt and " : ""}ended as ${outcome ?? stage}`;
  const again = undone ? [] : repeated(item, grants, actions);
  // What has certainly happened comes first: a doubt about another step must not hide it.
  if (again.length > 0) return closed("done", `${ended} after its ${again.join(", ")} had succeeded${also}`);
  if (unknowns.length > 0) return closed("doubtful", `${ended}${also}`);
  if (undone) return closed("doubtful", `was rolled back only in part${also}`);
  if (saidSucceeded) return closed("doubtful", `${ended}${also}`);
  const isDue = owedTo(item).some(({ duty, names }) => duty === "resume" && isGrant(names as Called["outcome"]));
  return isDue ? closed("due", "is about to be granted") : null;
}

/** Steps that have succeeded, or were settled as that, in a plan that went no further, and that are named again. */
function repeated(item: Item, grants: readonly ResumeNode[], actions: readonly Step[]): string[] {
  const done = grants.flatMap((grant) => {
    const terms = verdictOfGrant(item, grant).actions;
    const settled = unknownsOf(item).filter(
      (of) => of.cause === keyOf("resumes", grant.id) && nodeOf(item, "decisions", of.settle)?.settlement === "succeeded",
    );
    const happened = grant.actions.filter(({ actionId }, i) => i < grant.group.done || settled.some((of) => of.actionId === actionId));
    return happened.map((step) => ({ ...step, tool: terms.find(({ actionId }) => actionId === step.actionId)?.tool }));
  });
  const isSame = (a: (typeof done)[number]) => actions.some((b) => a.argsSha256 === b.argsSha256 && (a.actionId === b.actionId || a.tool === b.tool));
  return done.filter(isSame).map(({ actionId }) => actionId);
}

function grantsOf({ nodes }: Item): ResumeNode[] {
  return [...nodes.values()].filter((node): node is ResumeNode => node.topic === "resumes" && isGrant(node.outcome));
}

function unknownsOf({ nodes }: Item): ReceiptNode[] {
  return [...nodes.values()].filter((node): node is ReceiptNode => node.topic === "receipts" && node.kind === "unknown");
}
