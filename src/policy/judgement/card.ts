import { type Json, pointer } from "../../events/canonical.ts";
import type { Card, CardField } from "../../events/types.generated.ts";
import type { CompiledAction, CompiledField } from "../compiled.ts";
import { pointerKeys, valueAt } from "../pointer.ts";
import { fill, MASKED, moneyText, plain, valueText } from "../render.ts";

/** Most fields of a card, and most characters of all their values together: a verdict must stay far below the limit of an event. */
const MAX_FIELDS = 200;
const MAX_VALUES = 60_000;
const MAX_VALUE = 4_000;
const MAX_SLOT = 200;

/** One action, as the card shows it. */
export interface CardAction {
  readonly actionId: string;
  readonly tool: string;
  readonly args: Json;
  /** Entries of catalogues that describe it, the most severe opinion's first. */
  readonly described: readonly CompiledAction[];
  readonly reversibility: string;
  /** Paths that a rule matched on. */
  readonly unusual: ReadonlySet<string>;
  readonly owner: string;
}

/** What a reviewer decides from, rendered from the real arguments. */
export function cardOf(proposed: readonly CardAction[], because: readonly string[]): Card {
  const actions = proposed.map(withoutSecrets);
  const fields = actions.flatMap(fieldsOf);
  const shownFields = fields.slice(0, MAX_FIELDS);
  const most = Math.max(100, Math.min(MAX_VALUE, Math.floor(MAX_VALUES / Math.max(1, shownFields.length))));
  const list: CardField[] = shownFields.map(({ render, ...field }) => ({ ...field, value: render(most) }));
  const [first] = actions;
  if (fields.length > MAX_FIELDS && first !== undefined)
    list.push({ label: "More", actionId: first.actionId, path: "", value: `${fields.length - MAX_FIELDS} more arguments are not shown`, unusual: true });
  const each = (part: "if_approved" | "if_rejected" | "if_it_fails" | "rollback") => {
    const texts = [...new Set(actions.map((action) => textOf(action, part)))];
    return plain(texts.join(" "), 2_000);
  };
  return {
    headline: headlineOf(actions),
    why: whyOf(because),
    ifApproved: each("if_approved"),
    ifRejected: each("if_rejected"),
    rollback: each("rollback"),
    ifItFails: each("if_it_fails"),
    fields: list,
  };
}

/** Reasons as one text, each a sentence. */
export function whyOf(reasons: readonly string[]): string {
  return plain(reasons.map((reason) => (/[.!?…]$/.test(reason) ? reason : `${reason}.`)).join(" "), 4_000);
}

/** The card of a question or a notice. */
export function askCard(kind: "question" | "notify", text: string, agent: string): Card {
  const asks = kind === "question";
  return {
    headline: `${plain(agent, 80)} ${asks ? "asks" : "gives notice"}: ${plain(text, 1_000)}`,
    why: asks ? "The agent waits for the answer." : "The agent goes on; somebody has to take note.",
    ifApproved: asks ? "The answer goes to the agent. Nothing else runs." : "The notice is closed.",
    ifRejected: "",
    rollback: "",
    ifItFails: "",
    fields: [],
  };
}

function headlineOf(actions: readonly Shown[]): string {
  const lines = actions.slice(0, 20).map((action) => textOf(action, "headline"));
  if (actions.length <= 1) return plain(lines[0] ?? "", 1_000);
  return plain(`${actions.length} steps: ${lines.map((line, i) => `${i + 1}. ${line}`).join(" · ")}${actions.length > 20 ? " · …" : ""}`, 3_000);
}

function textOf(action: Shown, part: keyof CompiledAction["card"]): string {
  const describing = action.described.find((entry) => entry.card[part] !== undefined);
  const template = describing?.card[part];
  if (describing === undefined || template === undefined) return DEFAULT_TEXT[part](action);
  return fill(template, { value: action.value, unit: describing.unit?.unit, most: MAX_SLOT });
}

