import type { Holder } from "../../local/lock.ts";
import { type Head, offsetIn } from "../../log/log.ts";
import type { OpenedLog } from "../../log/open.ts";
import { loadCodec } from "../../log/schemas.ts";
import { type Batches, openBatches } from "../../projector/batch-queries.ts";
import { openProjector } from "../../projector/projector.ts";
import { openQueries, type Queries } from "../../projector/queries.ts";
import { type ReadViews, readViews } from "../../projector/read-views.ts";
import { openRetries, type Retries } from "../../projector/retries.ts";
import { viewsOptions } from "../../runtime.ts";
import type { Cli } from "../io.ts";
import { plural } from "../text.ts";
import { viewsPath } from "../where.ts";
import type { Check } from "./checks.ts";

/** Views to examine: those of the folder where they are current, else new ones in memory. The file itself has one writer, and that is `up`. */
export interface Examined {
  readonly check: Check;
  readonly queries: Queries;
  readonly batches: Batches;
  readonly retries: Retries;
  close(): void;
}

/** How far behind the log a running `up` may be while it keeps up. */
const MOST_BEHIND = 10_000;

/** Opens views to examine. @throws CountersignError as openProjector and loadCodec */
export async function examineViews(cli: Cli, opened: OpenedLog, heads: readonly Head[], data: string, running: Holder | "unknown" | null): Promise<Examined> {
  const views = readViews(viewsPath(data));
  const behind = typeof views === "string" ? 0 : behindOf(views, heads);
  if (typeof views !== "string" && (running !== null || behind === 0) && isOfThisLog(views, opened)) {
    const detail = behind === 0 ? "they have folded the whole log" : `${plural(behind, "record")} behind the log`;
    const check: Check =
      behind > MOST_BEHIND ? { check: "views", status: "look", detail, fix: "wait for up to catch up" } : { check: "views", status: "ok", detail };
    return { check, queries: views.queries, batches: views.batches, retries: views.retries, close: () => views.close() };
  }
  if (typeof views !== "string") views.close();
  const why = typeof views === "string" ? views : isOfThisLog(views, opened) ? `${plural(behind, "record")} behind the log` : "the views are of another log";
  const codec = await loadCodec(opened.registry);
  const projector = await openProjector({ ...viewsOptions({ ...opened, codec }, ":memory:"), path: ":memory:" });
  try {
    await projector.catchUp(cli.io.signal, (n) => cli.progress(`folding the log in memory: ${n} records`));
    cli.progress(null);
    cli.io.signal.throwIfAborted();
  } catch (error) {
    projector.close();
    throw error;
  }
  const status = running === null ? "ok" : "look";
  const queries = openQueries(projector.views.db);
  return {
    check: { check: "views", status, detail: `${why}; the log was folded in memory to look at it` },
    queries,
    batches: openBatches(projector.views.db, queries),
    retries: openRetries(projector.views.db, projector.onFolded),
    close: () => projector.close(),
  };
}

function isOfThisLog(views: ReadViews, { log }: OpenedLog): boolean {
  return views.logId === ("id" in log ? String(log.id) : log.url);
}

function behindOf(views: ReadViews, heads: readonly Head[]): number {
  return heads.reduce((n, h) => n + Math.max(0, h.next - offsetIn(views.checkpoint, h.topic, h.partition)), 0);
}
