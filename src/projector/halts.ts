import type Database from "better-sqlite3";
import type { FoldedBatch } from "./fold-batch.ts";
import { eventIdOfBytes } from "./keys.ts";
import { overlayOf } from "./overlay.ts";

/** What a halt covers: what fits all of these. Without any it covers the whole workspace. */
export interface HaltScope {
  readonly agent?: string;
  /** Name of a tool. */
  readonly action?: string;
}

/** A halt: nothing of what it covers may begin. */
export interface Halt {
  readonly eventId: string;
  readonly workspace: string;
  readonly scope: HaltScope;
  readonly reason: string | null;
  /** Who halted. */
  readonly by: string;
  readonly at: number;
  /** When it ends by itself; null: only when somebody lifts it. */
  readonly expiresAt: number | null;
}

/** Whom and what an action concerns. */
export interface Concerned {
  readonly workspace: string;
  readonly agent: string;
  readonly tools: readonly string[];
}

/** The halts in force, from the documents of the policy authority. */
export interface Halts {
  inForce(now: number): readonly Halt[];
  /** The first halt that covers somebody's actions. */
  covering(concerned: Concerned, now: number): Halt | undefined;
  /**
   * For how long halts have covered somebody's actions from a time on, in milliseconds: also those that were lifted, or have ended, since.
   *
   * @param length how long a stretch of time counts; by default as long as it is
   */
  coveredFor(concerned: Concerned, from: number, now: number, length?: (from: number, to: number) => number): number;
  /** When the next of them ends by itself; null where none does. */
  nextEnd(now: number): number | null;
}

/** Follows the halts in a views file. */
export function openHalts(views: Database.Database, onFolded: (listener: (batch: FoldedBatch) => void) => () => void): Halts {
  // A lift ends a halt whichever of them arrived first.
  const standing = views.prepare(
    `SELECT id, workspace, scope, reason, actor, at, expires FROM document AS halt WHERE kind = 'halt' AND NOT EXISTS (
       SELECT 1 FROM document AS lift WHERE lift.kind = 'lift' AND lift.item = halt.item AND lift.ends = halt.id
     ) ORDER BY at, id`,
  );
  const ever = views.prepare(
    `SELECT id, workspace, scope, reason, actor, at, (SELECT MIN(until) FROM (
       SELECT halt.expires AS until UNION ALL SELECT lift.at FROM document AS lift WHERE lift.kind = 'lift' AND lift.item = halt.item AND lift.ends = halt.id
     )) AS expires FROM document AS halt WHERE kind = 'halt' ORDER BY at, id`,
  );
  let known: readonly Halt[] | undefined;
  let past: readonly Halt[] | undefined;
  onFolded((batch) => {
    if (batch.rebuilt || batch.effective.some((e) => e.topic === "policies")) known = past = undefined;
  });
  const all = () => {
    if (known !== undefined) return known;
    overlayOf(views).flush();
    known = (standing.all() as HaltRow[]).map(haltOf);
    return known;
  };
  const inForce = (now: number) => all().filter((halt) => halt.expiresAt === null || halt.expiresAt > now);
  const history = () => {
    if (past !== undefined) return past;
    overlayOf(views).flush();
    past = (ever.all() as HaltRow[]).map(haltOf);
    return past;
  };
  return {
    inForce,
    coveredFor(concerned, from, now, length = (start, end) => end - start) {
      let [sum, upTo] = [0, from];
      for (const halt of history()) {
        if (!covers(halt, concerned)) continue;
        const end = Math.min(now, halt.expiresAt ?? now);
        const start = Math.max(upTo, halt.at);
        if (end > start) sum += length(start, end);
        upTo = Math.max(upTo, end);
      }
      return sum;
    },
    covering: (concerned, now) => inForce(now).find((halt) => covers(halt, concerned)),
    nextEnd: (now) => inForce(now).reduce<number | null>((next, { expiresAt }) => (next === null ? expiresAt : Math.min(next, expiresAt ?? next)), null),
  };
}

interface HaltRow {
  id: Buffer;
  workspace: string;
  scope: string | null;
  reason: string | null;
  actor: string;
  at: number;
  expires: number | null;
}

function haltOf({ id, workspace, scope, reason, actor, at, expires }: HaltRow): Halt {
  return { eventId: eventIdOfBytes(id), workspace, scope: haltScope(scope), reason, by: actor, at, expiresAt: expires };
}

/** The scope in a document. One that this version cannot read covers everything: a halt must never cover less than was meant. */
export function haltScope(text: string | null): HaltScope {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
    const entries = Object.entries(value);
    const readable = entries.every(([key, name]) => (key === "agent" || key === "action") && typeof name === "string");
    return readable ? (Object.fromEntries(entries) as HaltScope) : {};
  } catch {
    return {};
  }
}

/** Whether a halt covers somebody's actions. One halted step halts its whole plan. */
export function covers({ workspace, scope }: Halt, concerned: Concerned): boolean {
  if (workspace !== concerned.workspace) return false;
  if (scope.agent !== undefined && scope.agent !== concerned.agent) return false;
  return scope.action === undefined || concerned.tools.includes(scope.action);
}

/** A halt in words. */
export function haltWords({ by, reason, scope }: Pick<Halt, "by" | "reason" | "scope">): string {
  const what = [...(scope.agent === undefined ? [] : [`agent ${scope.agent}`]), ...(scope.action === undefined ? [] : [`action ${scope.action}`])];
  return `Halted by ${by} (${what.join(", ") || "everything"})${reason === null ? "" : `: ${reason}`}`;
}
