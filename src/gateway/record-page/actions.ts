import type { Json } from "../../events/canonical.ts";
import { pointer } from "../../events/canonical.ts";
import type { ItemRecord } from "../../producers/wire/record.ts";
import { code, facts, type Html, join, json, moment, raw, refHtml, table, text } from "./html.ts";

type Action = ItemRecord["actions"][number];
type Executed = Action["executed"][number];

/** Rows of one table at most: what is larger is shown whole, side by side. */
const MOST_ROWS = 200;

/** Every action: a row for each argument, and what differs from the column before it marked. */
export function actionsHtml({ actions, proposal }: ItemRecord): Html[] {
  if (actions.length === 0) return [raw(`<p>${proposal.ask === "notify" ? "A notice" : "A question"}: nothing can run.</p>`)];
  return actions.flatMap((action) => [title(action, actions.length), sides(action), ...action.executed.map((e) => ended(e, action))]);
}

const CHANGED: Readonly<Record<Action["changed"], string>> = {
  no: "approved as it was proposed",
  edited: "approved with changes",
  dropped: "taken out of the plan by a reviewer",
  waiting: "not approved",
};

function title({ actionId, tool, changed, proposed, approved }: Action, count: number): Html {
  const moved = proposed !== null && approved !== null && proposed.step !== approved.step ? `, step ${approved.step} instead of ${proposed.step}` : "";
  return raw(`<h3>${text(tool)}${count > 1 ? ` (${text(actionId)})` : ""} <span class="soft">${text(`${CHANGED[changed]}${moved}`)}</span></h3>`);
}

interface Column {
  readonly head: string;
  readonly args: unknown;
  readonly argsSha256: string | null;
  /** Said in the place of the arguments where there are none. */
  readonly none: string;
}

function sides(action: Action): Html {
  const columns: Column[] = [
    { head: "Proposed", args: action.proposed?.args, argsSha256: action.proposed?.argsSha256 ?? null, none: "not proposed" },
    {
      head: "Approved",
      args: action.approved?.args,
      argsSha256: action.approved?.argsSha256 ?? null,
      none: action.changed === "dropped" ? "taken out" : "not approved",
    },
    ...action.executed.map((e, i) => ({
      head: e.outcome === "roll_back" ? "Rolled back" : action.executed.length > 1 ? `Executed (${i + 1})` : "Executed",
      args: e.args ?? undefined,
      argsSha256: e.argsSha256,
      none: e.asGranted === false ? "other arguments than granted, which only the executor knows" : "not started",
    })),
    ...(action.executed.length === 0 ? [{ head: "Executed", args: undefined, argsSha256: null, none: "nothing ran" }] : []),
  ];
  const leaves = columns.map(({ args }) => (args === undefined ? null : leavesOf(args as Json)));
  const paths = [...new Set(leaves.flatMap((l) => (l === null ? [] : [...l.keys()])))];
  const rows =
    paths.length > MOST_ROWS
      ? [[text("all"), ...columns.map(whole)]]
      : paths.map((path) => [code(path === "" ? "(all)" : path), ...columns.map((c, i) => cell(path, c, leaves, i))]);
  const hashes = columns.map(({ args, argsSha256 }) => (argsSha256 === null ? text(args === undefined ? null : "hidden") : code(argsSha256)));
  return table(["Argument", ...columns.map((c) => c.head)], [...rows, [text("sha256"), ...hashes]], { name: "sides" });
}

function whole({ args, none }: Column): Html {
  return args === undefined ? text(none) : json(args);
}

/** A cell, marked where it differs from the nearest column on the left that has arguments. */
function cell(path: string, { none }: Column, leaves: readonly (ReadonlyMap<string, Json> | null)[], i: number): Html {
  const own = leaves[i];
  if (own == null) return raw(`<span class="soft">${text(none)}</span>`);
  const before = leaves.slice(0, i).findLast((l) => l !== null);
  const value = own.get(path);
  const shown = value === undefined ? raw('<span class="soft">not given</span>') : json(value);
  return before == null || JSON.stringify(before.get(path)) === JSON.stringify(value) ? shown : raw(`<div class="changed">${shown}</div>`);
}

/** Every scalar of a value by its JSON Pointer; empty lists and objects as they are. */
function leavesOf(value: Json, path = "", out = new Map<string, Json>()): Map<string, Json> {
  const parts = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (parts.length === 0) out.set(path, value);
  for (const [key, part] of parts) leavesOf(part as Json, pointer(path, key), out);
  return out;
}

/** How it ended, and the state before and after. */
function ended(e: Executed, { targetState }: Action): Html {
  return facts([
    [
      "Execution",
      join(
        [
          text(`${e.progress.replace("_", " ")}${e.by === null ? "" : ` by ${e.by}`}`),
          e.startedAt === null ? null : join([text("from"), moment(e.startedAt)], " "),
          e.endedAt === null ? null : join([text("to"), moment(e.endedAt)], " "),
        ],
        " ",
      ),
    ],
    [
      "Arguments",
      e.asGranted === null ? null : e.asGranted ? text("exactly as granted") : raw('<span class="bad">other arguments than granted: a finding</span>'),
    ],
    ["Record", refHtml(e.externalRef)],
    ["Result", e.result === null ? null : json(e.result)],
    ["Error", e.error && text(`${e.error.code}: ${e.error.message}`)],
    ["Settled", e.settled && join([text(`${e.settled.outcome} by ${e.settled.by}`), refHtml(e.settled.externalRef)], ", ")],
    ["State before", targetState && join([json(targetState.state), text("read"), moment(targetState.readAt)], " ")],
    ["State after", e.stateAfter && join([json(e.stateAfter.state), text("read"), moment(e.stateAfter.readAt)], " ")],
  ]);
}
