import { edgeInputs, saidOf, toolsOf } from "./diff-inputs.ts";
import type { LoadedPolicy } from "./loaded.ts";
import type { JudgeInput } from "./subjects.ts";
import { rulesOf, type Verdict } from "./testing/expect.ts";
import { type Described, inputOf } from "./testing/input.ts";
import { judgeFully } from "./testing/run.ts";
import { EXECUTIONS, GATES, REVERSIBILITIES, ROUTES, TIERS } from "./tiers.ts";

/** One part of a verdict that differs. */
export interface Aspect {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  readonly direction: "looser" | "stricter" | "other";
}

/** Proposals that two documents judge differently in the same way. */
export interface Region {
  readonly action: string;
  /** looser: some part is more permissive. stricter: some part is stricter and none looser. other: other people, other times. */
  readonly direction: Aspect["direction"];
  readonly aspects: readonly Aspect[];
  /** Rules that matched only before, and only after. */
  readonly lost: readonly string[];
  readonly gained: readonly string[];
  /** How many of the proposals that were tried lie in it. */
  readonly count: number;
  /** One of them: both documents were asked about it. */
  readonly witness: Described;
  readonly because: { readonly before: readonly string[]; readonly after: readonly string[] };
}

type Compare = (before: Verdict, after: Verdict) => Aspect | undefined;

/** What is compared, the most important first. */
const ASPECTS: readonly Compare[] = [
  scale("route", ROUTES, (v) => v.route),
  scale("risk", TIERS, (v) => v.risk),
  scale("gate", GATES, (v) => v.gate),
  scale("reversibility", REVERSIBILITIES, (v) => v.reversibility),
  scale("execution", EXECUTIONS, (v) => v.steps[0]?.execution ?? "blind"),
  number("approvals", (v) => v.approvals),
  number("score", (v) => v.score),
  permitted("decisions", (v) => v.allowedDecisions),
  permitted("editable", (v) => v.editablePaths.map(({ path }) => path || "everything")),
  required("separation", (v) => v.separation),
  other("approval order", (v) => v.approvalOrder.join(", ") || "any"),
  other("owner", (v) => v.owner ?? "nobody"),
  other("ladder", (v) => v.ladder.map(({ to, at, page }) => `${to} at ${new Date(at).toISOString()}${page ? " paged" : ""}`).join(", ") || "none"),
  other("expires", (v) => (v.expiresAt === null ? "never" : new Date(v.expiresAt).toISOString())),
  other("on expiry", (v) => v.onExpiry),
];

/** What differs between two verdicts. Where a person no longer decides, only the route tells it: approvals of nobody are no loosening of their own. */
export function aspectsOf(before: Verdict, after: Verdict): Aspect[] {
  const found = ASPECTS.flatMap((compare) => compare(before, after) ?? []);
  const asks = (v: Verdict) => v.allowedDecisions.length > 0;
  return asks(before) === asks(after) ? found : found.filter(({ name }) => ["route", "risk", "gate", "reversibility", "execution", "score"].includes(name));
}

/** One proposal that two documents judge differently. */
export interface Difference extends Omit<Region, "count"> {
  readonly before: Verdict;
  readonly after: Verdict;
}

/** Everything that is tried: proposals of each tool of which the documents do not say the same, a question and a notice. */
function* tried(before: LoadedPolicy, after: LoadedPolicy, onProgress: (tool: string) => void): Generator<Pick<Region, "action" | "witness">> {
  const [was, is] = [before.document.content, after.document.content];
  for (const tool of toolsOf([was, is])) {
    if (saidOf(was, tool) === saidOf(is, tool)) continue;
    onProgress(tool);
    for (const witness of edgeInputs([before, after], tool)) yield { action: tool, witness };
  }
  yield { action: "(a question)", witness: { ask: "question" } };
  yield { action: "(a notice)", witness: { ask: "notify" } };
}

