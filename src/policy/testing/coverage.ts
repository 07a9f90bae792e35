import { decimalText } from "../../events/decimal.ts";
import { judgeBudgets } from "../budgets/budget.ts";
import { grantReader } from "../budgets/grant-use.ts";
import { NOTHING_USED } from "../budgets/usage.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { glob, isGlob } from "../conditions/regex.ts";
import type { LoadedPolicy } from "../document/loaded.ts";
import type { Condition } from "../document/shape-condition.ts";
import { assess } from "../judgement/assess.ts";
import { routesFor } from "../judgement/routed.ts";
import { countablesOf, subjectsOf } from "../judgement/subjects.ts";
import { rulesOf } from "./expect.ts";
import type { CaseResult } from "./run.ts";

/** A part of a policy that cases should show from both sides. */
export interface Covered {
  readonly kind: "action" | "rule" | "floor" | "grant" | "budget" | "duplicate" | "route" | "questions" | "notices";
  /** Id, name or place in the list. */
  readonly name: string;
  /** From 1. */
  readonly line: number;
  /** Cases in which it took hold. */
  readonly matched: number;
  /** Cases on the same actions in which it did not. */
  readonly notMatched: number;
  /** False where it applies always, so that "not matched" cannot be asked for. */
  readonly hasOther: boolean;
}

/** How much of a policy its cases show. */
export interface Coverage {
  readonly file: string;
  readonly parts: readonly Covered[];
  /** Sides shown of sides that there are, in percent: one side of actions, questions and notices, two of everything else. */
  readonly percent: number;
}

interface Part {
  readonly kind: Covered["kind"];
  readonly name: string;
  readonly path: readonly PropertyKey[];
  readonly hasOther: boolean;
  /** undefined: the case says nothing about it. */
  readonly took: (result: CaseResult) => boolean | undefined;
}

/** What the cases show of a policy. */
export function coverageOf(policy: LoadedPolicy, results: readonly CaseResult[]): Coverage {
  const parts = partsOf(policy).map(({ kind, name, path, hasOther, took }): Covered => {
    const said = results.map(took);
    return {
      kind,
      name,
      line: policy.source.place(path).line,
      matched: said.filter((held) => held === true).length,
      notMatched: said.filter((held) => held === false).length,
      hasOther,
    };
  });
  const sides = parts.flatMap((part) => (part.hasOther ? [part.matched > 0, part.notMatched > 0] : [part.matched > 0]));
  return { file: policy.file, parts, percent: sides.length === 0 ? 100 : (100 * sides.filter(Boolean).length) / sides.length };
}

function partsOf({ document: { content }, compiled }: LoadedPolicy): Part[] {
  const actions = Object.keys(content.actions).map((name): Part => {
    const matches = isGlob(name) ? glob(name) : (tool: string) => tool === name;
    return { kind: "action", name, path: ["actions", name], hasOther: false, took: (result) => toolsOf(result).some((tool) => matches(tool)) || undefined };
  });
  const layers: readonly (readonly ["rules" | "floors" | "grants", Covered["kind"]])[] = [
    ["rules", "rule"],
    ["floors", "floor"],
    ["grants", "grant"],
  ];
  const rules = layers.flatMap(([layer, kind]) =>
    content[layer].map(({ id, when }, i): Part => {
      const reaches = reach(when);
      const took = (result: CaseResult) => (toolsOf(result).some(reaches) ? rulesOf(result.verdict).includes(id) : undefined);
      return { kind, name: id, path: [layer, i], hasOther: kind === "grant" || isConditional(when), took };
    }),
  );
  const routes = content.routes.map((route, i): Part => {
    const reaches = reach(route.when);
    const took = (result: CaseResult) => {
      const places = routed(compiled, result).flatMap(({ tool, place }) => (place >= i && reaches(tool) ? [place] : []));
      return places.length === 0 ? undefined : places.includes(i);
    };
    return { kind: "route", name: `${i + 1}, to ${route.owner ?? "the action's owner"}`, path: ["routes", i], hasOther: isConditional(route.when), took };
  });
  const asks = (["questions", "notices"] as const).flatMap((key): Part[] => {
    const ask = key === "questions" ? "question" : "notify";
    return content[key] === undefined
      ? []
      : [{ kind: key, name: key, path: [key], hasOther: false, took: ({ input }) => input.proposal.ask === ask || undefined }];
  });
  return [...actions, ...rules, ...limitsOf(compiled, content), ...routes, ...asks];
}

