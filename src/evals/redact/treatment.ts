import { createHmac } from "node:crypto";
import { canonicalize, type Json, pointer } from "../../events/canonical.ts";

/** What is done with a field, most careful first. */
export const TREATMENTS = ["drop", "mask", "pseudonym", "bucket", "keep"] as const;
export type Treatment = (typeof TREATMENTS)[number];

/** A field and what is done with it. A path covers its descendants. */
export interface FieldRule {
  readonly path: string;
  readonly treatment: Treatment;
}

/** What stands where a value was masked. */
export const MASKED = "[masked]";

/** The treatment of a path: the most careful of all rules that cover it; undefined where none does. */
export function treatmentOf(path: string, rules: readonly FieldRule[]): Treatment | undefined {
  if (rules.length === 0) return undefined;
  const found = rules.filter((rule) => rule.path === "" || path === rule.path || path.startsWith(`${rule.path}/`)).map((rule) => rule.treatment);
  return TREATMENTS.find((treatment) => found.includes(treatment));
}

/** A name for a value that is always the same under the same key, and tells nothing without it. */
export function pseudonym(key: string, workspace: string, kind: string, value: string): string {
  return `${kind}-${createHmac("sha256", key).update(`${workspace}\0${kind}\0${value}`).digest("hex").slice(0, 12)}`;
}

/** How values are changed. `text` looks into the texts that no rule covers. `seen` hears of every text that is hidden. */
export interface Treating {
  readonly rules: readonly FieldRule[];
  readonly key: string;
  readonly workspace: string;
  readonly text: (text: string) => string;
  readonly seen?: ((text: string, instead: string) => void) | undefined;
}

/** A value with its fields treated, the value itself where nothing changes; undefined where it is dropped. `path` is where it stands in the arguments. */
export function treated(value: Json, how: Treating, path = ""): Json | undefined {
  const treatment = treatmentOf(path, how.rules);
  if (treatment === "drop") {
    hideAll(value, MASKED, how);
    return undefined;
  }
  if (Array.isArray(value)) {
    const parts = value.map((part, i) => treated(part, how, `${path}/${i}`) ?? null);
    return parts.every((part, i) => part === value[i]) ? value : parts;
  }
  if (typeof value === "object" && value !== null) {
    const out: { [key: string]: Json } = {};
    let same = true;
    for (const key of Object.keys(value)) {
      const part = treated(value[key] as Json, how, pointer(path, key));
      // A key may itself hold what is looked for, such as an address.
      const name = part === undefined ? key : how.text(key);
      if (part !== undefined) out[name] = part;
      same &&= part === value[key] && name === key;
    }
    return same ? value : out;
  }
  return leaf(value, treatment, how);
}

function leaf(value: string | number | boolean | null, treatment: Treatment | undefined, how: Treating): Json {
  if (value === null) return null;
  switch (treatment) {
    case "mask":
      return hidden(value, MASKED, how);
    case "pseudonym":
      return hidden(value, pseudonym(how.key, how.workspace, "value", canonicalize(value)), how);
    case "bucket":
      return hidden(value, bucketOf(value), how);
    default:
      return typeof value === "string" ? how.text(value) : numberText(value, how);
  }
}

/** A number can be a card as well. It stays a number where nothing is found in it. */
function numberText(value: number | boolean, how: Treating): Json {
  if (typeof value === "boolean") return value;
  const text = String(value);
  const after = how.text(text);
  return after === text ? value : after;
}

function hidden(value: string | number | boolean, instead: string, how: Treating): string {
  if (typeof value !== "boolean") how.seen?.(String(value), instead);
  return instead;
}

function hideAll(value: Json, instead: string, how: Treating): void {
  if (typeof value === "string" || typeof value === "number") hidden(value, instead, how);
  else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) hideAll(part, instead, how);
}

/** Amounts by 1, 2, 5 and their powers of ten, dates by month; everything else is masked. */
export function bucketOf(value: string | number | boolean): string {
  const [, month] = /^(\d{4}-\d{2})-\d{2}(?:[T ].*)?$/.exec(String(value)) ?? [];
  if (month !== undefined) return month;
  const n = typeof value === "number" ? value : typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isFinite(n)) return MASKED;
  if (n === 0) return "0";
  const size = Math.abs(n);
  const decade = 10 ** Math.floor(Math.log10(size));
  const steps = [1, 2, 5, 10].map((step) => Number((step * decade).toPrecision(3)));
  const low = steps.findLast((step) => step <= size) ?? (steps[0] as number);
  const high = steps.find((step) => step > size) ?? low * 2;
  return n > 0 ? `${low}..${high}` : `-${high}..-${low}`;
}
