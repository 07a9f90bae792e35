import { CountersignError, messageOf } from "../errors.ts";
import type { EventOf } from "../events/types.generated.ts";
import type { Batches, SealedBatch, Unsealed } from "../projector/batch-queries.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Projector } from "../projector/projector.ts";
import { keyOf, namedBefore, planBatches } from "./batch-plan.ts";
import type { RunningWorker } from "./worker.ts";
import type { Write } from "./write.ts";

/** What the batcher reads and writes through. */
export interface BatcherContext {
  readonly batches: Batches;
  readonly write: Write;
  readonly waitFor: Projector["waitFor"];
  readonly onFolded: (listener: (batch: FoldedBatch) => void) => () => void;
  readonly now: () => number;
  readonly onError: (worker: string, error: unknown) => void;
  /** How long a batch that is sealed only in part may still be its writer's to finish, in milliseconds. Default 2,000. */
  readonly patienceMs?: number;
}

/** So much is looked at together: a run's items come one after the other. */
const GATHER_MS = 40;
/** A clock that was set forward, or a machine that slept, is noticed after this at the latest. */
const TICK_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Seals batches: reads what waits for a place in one, and writes a record for each member. It keeps nothing that a crash could lose: what a
 * batch names and its writer did not get to is written by whoever comes next, under the same id. Two at once are harmless: the first record
 * of a verdict takes effect.
 */
export function runBatcher(context: BatcherContext): RunningWorker {
  const { batches, write, waitFor, now, patienceMs = 2_000 } = context;
  /** Batches that were found sealed only in part, and since when, by performance.now(). */
  const partly = new Map<string, number>();
  let passing: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let wakesAt = Number.POSITIVE_INFINITY;
  let due = Number.POSITIVE_INFINITY;
  let isJudging = false;
  let failures = 0;
  let stopped = false;

  const ticking = setInterval(() => {
    if (now() >= due) wake();
  }, TICK_MS).unref();

  function wake(): void {
    again = true;
    clearTimeout(timer);
    wakesAt = Number.POSITIVE_INFINITY;
    if (passing !== undefined || stopped) return;
    passing = passes().finally(() => {
      passing = undefined;
      if (again && !stopped) wakeIn(failures === 0 ? 0 : Math.min(TICK_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS));
    });
  }

  function wakeIn(ms: number): void {
    const at = performance.now() + ms;
    // What comes without a pause must not put off what is to be done.
    if (stopped || at >= wakesAt) return;
    wakesAt = at;
    clearTimeout(timer);
    timer = setTimeout(wake, ms);
    timer.unref();
  }

  async function passes(): Promise<void> {
    again = false;
    try {
      while (!stopped && (await pass()) > 0);
      failures = 0;
    } catch (error) {
      failures++;
      again = true;
      context.onError(
        "batcher",
        error instanceof CountersignError ? error : new CountersignError("internal", `batcher: ${messageOf(error)}`, { cause: error }),
      );
    }
  }

  /** Seals what is to be sealed now; gives the number of records. */
  async function pass(): Promise<number> {
    const waiting = batches.unsealed();
    isJudging = waiting.some((m) => m.run === "judging");
    const named = namedBefore(waiting, sealedWith(waiting));
    const { late, wait } = patience(named);
    const { seals, next } = planBatches(
      waiting.filter((m) => !named.has(m)),
      now(),
    );
    due = next ?? Number.POSITIVE_INFINITY;
    if (due - now() < TICK_MS) wakeIn(Math.max(5, due - now()));
    if (wait !== null) wakeIn(Math.max(5, wait));
    const records = [...late, ...seals.flatMap((seal) => seal.members.map((member) => ({ member, batch: seal })))];
    // All are given a chance, whatever becomes of one; those that failed are found again, named by the others' records.
    const written = await Promise.allSettled(records.map(({ member, batch }) => seal(member, batch)));
    const positions = written.flatMap((w) => (w.status === "fulfilled" ? [w.value] : []));
    if (positions.length > 0) await waitFor(positions);
    const failed = written.find((w) => w.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return records.length;
  }

  /** The batches that may name a member: those with its key since it was judged, each key asked for once. */
  function sealedWith(waiting: readonly Unsealed[]): (member: Unsealed) => readonly SealedBatch[] {
    const groups = Map.groupBy(waiting, (m) => `${m.workspace}\0${keyOf(m)}`);
    const known = new Map<string, SealedBatch[]>();
    for (const [key, [first, ...rest]] of groups)
      if (first !== undefined) known.set(key, batches.withKey(first.workspace, keyOf(first), Math.min(first.judgedAt, ...rest.map((m) => m.judgedAt))));
    // What was a member of a batch once (before an edit, say) is no member that its writer forgot.
    return (member) => {
      const found = (known.get(`${member.workspace}\0${keyOf(member)}`) ?? []).filter((b) => b.named.includes(member.itemId));
      const was = found.length === 0 ? [] : batches.idsOf(member.itemId);
      return found.filter((b) => !was.includes(b.batchId));
    };
  }

  /** Whoever began a batch is given a moment to finish it: records of a second writer have no effect, but everybody would see them. */
  function patience(named: ReadonlyMap<Unsealed, SealedBatch>): { late: { member: Unsealed; batch: SealedBatch }[]; wait: number | null } {
    const late: { member: Unsealed; batch: SealedBatch }[] = [];
    const at = performance.now();
    let wait: number | null = null;
    const seen = new Set<string>();
    for (const [member, batch] of named) {
      seen.add(batch.batchId);
      const since = partly.get(batch.batchId) ?? at;
      partly.set(batch.batchId, since);
      const left = since + patienceMs - at;
      if (left <= 0) late.push({ member, batch });
      else wait = Math.min(wait ?? left, left);
    }
    for (const id of partly.keys()) if (!seen.has(id)) partly.delete(id);
    return { late, wait };
  }

  async function seal({ itemId, verdictId }: Unsealed, batch: SealedBatch) {
    const { position } = await write("batches", itemId, {
      workspace: batch.workspace,
      answers: { topic: "verdicts", eventId: verdictId },
      actor: { kind: "batcher", id: "batcher" },
      // The same in every record of the batch, whoever writes it.
      occurredAt: batch.at,
      batchId: batch.batchId,
      batchKey: batch.key,
      owner: batch.owner,
      members: [...batch.named],
      sealedBy: batch.sealedBy as EventOf["batches"]["sealedBy"],
    });
    return position;
  }

  const unsubscribe = context.onFolded((batch) => {
    if (batch.rebuilt || concerns(batch, isJudging)) wakeIn(GATHER_MS);
  });
  queueMicrotask(wake);
  return {
    wake,
    async stop() {
      stopped = true;
      unsubscribe();
      clearTimeout(timer);
      clearInterval(ticking);
      await passing;
    },
  };
}

/** Whether a folded batch may let something be sealed: a verdict that waits for it, a run that ends, the last verdict of one that has ended. */
function concerns({ owed, effective }: FoldedBatch, isJudging: boolean): boolean {
  for (const list of owed.values()) if (list.some((o) => o.worker === "batcher")) return true;
  return effective.some(({ topic, event }) =>
    topic === "proposals" ? (event as EventOf["proposals"]).run?.ended === true : isJudging && topic === "verdicts",
  );
}
