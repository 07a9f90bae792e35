import type { CountersignError } from "../../errors.ts";
import { isGlob } from "../conditions/regex.ts";
import { placed, readShape } from "../document/document.ts";
import type { PolicyContent } from "../document/shape.ts";
import { readYaml, type Source } from "../document/yaml.ts";
import { didYouMean, documentInvalid, type Problem, policyInvalid, shown } from "../problems.ts";
import { caseShape, type PolicyCase, testFile } from "./case-shape.ts";
import type { Described } from "./input.ts";

/** Whether a file holds tests, by its name: a shell writes them into policies/*.yaml as well. */
export const isTestFile = (name: string): boolean => /\.policytest\.ya?ml$/.test(name);

/** A case with the place where it stands. */
export interface PlacedCase {
  readonly test: PolicyCase;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** A test file, checked. */
export interface TestFile {
  /** Names of policy files, relative to where the test file lies. */
  readonly policies: readonly string[];
  readonly cases: readonly PlacedCase[];
}

/**
 * Reads a `*.policytest.yaml`.
 *
 * @throws CountersignError policy_invalid: one error for all problems, each with file:line:column, what is wrong and a suggestion
 */
export function parseTests(text: string, file: string): TestFile {
  const source = readYaml(text);
  if (source.problems.length > 0) throw testsInvalid(file, source.problems);
  const { data, problems } = readShape(testFile, source.value);
  const found = data === undefined ? problems : [...data.cases.flatMap((test, i) => faultsOf(test, ["cases", i])), ...twice(data.cases)];
  if (data === undefined || found.length > 0) throw testsInvalid(file, placed(found, source));
  return { policies: data.policy, cases: data.cases.map((test, i) => ({ test, file, line: source.place(["cases", i]).line })) };
}

/**
 * Reads one proposal in short, written as a case is, without its name and what it expects.
 *
 * @throws CountersignError policy_invalid
 */
export function parseDescribed(text: string, name: string): Described {
  const source = readYaml(text);
  if (source.problems.length > 0) throw describedInvalid(name, source.problems);
  const { data, problems } = readShape(caseShape, source.value);
  const found = data === undefined ? problems : faultsOf(data, []);
  if (data === undefined || found.length > 0) throw describedInvalid(name, placed(found, source));
  return data;
}

/** The one error for a test file with any number of problems. */
export function testsInvalid(file: string, problems: readonly Problem[]): CountersignError {
  return documentInvalid("policy_invalid", file, problems, "correct the test file and run it again; none of its cases has run");
}

function describedInvalid(name: string, problems: readonly Problem[]): CountersignError {
  return documentInvalid("policy_invalid", name, problems, "correct what describes the proposal and ask again");
}

/** Budgets that a case says were used, and that no policy has: the case would show nothing. `contents`: of the policies that judge it. */
export function unknownBudgets({ budgets = {} }: Pick<Described, "budgets">, contents: readonly PolicyContent[]): string[] {
  const known = contents.flatMap((content) => {
    const ids = [...content.budgets, ...content.duplicates, ...content.grants].flatMap(({ id, ...rest }) => ("cap" in rest ? [id, `${id}.amount`] : [id]));
    return [...ids, ...ids.map((id) => `${content.policy}/${id}`)];
  });
  const unknown = Object.keys(budgets).filter((id) => !known.includes(id));
  const short = known.filter((id) => !id.includes("/"));
  return unknown.map((id) => `no policy has a budget ${shown(id)}${didYouMean(id, known) || `; known are ${short.join(", ") || "none"}`}`);
}

/**
 * The examples inside a policy document: under an action they are about that action, under a rule about the one action that its `when` names.
 *
 * @throws CountersignError policy_invalid where an example does not say which action it is about
 */
export function examplesOf(content: PolicyContent, source: Source, file: string): PlacedCase[] {
  const found: { test: PolicyCase; path: readonly PropertyKey[] }[] = [];
  const add = (examples: readonly PolicyCase[] | undefined, about: string | undefined, path: readonly PropertyKey[]) => {
    for (const [i, example] of (examples ?? []).entries()) {
      const own = example.action !== undefined || example.plan !== undefined || example.ask !== "review";
      found.push({ test: own || about === undefined ? example : { ...example, action: about }, path: [...path, "examples", i] });
    }
  };
  for (const [name, action] of Object.entries(content.actions)) add(action.examples, isGlob(name) ? undefined : name, ["actions", name]);
  for (const layer of ["rules", "floors"] as const)
    for (const [i, rule] of content[layer].entries()) {
      const [only, ...more] = rule.when?.action ?? [];
      add(rule.examples, only === undefined || more.length > 0 || isGlob(only) ? undefined : only, [layer, i]);
    }
  const problems = found.flatMap(({ test, path }) => faultsOf(test, path));
  if (problems.length > 0) throw policyInvalid(file, placed(problems, source));
  return found.map(({ test, path }) => ({ test, file, line: source.place(path).line }));
}

function faultsOf(test: Described, path: readonly PropertyKey[]): Problem[] {
  const named = [test.action, test.plan].filter((part) => part !== undefined).length;
  if (test.ask !== "review" && (named > 0 || test.args !== undefined))
    return [{ path: [...path, "ask"], message: `a ${test.ask === "notify" ? "notice" : "question"} has no action and no arguments; take them out` }];
  if (test.ask === "review" && named === 0) return [{ path, message: "names no action; give it action: NAME, or a plan" }];
  if (named > 1) return [{ path: [...path, "plan"], message: "stands beside action; keep one of the two" }];
  if (test.plan !== undefined && test.args !== undefined) return [{ path: [...path, "args"], message: "belong to the steps of the plan" }];
  return [];
}

function twice(cases: readonly PolicyCase[]): Problem[] {
  const seen = new Set<string>();
  return cases.flatMap(({ name }, i) => {
    const known = seen.has(name);
    seen.add(name);
    return known ? [{ path: ["cases", i, "name"], message: `${JSON.stringify(name)} is taken; every case has a name of its own` }] : [];
  });
}