/** An action whose secrets are masked: nothing that is rendered can show them. */
type Shown = CardAction & { readonly value: (keys: readonly string[]) => Json | undefined };

function withoutSecrets(action: CardAction): Shown {
  const args = action.described
    .flatMap((entry) => entry.fields.filter((field) => field.secret))
    .reduce((value, field) => masked(value, field.keys), action.args);
  const value = (keys: readonly string[]): Json | undefined => {
    const found = valueAt(args, keys);
    const inside = found === undefined && args !== action.args && valueAt(action.args, keys) !== undefined;
    return inside ? MASKED : found;
  };
  return { ...action, args, value };
}

function masked(value: Json, keys: readonly string[]): Json {
  if (valueAt(value, keys) === undefined) return value;
  const [key, ...rest] = keys;
  if (key === undefined || typeof value !== "object" || value === null) return MASKED;
  if (Array.isArray(value)) return value.map((part, i) => (String(i) === key ? masked(part, rest) : part));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, name === key ? masked(part, rest) : part]));
}

const DEFAULT_TEXT: Record<keyof CompiledAction["card"], (action: Shown) => string> = {
  headline: (action) => {
    const tool = plain(action.tool, 80);
    const entries = topLevel(action.args);
    const parts = entries.slice(0, 6).map(([key, value]) => `${plain(key, 40)} ${valueText(value, 60)}`);
    const more = entries.length > parts.length ? ` and ${entries.length - parts.length} more` : "";
    return `Run ${tool}${parts.length > 0 ? ` with ${parts.join(", ")}` : " without arguments"}${more}`;
  },
  if_approved: ({ tool }) => `${plain(tool, 80)} runs once, with exactly these arguments.`,
  if_rejected: () => "Nothing runs. The agent is told why.",
  if_it_fails: ({ owner }) => `The failure is recorded and comes back to ${owner}.`,
  rollback: ({ reversibility }) =>
    reversibility === "reversible" ? "It can be undone." : reversibility === "partially" ? "It can be undone with effort." : "It cannot be undone.",
};

type Rendered = Omit<CardField, "value"> & { render: (most: number) => string };

/** Described fields first, in the order of the document, then every other argument. */
function fieldsOf(action: Shown): Rendered[] {
  const described = new Map<string, CompiledField>();
  for (const entry of action.described)
    for (const field of entry.fields) if (!described.has(field.path) || described.get(field.path)?.label === undefined) described.set(field.path, field);
  const out = [...described.values()].map((field) => fieldOf(action, field.path, field.label ?? labelOf(field.path), action.value(field.keys)));
  for (const [key, value] of topLevel(action.args)) {
    const path = pointer("", key);
    if (!described.has(path)) out.push(fieldOf(action, path, plain(key, 80), value));
  }
  if (typeof action.args !== "object" || action.args === null || Array.isArray(action.args)) out.push(fieldOf(action, "", "Arguments", action.args));
  return out;
}

function fieldOf(action: Shown, path: string, label: string, value: Json | undefined): Rendered {
  const unit = action.described.find((entry) => entry.unit?.path === path)?.unit?.unit;
  const unusual = [...action.unusual].some(
    (seen) => seen === path || (path !== "" && seen.startsWith(`${path}/`)) || (path !== "" && path.startsWith(`${seen}/`)),
  );
  const render = (most: number): string => (unit === undefined ? valueText(value, most) : moneyText(value, unit, most));
  // A key may be as long as the arguments: such a path is of no use to anybody.
  return { label, actionId: action.actionId, path: path.length > 300 ? "" : path, unusual, render };
}

function topLevel(args: Json): [string, Json][] {
  return typeof args === "object" && args !== null && !Array.isArray(args) ? Object.entries(args) : [];
}

/** /customer_email → customer email */
function labelOf(path: string): string {
  return plain((pointerKeys(path) ?? []).join(" ").replaceAll("_", " "), 80);
}
