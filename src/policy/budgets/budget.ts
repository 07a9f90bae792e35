import type { Json } from "../../events/canonical.ts";
import { add, compare, type Decimal, decimalOf, decimalText, subtract, ZERO } from "../../events/decimal.ts";
import type { BudgetUse } from "../../events/types.generated.ts";
import type { CompiledPolicy, CompiledRule } from "../compiled.ts";
import type { Reading } from "../conditions/condition.ts";
import { ABSENT, YES } from "../conditions/truth.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { BudgetContent, DuplicateContent } from "../document/shape-budget.ts";
import { durationText } from "../duration.ts";
import type { Hit } from "../judgement/assess.ts";
import { meterOf, namesMatcher } from "../meter.ts";
import { pointerKeys, valueAt } from "../pointer.ts";
import { moneyText, plain } from "../render.ts";
import type { Countable, Counted, Meter, UsageReader } from "./usage.ts";

/** A budget, ready to judge. */
export interface CompiledBudget {
  /** As the document names it. */
  readonly id: string;
  readonly meter: Meter;
  /** The measured argument. */
  readonly path: string | undefined;
  readonly unit: string | undefined;
  /** Lowest first. */
  readonly limits: readonly CompiledLimit[];
  readonly duplicate: boolean;
}

interface CompiledLimit {
  readonly above: Decimal;
  readonly because: string | undefined;
  readonly effect: Pick<CompiledRule, "risk" | "points" | "approvals" | "hard" | "forbid">;
}

/** What the budgets of a policy say of all actions of an item together. */
export interface BudgetOutcome {
  /** Budgets that took hold, by the action's place in the plan: each is judged as a rule that matched. */
  readonly hits: ReadonlyMap<number, readonly Hit[]>;
  /** Every budget that applies, exceeded or not. */
  readonly used: readonly BudgetUse[];
}