/** Each limit of each budget, and each rule on repetition: what is above it and what is not. */
function limitsOf(compiled: CompiledPolicy, { budgets, duplicates }: LoadedPolicy["document"]["content"]): Part[] {
  const limits = budgets.flatMap(({ id, limits: of }, i) =>
    of.map(({ above }, k) => ({ id, above, kind: "budget" as const, path: ["budgets", i, "limits", k] })),
  );
  const repetitions = duplicates.map(({ id }, i) => ({ id, above: undefined, kind: "duplicate" as const, path: ["duplicates", i] }));
  return [...limits, ...repetitions].map(({ id, above, kind, path }): Part => {
    const budget = compiled.budgets.find((one) => one.id === id);
    const limit = budget?.limits.find((one) => above === undefined || decimalText(one.above) === decimalText(above));
    const alone = budget && limit && { ...compiled, budgets: [{ ...budget, limits: [limit] }] };
    const took = ({ input }: CaseResult): boolean | undefined => {
      if (alone === undefined) return undefined;
      const { hits, used } = judgeBudgets(alone, countablesOf(input.proposal, input.actions), input.usage ?? NOTHING_USED, input.now);
      return used.length === 0 ? undefined : hits.size > 0;
    };
    return { kind, name: above === undefined ? id : `${id} above ${decimalText(above)}`, path, hasOther: true, took };
  });
}

/** A condition on nothing but the action holds for every case that is about the action. */
function isConditional(when: Condition | undefined): boolean {
  return when !== undefined && Object.entries(when).some(([key, part]) => key !== "action" && part !== undefined);
}

function reach(when: Condition | undefined): (tool: string) => boolean {
  const matchers = when?.action?.map((name) => (isGlob(name) ? glob(name) : (tool: string) => tool === name));
  return (tool) => matchers === undefined || matchers.some((matches) => matches(tool) === true);
}

function toolsOf({ input }: CaseResult): string[] {
  return input.actions.map(({ tool }) => tool);
}

/** One action of a case, and who this policy says decides on it. */
interface Routed {
  readonly tool: string;
  /** Place of the route that holds, or may; Infinity where perhaps none does. */
  readonly place: number;
}

/** The actions of a case about which a person is asked, each judged by itself as the policy describes it; budgets count all of them together. */
function routed(policy: CompiledPolicy, { input }: CaseResult): Routed[] {
  const { proposal, actions, now, usage = NOTHING_USED } = input;
  const subjects = subjectsOf(input);
  const countables = countablesOf(proposal, actions, { args: subjects.map(({ facts }) => facts.args) });
  const { hits } = judgeBudgets(policy, countables, usage, now);
  return subjects.flatMap((subject, index) =>
    policy.find(subject.facts.tool).flatMap((action): Routed[] => {
      // Arguments that break the schema are forbidden before any rule is asked.
      if (action.check?.(subject.facts.args, subject.facts.steps) !== undefined) return [];
      const facts = { ...subject.facts, baseRisk: action.baseRisk, risk: action.baseRisk };
      const around = { budgets: hits.get(index) ?? [], grant: grantReader(countables, index, usage, now) };
      const outcome = assess(policy, action, facts, subject.evidence, around);
      const asks = outcome.route === "batch" || outcome.route === "interrupt";
      const { routes, certain } = routesFor(action.routes, { ...facts, risk: outcome.risk });
      const places = [...routes.map((route) => route.index), ...(certain && routes.length > 0 ? [] : [Number.POSITIVE_INFINITY])];
      return asks ? places.map((place) => ({ tool: subject.facts.tool, place })) : [];
    }),
  );
}
