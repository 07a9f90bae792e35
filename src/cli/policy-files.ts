import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { CountersignError } from "../errors.ts";
import { type LoadedPolicy, loadPolicy } from "../policy/document/loaded.ts";
import { policyInvalid } from "../policy/problems.ts";
import { examplesOf, isTestFile, type PlacedCase, parseTests, testsInvalid, unknownBudgets } from "../policy/testing/file.ts";
import type { Suite } from "../policy/testing/mutation.ts";
import { fileText } from "./args.ts";

const YAML = /\.ya?ml$/;

/** A policy file with everything it names. @throws CountersignError usage, policy_invalid with file:line:column */
export function readPolicy(file: string): LoadedPolicy {
  return loadPolicy(fileText(file, "the policy"), file, (path) => fileText(path, "the file"));
}

/** Policy files of folders and files, test files left out. @throws CountersignError usage */
export function policyFiles(names: readonly string[]): string[] {
  return filesOf(names).filter((file) => !isTestFile(file));
}

/** Files as they were named, folders as the YAML files in them and the test files in folders inside of them. @throws CountersignError usage */
function filesOf(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (!existsSync(name))
      throw new CountersignError("usage", `There is no ${name}`, {
        field: name,
        fix: "name policy files, test files (*.policytest.yaml) or folders that hold them",
      });
    if (!statSync(name).isDirectory()) return [normalize(name)];
    return readdirSync(name, { recursive: true, encoding: "utf8" })
      .filter((file) => YAML.test(file) && isLookedInto(file))
      .sort()
      .map((file) => join(name, file));
  });
}

/** Test files are looked for in folders inside of a folder too, as an export of cases has one for each workspace; policies are not. */
function isLookedInto(file: string): boolean {
  const folders = dirname(file).split(sep);
  return folders[0] === "." || (isTestFile(file) && !folders.some((folder) => folder === "node_modules" || folder.startsWith(".")));
}

/**
 * The cases of test files and of the policies beside them, by the policies that they run under. A policy file brings its own examples and
 * the test file of the same name.
 *
 * @throws CountersignError usage where there is nothing to run; policy_invalid with file:line:column
 */
export function readSuites(names: readonly string[]): Suite[] {
  const named = filesOf(names);
  const tests = new Set(named.flatMap((file) => (isTestFile(file) ? [file] : besideOf(file))));
  const policies = new Map<string, LoadedPolicy>();
  const policyOf = (file: string) => {
    const policy = policies.get(file) ?? readPolicy(file);
    policies.set(file, policy);
    return policy;
  };
  const suites = new Map<string, { policies: LoadedPolicy[]; cases: PlacedCase[] }>();
  const add = (files: readonly string[], cases: readonly PlacedCase[]) => {
    const key = files.join("\0");
    const suite = suites.get(key) ?? { policies: files.map(policyOf), cases: [] };
    suite.cases.push(...cases);
    checkBudgets(suite.policies, cases);
    if (suite.cases.length > 0) suites.set(key, suite);
  };
  for (const file of tests) {
    const { policies: of, cases } = parseTests(fileText(file, "the test file"), file);
    add(
      of.map((name) => join(dirname(file), name)),
      cases,
    );
  }
  for (const file of new Set([...named.filter((name) => !isTestFile(name)), ...policies.keys()])) {
    const { document, source } = policyOf(file);
    add([file], examplesOf(document.content, source, file));
  }
  if (suites.size > 0) return [...suites.values()];
  throw new CountersignError("usage", `There are no cases in ${names.join(", ")}`, {
    fix: "write them to NAME.policytest.yaml beside NAME.yaml, or as examples: in the policy (docs/policy-tools.md)",
  });
}

/** A case that names a budget nobody has would pass for the wrong reason. */
function checkBudgets(policies: readonly LoadedPolicy[], cases: readonly PlacedCase[]): void {
  const contents = policies.map(({ document }) => document.content);
  const problems = cases.flatMap(({ test, file, line }) =>
    unknownBudgets(test, contents).map((message) => ({ file, problem: { path: [], message: `case ${JSON.stringify(test.name)}: ${message}`, line } })),
  );
  const [first] = problems;
  if (first === undefined) return;
  const own = problems.filter(({ file }) => file === first.file).map(({ problem }) => problem);
  throw isTestFile(first.file) ? testsInvalid(first.file, own) : policyInvalid(first.file, own);
}

function besideOf(file: string): string[] {
  const base = file.replace(YAML, "");
  return [`${base}.policytest.yaml`, `${base}.policytest.yml`].filter((name) => existsSync(name));
}
