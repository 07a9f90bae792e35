import { canonicalize, type Json, sha256 } from "../events/canonical.ts";
import { decimalOf } from "../events/decimal.ts";
import type { Countable, Counted, Meter } from "./budgets/usage.ts";
import { glob, isGlob } from "./conditions/regex.ts";
import type { PolicyContent } from "./document/shape.ts";
import type { Measure, PerPart } from "./document/shape-budget.ts";
import { pointerKeys, valueAt } from "./pointer.ts";
import { isReserved } from "./publish-tool.ts";
import { plain } from "./render.ts";

/** What a meter counts for, and how long. */
export interface MeterHead {
  readonly id: string;
  readonly action: readonly string[];
  readonly per: readonly PerPart[];
  readonly windowMs: number;
}

/** A meter of a document. */
export function meterOf(content: PolicyContent, { id, action, per, windowMs }: MeterHead, measure: Measure, same?: readonly string[] | "all"): Meter {
  const [named, describes] = [namesMatcher(action), namesMatcher(Object.keys(content.actions))];
  const parts = per.map((part) => partReader(part, secretPaths(content)));
  const sameKeys = same === undefined || same === "all" ? same : same.map((path) => pointerKeys(path) ?? []);
  const measureKeys = measure.kind === "count" ? [] : (pointerKeys(measure.path) ?? []);
  return {
    id: `${content.policy}/${id}`,
    workspace: content.workspace,
    windowMs,
    kind: measure.kind,
    read(action) {
      if (action.workspace !== content.workspace || !named(action.tool) || !describes(action.tool)) return undefined;
      const key = [...parts.map((read) => read(action)), ...(sameKeys === undefined ? [] : [sameness(action, sameKeys)])];
      const lacking = key.indexOf(undefined);
      const counted = lacking >= 0 ? undefined : measured(measure.kind, valueAt(action.args, measureKeys));
      const told = readable(key.map((part) => part ?? "unknown").join(" "));
      if (counted !== undefined) return { key: told, amount: counted.amount, values: counted.values };
      const missingSame = Array.isArray(same) ? same.find((path) => valueAt(action.args, pointerKeys(path) ?? []) === undefined) : undefined;
      const blockedBy = lacking < 0 ? (measure.kind === "count" ? undefined : measure.path) : (per[lacking] ?? missingSame);
      return { key: told, amount: undefined, values: [], blockedBy };
    },
  };
}

/** A key as a verdict can show it: what is long or invisible is cut, and told apart by its hash. */
function readable(key: string): string {
  return /^[\x20-\x7e]{1,300}$/.test(key) ? key : `${plain(key, 200)} #${sha256(key).slice(0, 16)}`;
}

/** What a value counts; undefined where it cannot be counted. A negative amount would make room for others, so it is none. */
function measured(kind: Meter["kind"], value: Json | undefined): Omit<Counted, "key"> | undefined {
  if (kind === "count") return { amount: { n: 1n, scale: 0 }, values: [] };
  if (value === undefined || value === null) return undefined;
  if (kind === "sum") {
    const amount = decimalOf(value);
    return amount === undefined || amount.n < 0n ? undefined : { amount, values: [] };
  }
  const values = [...new Set(membersOf(value).map((member) => canonicalize(member)))].map((text) => (text.length <= 100 ? text : sha256(text)));
  return { amount: { n: BigInt(values.length), scale: 0 }, values };
}

/** The values in a list, however deep lists lie in each other: `[["a", "b"]]` names two. */
function membersOf(value: Json): Json[] {
  return Array.isArray(value) ? value.flatMap(membersOf) : [value];
}

function partReader(part: PerPart, secrets: readonly string[]): (action: Countable) => string | undefined {
  switch (part) {
    case "tenant":
      return ({ workspace }) => `tenant=${workspace}`;
    case "agent":
      return ({ agent }) => `agent=${agent}`;
    case "on_behalf_of":
      return ({ onBehalfOf }) => `on_behalf_of=${onBehalfOf ?? "nobody"}`;
    case "run":
      return ({ thread }) => (thread === null ? undefined : `run=${thread}`);
    case "action":
      return ({ tool }) => `action=${tool}`;
    default: {
      const keys = pointerKeys(part) ?? [];
      const isSecret = secrets.some((secret) => `${part}/`.startsWith(`${secret}/`) || `${secret}/`.startsWith(`${part}/`));
      return ({ args }) => {
        const value = valueAt(args, keys);
        if (value === undefined || value === null) return undefined;
        const text = canonicalize(value);
        // A verdict is read by many: what is secret, or long, is only told apart.
        return `${part}=${isSecret || text.length > 100 ? sha256(text).slice(0, 16) : text}`;
      };
    }
  }
}

function sameness({ tool, args, argsSha256 }: Countable, same: readonly (readonly string[])[] | "all"): string | undefined {
  if (same === "all") return `same=${sha256(`${tool}\0${argsSha256}`).slice(0, 16)}`;
  const values = same.map((keys) => valueAt(args, keys));
  return values.includes(undefined) ? undefined : `same=${sha256(`${tool}\0${canonicalize(values as Json)}`).slice(0, 16)}`;
}

/** Whether a tool is one of names and globs. No glob means a tool of Countersign itself: what agents do must not keep a document from being changed. */
export function namesMatcher(names: readonly string[]): (tool: string) => boolean {
  const exact = new Set(names.filter((name) => !isGlob(name)));
  const globs = names.filter(isGlob).map(glob);
  return (tool) => exact.has(tool) || (!isReserved(tool) && globs.some((matches) => matches(tool) === true));
}

function secretPaths(content: PolicyContent): string[] {
  return Object.values(content.actions).flatMap((action) =>
    Object.entries(action.fields ?? {}).flatMap(([path, field]) => (field.class === "secret" ? [path] : [])),
  );
}
