import type { CompiledPolicy, CompiledRoute } from "../compile.ts";
import { subjectsOf } from "../judge.ts";
import type { LoadedPolicy } from "../loaded.ts";
import { glob, isGlob } from "../regex.ts";
import type { Condition } from "../shape-condition.ts";
import { raises } from "../truth.ts";
import { rulesOf } from "./expect.ts";
import type { CaseResult } from "./run.ts";

/** A part of a policy that cases should show from both sides. */
export interface Covered {
  readonly kind: "action" | "rule" | "floor" | "grant" | "budget" | "duplicate" | "route";
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
  /** Sides shown of sides that there are, in percent: one side of an action, two of everything else. */
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
  const layers: readonly (readonly ["rules" | "floors", Covered["kind"]])[] = [
    ["rules", "rule"],
    ["floors", "floor"],
  ];
  const rules = layers.flatMap(([layer, kind]) =>
    content[layer].map(({ id, when }, i): Part => {
      const reaches = reach(when);
      const took = (result: CaseResult) => (toolsOf(result).some(reaches) ? rulesOf(result.verdict).includes(id) : undefined);
      return { kind, name: id, path: [layer, i], hasOther: isConditional(when), took };
    }),
  );
  const routes = content.routes.map((route, i): Part => {
    const reaches = reach(route.when);
    const took = (result: CaseResult) => {
      const index = toolsOf(result).some(reaches) ? routeIndex(compiled, result) : undefined;
      return index === undefined || index < i ? undefined : index === i;
    };
    return { kind: "route", name: `${i + 1}, to ${route.owner ?? "the action's owner"}`, path: ["routes", i], hasOther: isConditional(route.when), took };
  });
  return [...actions, ...rules, ...routes];
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

/** Which route said who decides: the first that holds at the verdict's risk, or their number where none does. undefined: nobody was asked, or several actions were. */
function routeIndex(policy: CompiledPolicy, { input, verdict }: CaseResult): number | undefined {
  const [subject, ...more] = input.actions.length === 1 ? subjectsOf(input) : [];
  const [action] = subject === undefined ? [] : policy.find(subject.facts.tool);
  const asked = verdict.route === "batch" || verdict.route === "interrupt";
  if (subject === undefined || action === undefined || more.length > 0 || !asked || verdict.risk === "unrecognized") return undefined;
  const facts = { ...subject.facts, baseRisk: action.baseRisk, risk: verdict.risk };
  const found = action.routes.findIndex(({ when }: CompiledRoute) => when === undefined || raises(when.test(facts)));
  return found < 0 ? action.routes.length : found;
}
