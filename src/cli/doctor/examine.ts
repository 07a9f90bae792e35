import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Holder, lockedBy } from "../../local/lock.ts";
import { parseLogUrl } from "../../log/url.ts";
import type { Todo } from "../../projector/list-queries.ts";
import type { Queries } from "../../projector/queries.ts";
import { openTries, waitsFor } from "../../workers/other-tries.ts";
import type { Cli } from "../io.ts";
import { plural } from "../text.ts";
import { openExisting } from "../where.ts";
import { checkBudgets } from "./budgets.ts";
import {
  type Check,
  checkBad,
  checkBatches,
  checkFindings,
  checkLog,
  checkParked,
  checkProposals,
  checkRegistry,
  checkTodos,
  checkTopics,
  checkUnstarted,
  failed,
} from "./checks.ts";
import { checkKeys } from "./keys.ts";
import { checkNotices } from "./notices.ts";
import { type Examined, examineViews } from "./views.ts";

/** Something that lasts for less is only on its way, in milliseconds. */
const SETTLES_MS = 1500;

/** Looks at everything, whether `up` runs beside it or nothing does. Changes nothing. Never throws for what it finds. */
export async function examine(cli: Cli, { log: url, data }: { log: string; data: string }): Promise<Check[]> {
  const checks: Check[] = [];
  let policies: ReturnType<Queries["policies"]> | null = null;
  const running = lockedBy(data);
  checks.push(await checkUp(running));
  const parsed = parseLogUrl(url);
  if (parsed.kind === "sqlite" && !existsSync(join(parsed.dir, "log.db")))
    return [
      ...checks,
      {
        check: "log",
        status: "wrong",
        detail: `There is no log in ${parsed.dir}`,
        fix: "start countersign up, which makes one, or name the right one with --log",
      },
    ];
  try {
    const opened = await openExisting(url);
    try {
      const { check, heads } = await checkLog(opened.log);
      checks.push(check);
      if (parsed.kind === "kafka") checks.push(await checkTopics(parsed).catch((error) => failed("topics", error)));
      const schemas = await checkRegistry(opened, parsed.kind === "kafka" ? parsed.prefix : "").catch((error) => failed("schemas", error));
      checks.push(schemas);
      if (schemas.status === "wrong") return checks;
      const views = await examineViews(cli, opened, heads, data, running).catch((error) => failed("views", error));
      if (!("queries" in views)) return [...checks, views];
      try {
        policies = views.queries.policies();
        checks.push(views.check, ...(await checkContents(views, running !== null, cli.io.now())));
        checks.push(await checkBudgets(views.queries, opened, cli.io.now()).catch((error) => failed("budgets", error)));
      } finally {
        views.close();
      }
    } finally {
      await opened.registry.close();
      await opened.log.close();
    }
  } catch (error) {
    checks.push(failed("log", error));
  }
  checks.push(checkKeys(data, policies, cli.io.now()), checkNotices(data));
  return checks;
}

async function checkUp(running: Holder | "unknown" | null): Promise<Check> {
  if (running === null)
    return { check: "up", status: "look", detail: "nothing runs: nothing is judged, granted or expired meanwhile", fix: "start countersign up" };
  if (running === "unknown") return { check: "up", status: "ok", detail: "a process uses the folder" };
  const name = `countersign ${running.what} runs as process ${running.pid}`;
  if (running.url === undefined) return { check: "up", status: "ok", detail: `${name}; it does not answer over HTTP (yet)` };
  try {
    const response = await fetch(`${running.url}/healthz`, { signal: AbortSignal.timeout(3000) });
    const health = (await response.json()) as { status?: string };
    if (response.ok) return { check: "up", status: "ok", detail: `${name} and answers at ${running.url}` };
    return {
      check: "up",
      status: "wrong",
      detail: `${name}, but says that it is not well: ${health.status ?? response.status}`,
      fix: "read what it says on stderr",
    };
  } catch {
    return { check: "up", status: "wrong", detail: `${name}, but does not answer at ${running.url}`, fix: "read what it says on stderr, and start it anew" };
  }
}

async function checkContents({ queries, batches, retries }: Examined, isRunning: boolean, now: number): Promise<Check[]> {
  const first = { parked: queries.parked(1000), todos: overdue(queries, now) };
  // While events come in, some always wait for a moment: what is still there after one has settled, stays.
  if (isRunning && first.parked.length + first.todos.length > 0) await sleep(SETTLES_MS);
  const keep = <T>(before: readonly T[], after: readonly T[]) => after.filter((x) => before.some((y) => JSON.stringify(x) === JSON.stringify(y)));
  const policies = queries.policies();
  const { stages } = queries.counts();
  const tries = openTries(queries, retries);
  const waiting = (todo: Todo) => {
    const view = todo.duty === "resume" ? queries.item(todo.itemId) : undefined;
    return view === undefined ? null : waitsFor(view, tries);
  };
  return [
    policies.length === 0
      ? { check: "policies", status: "look", detail: "none is published: every action waits for a person", fix: "start up with --policy FILE" }
      : { check: "policies", status: "ok", detail: `in force: ${policies.map((p) => `${p.policyId}@${p.version}`).join(", ")}` },
    checkBad(queries),
    checkProposals(queries),
    checkParked(keep(first.parked, queries.parked(1000))),
    checkFindings(queries),
    checkUnstarted(queries, now),
    checkBatches(batches, [...new Set(policies.map((p) => p.workspace))]),
    checkTodos(keep(first.todos, overdue(queries, now)), waiting, isRunning, now),
    (stages.in_doubt ?? 0) > 0
      ? {
          check: "in doubt",
          status: "look",
          detail: `${plural(stages.in_doubt ?? 0, "item")} started, and nobody knows how it ended`,
          fix: "see countersign queue --stage in_doubt, then countersign decide ID --settle",
        }
      : { check: "in doubt", status: "ok", detail: "no execution is" },
  ];
}

function overdue(queries: Queries, now: number): Todo[] {
  return (["policy", "dispatcher", "clock", "batcher"] as const).flatMap((worker) => queries.todos(worker, now - SETTLES_MS, 1000));
}
