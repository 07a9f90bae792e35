import { CountersignError, messageOf } from "../../errors.ts";
import { awaitedStart } from "../../ledger/owed.ts";
import type { EventLog, Head } from "../../log/log.ts";
import type { OpenedLog } from "../../log/open.ts";
import { checkSchemas } from "../../log/schemas.ts";
import type { KafkaUrl } from "../../log/url.ts";
import type { Batches } from "../../projector/batch-queries.ts";
import type { Todo } from "../../projector/list-queries.ts";
import type { Queries } from "../../projector/queries.ts";
import { plural, span } from "../text.ts";

/** One thing that was looked at. `look`: somebody should know, but nothing is broken. */
export interface Check {
  readonly check: string;
  readonly status: "ok" | "look" | "wrong";
  /** A sentence. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
  /** Each thing that was found, for people. */
  readonly found?: readonly string[];
}

/** Most of each kind that is listed. */
const MOST = 50;
/** Most open batches that are looked at in a workspace. */
const MOST_BATCHES = 200;

/** A check that failed with an error. */
export function failed(check: string, error: unknown): Check {
  const fix = error instanceof CountersignError ? error.fix : undefined;
  return { check, status: "wrong", detail: messageOf(error), ...(fix !== undefined && { fix }) };
}

/** The log: does it answer, and how much is in it. */
export async function checkLog(log: EventLog): Promise<{ check: Check; heads: readonly Head[] }> {
  const heads = await log.heads();
  const records = heads.reduce((n, h) => n + h.next - h.first, 0);
  const lost = heads.filter((h) => h.first > 0);
  if (lost.length > 0)
    return {
      heads,
      check: {
        check: "log",
        status: "wrong",
        detail: `The beginning of ${plural(lost.length, "partition")} is gone: the views cannot be rebuilt from it`,
        fix: "set retention without limit with countersign topics apply, and restore the log from a backup",
        found: lost.map((h) => `${h.topic} ${h.partition} begins at offset ${h.first}`),
      },
    };
  return {
    heads,
    check: { check: "log", status: "ok", detail: `${log.url} answers: ${plural(log.partitions, "partition")} a topic, ${plural(records, "record")}` },
  };
}

/** Settings that would lose events. Other settings, such as replication, are for those who run the cluster. */
const LOSING = /cleanup\.policy|retention\.|message\.timestamp\.type/;

/** The topics of a log on Kafka. */
export async function checkTopics(url: KafkaUrl): Promise<Check> {
  const { applyTopics } = await import("../../log/kafka.ts");
  const { rows, warnings } = await applyTopics(url, { dryRun: true });
  const differing = rows.filter((row) => row.status !== "unchanged");
  const found = [...differing.map((row) => `${row.topic}: ${row.detail}`), ...warnings];
  const status = differing.some((row) => row.status === "would create" || LOSING.test(row.detail)) ? "wrong" : found.length > 0 ? "look" : "ok";
  if (status === "ok") return { check: "topics", status, detail: "all seven are as they should be" };
  return {
    check: "topics",
    status,
    detail: `${plural(differing.length, "topic")} not as countersign topics apply would make them`,
    fix: "run countersign topics apply --dry-run, then without",
    found,
  };
}

/** This version's schemas. */
export async function checkRegistry({ registry }: OpenedLog, prefix: string): Promise<Check> {
  const rows = await checkSchemas(registry, { prefix });
  const missing = rows.filter((row) => row.status !== "unchanged");
  if (missing.length === 0) return { check: "schemas", status: "ok", detail: `all ${rows.length} are registered` };
  const found = missing.map((row) => `${row.subject}: ${row.status}${row.messages.length > 0 ? `, ${row.messages.join("; ")}` : ""}`);
  return {
    check: "schemas",
    status: "wrong",
    detail: `${plural(missing.length, "schema")} of this version not registered`,
    fix: "run countersign schemas apply",
    found,
  };
}

