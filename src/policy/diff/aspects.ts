import { durationText } from "../duration.ts";
import type { Verdict } from "../testing/expect.ts";
import { EXECUTIONS, GATES, REVERSIBILITIES, ROUTES, TIERS } from "../tiers.ts";

/** One part of a verdict, or of a document, that differs. */
export interface Aspect {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  readonly direction: "looser" | "stricter" | "other";
}

/** Holds one part of two things side by side; undefined where it is the same. */
export type Compare<T> = (before: T, after: T) => Aspect | undefined;

/** Parts that mean something wherever a verdict stands; the others only between two verdicts that both ask a person, or both ask nobody. */
const ALWAYS = ["route", "risk", "gate", "reversibility", "execution", "score"];

/** What is compared, the most important first. */
const ASPECTS: readonly Compare<Verdict>[] = [
  scale("route", ROUTES, (v) => v.route),
  scale("risk", TIERS, (v) => v.risk),
  scale("gate", GATES, (v) => v.gate),
  scale("reversibility", REVERSIBILITIES, (v) => v.reversibility),
  scale("execution", EXECUTIONS, (v) => v.steps[0]?.execution ?? "blind"),
  less("approvals", (v) => v.approvals),
  less("score", (v) => v.score),
  permitted("decisions", (v) => v.allowedDecisions),
  permitted("editable", (v) => v.editablePaths.map(({ path }) => path || "everything")),
  required("separation", (v) => v.separation),
  order("approval order", (v) => v.approvalOrder),
  more("batch of", (v) => v.batchMax ?? undefined),
  more("grant may be started for", (v) => v.grantTtlMs ?? undefined, durationText),
  more(
    "audit due",
    (v) => (v.gate === "audit" ? v.ladder[0]?.at : undefined),
    (at) => new Date(at).toISOString(),
  ),
  other("owner", (v) => v.owner ?? "nobody"),
  other("ladder", (v) => v.ladder.map(({ to, at, page }) => `${to} at ${new Date(at).toISOString()}${page ? " paged" : ""}`).join(", ") || "none"),
  other("expires", (v) => (v.expiresAt === null ? "never" : new Date(v.expiresAt).toISOString())),
  other("on expiry", (v) => v.onExpiry),
];

/** What differs between two verdicts. Where a person no longer decides, only the route tells it: approvals of nobody are no loosening of their own. */
export function aspectsOf(before: Verdict, after: Verdict): Aspect[] {
  const found = differing(ASPECTS, before, after);
  const asks = (v: Verdict) => v.allowedDecisions.length > 0;
  return asks(before) === asks(after) ? found : found.filter(({ name }) => ALWAYS.includes(name));
}

/** What differs between two things, by each comparison. */
export function differing<T>(compares: readonly Compare<T>[], before: T, after: T): Aspect[] {
  return compares.flatMap((compare) => compare(before, after) ?? []);
}

/** looser: some part is more permissive. stricter: some part is stricter and none looser. other: neither. */
export function directionOf(aspects: readonly Aspect[]): Aspect["direction"] {
  const has = (direction: Aspect["direction"]) => aspects.some((aspect) => aspect.direction === direction);
  return has("looser") ? "looser" : has("stricter") ? "stricter" : "other";
}

/** A word on a scale from the mildest to the most severe. */
export function scale<T>(name: string, words: readonly string[], of: (thing: T) => string): Compare<T> {
  return less(
    name,
    (v) => words.indexOf(of(v)),
    (at) => words[at] ?? "none",
  );
}

/** A number of which less is more permissive. What only one side has is told by another part. */
export function less<T>(name: string, of: (thing: T) => number | undefined, text: (n: number) => string = String): Compare<T> {
  return numbers(name, of, text, (before, after) => after < before);
}

/** A number of which more is more permissive. */
export function more<T>(name: string, of: (thing: T) => number | undefined, text: (n: number) => string = String): Compare<T> {
  return numbers(name, of, text, (before, after) => after > before);
}

function numbers<T>(
  name: string,
  of: (thing: T) => number | undefined,
  text: (n: number) => string,
  isLooser: (before: number, after: number) => boolean,
): Compare<T> {
  return (before, after) => {
    const [a, b] = [of(before), of(after)];
    if (a === undefined || b === undefined || a === b) return undefined;
    return { name, before: text(a), after: text(b), direction: isLooser(a, b) ? "looser" : "stricter" };
  };
}

function permitted<T>(name: string, of: (thing: T) => readonly string[]): Compare<T> {
  return sets(name, of, (grows) => (grows ? "looser" : "stricter"));
}

function required<T>(name: string, of: (thing: T) => readonly string[]): Compare<T> {
  return sets(name, of, (grows) => (grows ? "stricter" : "looser"));
}

/** Sets compare by what is new and what is gone; where both are, the looser one counts. */
function sets<T>(name: string, of: (thing: T) => readonly string[], direction: (grows: boolean) => Aspect["direction"]): Compare<T> {
  return (before, after) => {
    const [a, b] = [of(before), of(after)];
    const sides = [...(b.some((word) => !a.includes(word)) ? [direction(true)] : []), ...(a.some((word) => !b.includes(word)) ? [direction(false)] : [])];
    if (sides.length === 0) return undefined;
    return { name, before: a.join(", ") || "none", after: b.join(", ") || "none", direction: sides.includes("looser") ? "looser" : "stricter" };
  };
}

/** Who has to approve one after the other. Whoever no longer has to is a loosening, whoever takes the place; the same people in another order are not. */
function order<T>(name: string, of: (thing: T) => readonly string[]): Compare<T> {
  return (before, after) => {
    const [a, b] = [of(before), of(after)];
    if (JSON.stringify(a) === JSON.stringify(b)) return undefined;
    const direction = lacks(b, a) ? "looser" : lacks(a, b) ? "stricter" : "other";
    return { name, before: a.join(", ") || "any", after: b.join(", ") || "any", direction };
  };
}

/** Whether a list lacks somebody whom another names, as often as it does. */
function lacks(list: readonly string[], wanted: readonly string[]): boolean {
  const count = (words: readonly string[], word: string) => words.filter((one) => one === word).length;
  return wanted.some((word) => count(list, word) < count(wanted, word));
}

/** Other people and other times are neither looser nor stricter. */
export function other<T>(name: string, of: (thing: T) => string): Compare<T> {
  return (before, after) => (of(before) === of(after) ? undefined : { name, before: of(before), after: of(after), direction: "other" });
}