/** Every proposal that was tried and is judged differently, as they are found. */
export function* differences(before: LoadedPolicy, after: LoadedPolicy, onProgress: (tool: string) => void = () => {}): Generator<Difference> {
  for (const { action, witness } of tried(before, after, onProgress)) {
    const [old, now] = [before, after].map((policy) => judgeFully([policy.compiled], inputIn(policy, witness))) as [Verdict, Verdict];
    const aspects = aspectsOf(old, now);
    if (aspects.length === 0) continue;
    const [oldRules, newRules] = [rulesOf(old), rulesOf(now)];
    const lost = oldRules.filter((rule) => !newRules.includes(rule));
    const gained = newRules.filter((rule) => !oldRules.includes(rule));
    const because = { before: old.because, after: now.because };
    yield { action, direction: directionOf(aspects), aspects, lost, gained, witness, because, before: old, after: now };
  }
}

/**
 * The regions in which two documents judge differently, each with a proposal that proves it. Proposals are generated at the edges of what
 * both documents say; a difference that no generated proposal shows is not found, so an empty answer is strong evidence, not a proof.
 */
export function diffPolicies(before: LoadedPolicy, after: LoadedPolicy, onProgress: (tool: string) => void = () => {}): Region[] {
  const regions = new Map<string, Region>();
  for (const { before: _, after: __, ...found } of differences(before, after, onProgress)) {
    const shape = found.aspects.map(({ name, before: b, after: a, direction }) =>
      ["expires", "ladder", "score"].includes(name) ? [name, direction] : [name, b, a],
    );
    const key = JSON.stringify([found.action, shape, found.lost, found.gained]);
    const known = regions.get(key);
    regions.set(key, known === undefined ? { ...found, count: 1 } : { ...known, count: known.count + 1 });
  }
  const order = ["looser", "other", "stricter"];
  return [...regions.values()].sort((a, b) => order.indexOf(a.direction) - order.indexOf(b.direction));
}

function inputIn(policy: LoadedPolicy, described: Described): JudgeInput {
  return inputOf(described, policy.document.workspace, [policy.compiled]);
}

function directionOf(aspects: readonly Aspect[]): Aspect["direction"] {
  const has = (direction: Aspect["direction"]) => aspects.some((aspect) => aspect.direction === direction);
  return has("looser") ? "looser" : has("stricter") ? "stricter" : "other";
}

function scale(name: string, words: readonly string[], of: (v: Verdict) => string): Compare {
  return number(name, (v) => words.indexOf(of(v)), of);
}

function number(name: string, of: (v: Verdict) => number, text: (v: Verdict) => string = (v) => String(of(v))): Compare {
  return (before, after) => {
    const [a, b] = [of(before), of(after)];
    return a === b ? undefined : { name, before: text(before), after: text(after), direction: b < a ? "looser" : "stricter" };
  };
}

function permitted(name: string, of: (v: Verdict) => readonly string[]): Compare {
  return sets(name, of, (more) => (more ? "looser" : "stricter"));
}

function required(name: string, of: (v: Verdict) => readonly string[]): Compare {
  return sets(name, of, (more) => (more ? "stricter" : "looser"));
}

/** Sets compare by what is new and what is gone; where both are, the looser one counts. */
function sets(name: string, of: (v: Verdict) => readonly string[], direction: (more: boolean) => Aspect["direction"]): Compare {
  return (before, after) => {
    const [a, b] = [of(before), of(after)];
    const sides = [...(b.some((word) => !a.includes(word)) ? [direction(true)] : []), ...(a.some((word) => !b.includes(word)) ? [direction(false)] : [])];
    if (sides.length === 0) return undefined;
    return { name, before: a.join(", ") || "none", after: b.join(", ") || "none", direction: sides.includes("looser") ? "looser" : "stricter" };
  };
}

function other(name: string, of: (v: Verdict) => string): Compare {
  return (before, after) => (of(before) === of(after) ? undefined : { name, before: of(before), after: of(after), direction: "other" });
}