/** Records that could not be folded, with their positions, and the items that they flag. */
export function checkBad(queries: Queries): Check {
  const bad = queries.bad(MOST);
  const flagged = new Set(queries.flagged(1000));
  const isItem = (key: string) => queries.item(key)?.item.proposal != null;
  const held = [...flagged].filter(isItem);
  if (bad.length === 0) return { check: "bad records", status: "ok", detail: "every record could be folded" };
  const found = bad.map((b) => {
    const holds =
      b.flags && b.itemId !== null && isItem(b.itemId)
        ? `, ${flagged.has(b.itemId) ? `flags item ${b.itemId}` : `item ${b.itemId}, cleared`}`
        : `, key ${b.itemId === null ? "missing" : `${JSON.stringify(b.itemId)}, which is no item`}`;
    return `${b.topic} ${b.partition}:${b.offset} ${b.reason}: ${b.message}${holds}, sha256 ${b.sha256}`;
  });
  const unknown = bad.some((b) => b.reason === "unknown_schema") ? "register the missing schema: the record is then folded in its place; " : "";
  // A clear answers the item's verdict: what lies under another key, or under an item that was never judged, holds up nothing that runs.
  const clearable = bad.filter((b) => b.flags && b.itemId !== null && flagged.has(b.itemId) && queries.item(b.itemId)?.life.verdict != null);
  const clear = clearable.length > 0 ? "where it is known to be junk, clear it with countersign decide ITEM --clear SHA256; " : "";
  const mendable = clearable.length > 0 || bad.some((b) => b.reason === "unknown_schema");
  const rest = mendable ? "" : "nothing has to be done: no item that was judged is held up by them, and they stay on record; ";
  return {
    check: "bad records",
    status: mendable ? "wrong" : "look",
    detail: `${plural(queries.totals().bad, "record")} could not be folded; ${held.length === 0 ? "no item is flagged by one" : `${plural(held.length, "item")} flagged: no grant, and nobody starts`}`,
    fix: `${unknown}${clear}${rest}find out who wrote it with countersign tail --from TOPIC:PARTITION:OFFSET`,
    found,
  };
}

/** Events whose cause is not there. */
export function checkParked(parked: ReturnType<Queries["parked"]>): Check {
  if (parked.length === 0) return { check: "parked", status: "ok", detail: "every event has its cause" };
  return {
    check: "parked",
    status: "wrong",
    detail: `${plural(parked.length, "event")} waiting for a cause that is not there`,
    fix: "look for the missing event at its writer; nothing else waits for it",
    found: parked.slice(0, MOST).map((p) => `item ${p.itemId}: ${p.topic} at offset ${p.offset} answers ${p.cause}`),
  };
}

/** Proposals that broke a rule, so that no item came of them. The gateway writes none. */
export function checkProposals(queries: Queries): Check {
  const refused = queries.proposalsOfNoItem(MOST);
  if (refused.length === 0) return { check: "proposals", status: "ok", detail: "every proposal became an item" };
  return {
    check: "proposals",
    status: "look",
    detail: `${plural(refused.length, "proposal")}${refused.length === MOST ? " or more" : ""} written to the log against the rules: no item came of them, and their writers wait in vain`,
    fix: "mend the writer, or let it propose over HTTP, where it is told; the same key may be used again",
    found: refused.map((p) => `key ${p.itemId}: proposals at offset ${p.offset}, by ${p.actor}: ${p.reason}`),
  };
}

