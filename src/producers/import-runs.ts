import type { Draft } from "../events/draft.ts";
import type { ActionProposed } from "../events/types.generated.ts";
import type { Position } from "../log/log.ts";
import type { Tools } from "./tools.ts";
import { type BadCall, callsOf, proposalsOf } from "./transcript-calls.ts";
import type { Run } from "./transcripts.ts";

/** What importing needs of a ledger. */
export interface ImportTarget {
  /** Whether the ledger has a proposal of this item. */
  readonly isKnown: (itemId: string) => boolean;
  /** Appends a proposal. */
  readonly propose: (itemId: string, body: Omit<Draft<ActionProposed>, "eventId" | "itemId" | "occurredAt">) => Promise<{ position: Position }>;
}

/** What an import did. */
export interface Imported {
  readonly calls: number;
  readonly proposed: number;
  /** Calls that had been imported before. */
  readonly known: number;
  readonly bad: readonly BadCall[];
  /** Where the last proposals lie: wait for them before reading the views. */
  readonly positions: readonly Position[];
}

const IN_FLIGHT = 64;

/** Proposes every call of recorded runs that is not known yet. Importing the same runs again proposes nothing. */
export async function importRuns(
  runs: readonly Run[],
  options: { workspace: string; agentId?: string; tools?: Tools },
  target: ImportTarget,
  progress?: (calls: number) => void,
): Promise<Imported> {
  const bad = runs.flatMap((run) => callsOf(run).bad);
  const positions: Position[] = [];
  let calls = 0;
  let known = 0;
  let waiting: Promise<Position>[] = [];
  const settle = async () => {
    positions.push(...(await Promise.all(waiting)));
    waiting = [];
    progress?.(calls);
  };
  for (const run of runs) {
    for (const { draft } of proposalsOf(run, options)) {
      calls++;
      if (target.isKnown(draft.itemId)) known++;
      else {
        const { itemId, ...body } = draft;
        waiting.push(target.propose(itemId, body).then(({ position }) => position));
      }
      if (waiting.length >= IN_FLIGHT) await settle();
    }
  }
  await settle();
  return { calls, proposed: calls - known, known, bad, positions };
}