/** The budgets and rules on repetition of a document. */
export function compileBudgets(content: PolicyContent): CompiledBudget[] {
  const compiled = [
    ...content.budgets.map((budget) => compileBudget(content, budget)),
    ...content.duplicates.map((duplicate) => compileDuplicate(content, duplicate)),
  ];
  return compiled.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function compileBudget(content: PolicyContent, { id, action, measure, per, window, limits, because }: BudgetContent): CompiledBudget {
  const unit = measure.kind === "sum" ? unitOf(content, action, measure.path) : undefined;
  return {
    id,
    meter: meterOf(content, { id, action, per, windowMs: window }, measure),
    path: measure.kind === "count" ? undefined : measure.path,
    unit,
    limits: limits.map((limit) => compileLimit(limit.above, limit, limit.because ?? because)).sort((a, b) => compare(a.above, b.above)),
    duplicate: false,
  };
}

function compileDuplicate(content: PolicyContent, { id, action, by, per, window, because, ...effect }: DuplicateContent): CompiledBudget {
  const meter = meterOf(content, { id, action, per, windowMs: window }, { kind: "count" }, by ?? "all");
  return { id, meter, path: undefined, unit: undefined, limits: [compileLimit({ n: 1n, scale: 0 }, effect, because)], duplicate: true };
}

function compileLimit(above: Decimal, { raise, forbid }: Pick<DuplicateContent, "raise" | "forbid">, because: string | undefined): CompiledLimit {
  const approvals = raise?.approvals ?? 1;
  return {
    above,
    because,
    effect: { risk: raise?.risk, points: raise?.points ?? 0, approvals, hard: raise?.gate === "hard" || approvals > 1, forbid: forbid === true },
  };
}

/** The unit of a sum; `checkBudgets` has made sure that the actions agree. */
function unitOf(content: PolicyContent, names: readonly string[], path: string): string | undefined {
  const matches = namesMatcher(names);
  return Object.entries(content.actions).find(([name, action]) => (matches(name) || names.includes(name)) && action.amount?.path === path)?.[1].amount?.unit;
}

/** An action of the item that is judged. */
export interface BudgetSubject extends Countable {
  readonly actionId: string;
}

const NO_BUDGETS: BudgetOutcome = { hits: new Map(), used: [] };

/** Holds all actions of an item against the budgets of a policy: actions that count for the same key count together. */
export function judgeBudgets(policy: CompiledPolicy, subjects: readonly BudgetSubject[], usage: UsageReader, asOf: number): BudgetOutcome {
  if (policy.budgets.length === 0) return NO_BUDGETS;
  const hits = new Map<number, Hit[]>();
  const used: BudgetUse[] = [];
  for (const budget of policy.budgets) {
    const byKey = new Map<string, { index: number; counted: Counted }[]>();
    for (const [index, subject] of subjects.entries()) {
      const counted = budget.meter.read(subject);
      if (counted === undefined) continue;
      const group = byKey.get(counted.key);
      if (group === undefined) byKey.set(counted.key, [{ index, counted }]);
      else group.push({ index, counted });
    }
    for (const [key, group] of [...byKey].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const { use, found } = judgeGroup(budget, key, group, subjects, usage, asOf);
      used.push(use);
      for (const { index } of group) if (found.length > 0) hits.set(index, [...(hits.get(index) ?? []), ...found]);
    }
  }
  return { hits, used };
}

function judgeGroup(
  budget: CompiledBudget,
  key: string,
  group: readonly { index: number; counted: Counted }[],
  subjects: readonly BudgetSubject[],
  usage: UsageReader,
  asOf: number,
): { use: BudgetUse; found: Hit[] } {
  const { meter, limits } = budget;
  const { windowMs, kind } = meter;
  const values = [...new Set(group.flatMap(({ counted }) => counted.values))];
  const { count, sum } = usage({ id: meter.id, key, windowMs, asOf, without: values });
  const before = decimalOf(kind === "sum" ? sum : count);
  if (before === undefined) throw new Error(`the usage of ${meter.id} cannot be read: ${kind === "sum" ? sum : count}`);
  const own = kind === "distinct" ? { n: BigInt(values.length), scale: 0 } : group.reduce((total, { counted }) => add(total, counted.amount ?? ZERO), ZERO);
  const total = add(before, own);
  const unknown = group.some(({ counted }) => counted.amount === undefined);
  const exceeded = limits.filter((limit) => unknown || compare(total, limit.above) > 0);
  const shownLimit = (unknown ? undefined : exceeded.at(-1)) ?? limits.find((limit) => compare(total, limit.above) <= 0) ?? limits.at(-1);
  const use: BudgetUse = { name: meter.id, key, used: decimalText(before), limit: decimalText(shownLimit?.above ?? ZERO), windowMs };
  if (exceeded.length === 0) return { use, found: [] };
  const only = group.length === 1 ? subjects[group[0]?.index as number] : undefined;
  return { use, found: [unknown ? unknownHit(budget, group, subjects) : hitOf(budget, exceeded, { key, before, own, total }, only)] };
}

interface Totals {
  readonly key: string;
  readonly before: Decimal;
  readonly own: Decimal;
  readonly total: Decimal;
}

function hitOf(budget: CompiledBudget, exceeded: readonly CompiledLimit[], totals: Totals, only: BudgetSubject | undefined): Hit {
  const { id, meter, path } = budget;
  const top = exceeded.at(-1) as CompiledLimit;
  const rule = ruleOf(budget, exceeded, `${top.because === undefined ? "" : `${top.because}: `}${sentence(budget, top, totals)}`);
  const left = subtract((exceeded[0] as CompiledLimit).above, totals.before);
  const operand = only === undefined || path === undefined ? undefined : valueAt(only.args, pointerKeys(path) ?? []);
  // One amount that is above what is left: a smaller one would have passed.
  const fits = meter.kind === "sum" && exceeded.length === 1 && left.n > 0n && typeof operand === "number" && Number(decimalText(left)) > 0;
  const reading: Reading = fits
    ? { path: path as string, operator: "above", threshold: Number(decimalText(left)), operand, isArgument: true, negated: false, truth: YES }
    : {
        path: `budget/${id}`,
        operator: "above",
        threshold: decimalText(top.above),
        operand: decimalText(totals.total),
        isArgument: false,
        negated: false,
        truth: YES,
      };
  return { rule, truth: YES, readings: [reading] };
}

function sentence({ id, meter, unit, duplicate }: CompiledBudget, { above }: CompiledLimit, { key, before, own, total }: Totals): string {
  const window = durationText(meter.windowMs);
  const shownKey = plain(key.replaceAll("=", " "), 120);
  if (duplicate) return `${id}: the same again within ${window}: ${decimalText(before)} before it count (${shownKey.replace(/ ?same [0-9a-f]+$/, "")})`;
  const text = (value: Decimal) => (unit === undefined ? decimalText(value) : moneyText(decimalText(value), unit, 60));
  const what = meter.kind === "distinct" ? " different values" : "";
  return `Budget ${id}: ${text(total)}${what} in ${window} for ${shownKey} is above ${text(above)} (${text(before)} used before it, ${text(own)} more)`;
}

/** Nobody knows what it comes to, so every limit takes hold, and a person looks; nothing is forbidden on a guess. */
function unknownHit(budget: CompiledBudget, group: readonly { index: number; counted: Counted }[], subjects: readonly BudgetSubject[]): Hit {
  const { id, path: measured, limits } = budget;
  const rule = { ...ruleOf(budget, limits, `Budget ${id} cannot be counted`), hard: true };
  const first = group.find(({ counted }) => counted.amount === undefined);
  const path = first?.counted.blockedBy ?? "key";
  const isArgument = path.startsWith("/");
  const operand = isArgument ? valueAt(subjects[first?.index ?? 0]?.args ?? null, pointerKeys(path) ?? []) : undefined;
  const asked = path === measured ? { operator: "above", threshold: decimalText(limits[0]?.above ?? ZERO) } : { operator: "exists", threshold: true };
  return { rule, truth: ABSENT, readings: [{ path, ...asked, operand, isArgument, negated: false, truth: ABSENT, why: uncountable(operand) }] };
}

function uncountable(value: Json | undefined): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is null";
  return (decimalOf(value)?.n ?? 0n) < 0n ? "is negative" : "is no amount";
}

/** A budget that took hold before, as a rule that always does: everything that its limits raise. What forbids did not take hold then. */
export function everyLimit(budget: CompiledBudget): CompiledRule | undefined {
  const raising = budget.limits.filter(({ effect }) => !effect.forbid);
  return raising.length === 0 ? undefined : ruleOf(budget, raising, `Budget ${budget.id} of the version that judged it before was exceeded`);
}

/** The limits that took hold as one rule: of each effect the most severe. */
function ruleOf({ id }: CompiledBudget, exceeded: readonly CompiledLimit[], because: string): CompiledRule {
  const tiers = exceeded.flatMap(({ effect }) => effect.risk ?? []);
  return {
    id,
    when: undefined,
    risk: tiers.sort((a, b) => RANK.indexOf(a) - RANK.indexOf(b)).at(-1),
    points: Math.max(...exceeded.map(({ effect }) => effect.points)),
    approvals: Math.max(...exceeded.map(({ effect }) => effect.approvals)),
    approvalOrder: [],
    hard: exceeded.some(({ effect }) => effect.hard),
    separation: [],
    forbid: exceeded.some(({ effect }) => effect.forbid),
    floor: false,
    because,
  };
}

const RANK = ["low", "medium", "high", "critical"];