/** What only an executor can bring to an end, and what none has started for as long as a grant may wait. */
export function checkUnstarted(queries: Queries, now: number): Check {
  const late = queries.todos("executor", now, MOST + 1);
  if (late.length === 0) return { check: "unstarted", status: "ok", detail: "no retry and no roll_back waits for an executor for too long" };
  return {
    check: "unstarted",
    status: "look",
    detail: `${late.length > MOST ? `more than ${MOST}` : plural(late.length, "grant")} of a retry or a roll_back that no executor has started: only a start brings them to an end`,
    fix: "start an executor for these actions; where none will come, countersign show ITEM says how somebody ends it by hand, with an executor key",
    found: late.slice(0, MOST).map(({ itemId, due }) => {
      const view = queries.item(itemId);
      const start = view === undefined ? null : awaitedStart(view.item, view.life.resume);
      return `item ${itemId}: ${start?.what ?? "grant"} of ${view?.summary.tools?.join(", ") ?? "an action"}, late for ${span(now - due)}, owner ${view?.owner ?? "nobody"}`;
    }),
  };
}

/** What somebody should look at: findings never change what is legal. */
export function checkFindings(queries: Queries): Check {
  const findings = queries.findings(MOST);
  if (findings.length === 0) return { check: "findings", status: "ok", detail: "none" };
  return {
    check: "findings",
    status: "look",
    detail: `${plural(queries.totals().findings, "finding")}`,
    fix: "look at each item with countersign show",
    found: findings.map((f) => `${f.code}: item ${f.itemId}, ${f.topic} ${f.eventId}${f.offset === null ? "" : ` at offset ${f.offset}`}`),
  };
}

/** Sealed batches that still wait, and items that one of them names and that never became members. */
export function checkBatches(batches: Batches, workspaces: readonly string[]): Check {
  const open = workspaces.flatMap((workspace) => batches.list({ workspace, open: true, limit: MOST_BATCHES })).flatMap((b) => batches.batch(b.batchId) ?? []);
  const waiting = open.reduce((n, { members }) => n + members.filter((m) => m.standing.state === "in").length, 0);
  const unsealed = batches.unsealed().length;
  const found = open.flatMap(({ batchId, members }) => members.filter((m) => m.verdict === null).map((m) => `batch ${batchId}: item ${m.itemId} was left out`));
  const detail = `${plural(open.length, "batch", "batches")} with ${plural(waiting, "member")} to decide; ${plural(unsealed, "item")} waiting for a batch`;
  if (found.length === 0) return { check: "batches", status: "ok", detail };
  return {
    check: "batches",
    status: "look",
    detail: `${detail}; ${found.length} left out`,
    fix: "nothing has to be done: each was decided, or sealed in another batch, before its record was written, or is finished in a moment; see countersign show",
    found: found.slice(0, MOST),
  };
}

/**
 * Events that the workers owe and have not written.
 *
 * @param waitsFor why one is not to be written yet; null where nothing speaks against it
 */
export function checkTodos(owed: readonly Todo[], waitsFor: (todo: Todo) => string | null, isRunning: boolean, now: number): Check {
  const why = owed.map(waitsFor);
  const stuck = owed.filter((_todo, i) => why[i] === null);
  const waiting = owed.flatMap((t, i) => (why[i] ? [`item ${t.itemId} waits for its grant. ${why[i]}`] : []));
  if (stuck.length === 0 && waiting.length > 0) {
    const detail = `${plural(waiting.length, "approved item")} waiting until another try of the same work has ended`;
    return { check: "todos", status: "ok", detail, found: waiting.slice(0, MOST) };
  }
  if (stuck.length === 0) return { check: "todos", status: "ok", detail: "nothing is owed that should have been written" };
  const found = stuck.slice(0, MOST).map((t) => `item ${t.itemId}: ${t.duty} on ${t.cause}${t.due > 0 ? `, due ${span(now - t.due)} ago` : ""}`);
  return isRunning
    ? { check: "todos", status: "wrong", detail: `${plural(stuck.length, "event")} owed for too long`, fix: "read what the running up says on stderr", found }
    : {
        check: "todos",
        status: "look",
        detail: `${plural(stuck.length, "event")} owed, and nothing runs that would write them`,
        fix: "start countersign up",
        found,
      };
}
