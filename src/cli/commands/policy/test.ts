import { Command, InvalidArgumentError } from "commander";
import type { Coverage } from "../../../policy/testing/coverage.ts";
import type { MutationScore, Suite } from "../../../policy/testing/mutation.ts";
import type { CaseResult } from "../../../policy/testing/run.ts";
import { examples } from "../../args.ts";
import { EXIT } from "../../exit.ts";
import type { Cli } from "../../io.ts";
import { renderCoverage, renderFailure, renderMutation } from "../../render/policy-test.ts";
import { plural } from "../../text.ts";

interface Options {
  minCoverage?: number;
  mutations?: boolean;
  minScore?: number;
  verbose?: boolean;
}

/** `countersign policy test`: cases, coverage and mutation score. */
export function test(cli: Cli): Command {
  return new Command("test")
    .summary("run the cases of policies; coverage, mutation score")
    .description(
      "Judges every case of *.policytest.yaml files and of the examples in policy documents, and says where a verdict differs from what was expected. Exit code 3 when a case fails or a minimum is missed.",
    )
    .argument("[files...]", "test files, policy files or folders (default: policies)")
    .option("--min-coverage <percent>", "fail below this coverage of any policy", percent)
    .option("--mutations", "put mistakes into each policy and list those that no case notices")
    .option("--min-score <percent>", "with --mutations: fail below this score of any policy", percent)
    .option("--verbose", "also name the cases that pass, and all that is covered")
    .addHelpText("after", examples("policy test policies", "policy test refunds.policytest.yaml --mutations --min-score 90 --min-coverage 100"))
    .action((files: string[], options: Options) => runTests(cli, files.length > 0 ? files : ["policies"], options));
}

async function runTests(cli: Cli, files: readonly string[], options: Options): Promise<void> {
  const [{ readSuites }, { runCases }, { coverageOf }, { mutationScore }] = await Promise.all([
    import("../../policy-files.ts"),
    import("../../../policy/testing/run.ts"),
    import("../../../policy/testing/coverage.ts"),
    import("../../../policy/testing/mutation.ts"),
  ]);
  const suites = readSuites(files);
  const results = suites.map((suite) => ({
    suite,
    results: runCases(
      suite.policies.map((p) => p.compiled),
      suite.cases,
    ),
  }));
  const policies = [...new Set(suites.flatMap((suite) => suite.policies))];
  const coverage = policies.map((policy) =>
    coverageOf(
      policy,
      results.flatMap(({ suite, results: of }) => (suite.policies.includes(policy) ? of : [])),
    ),
  );
  const scores = (options.mutations === true || options.minScore !== undefined ? policies : []).map((policy) =>
    mutationScore(policy, suites, (done, of) => done % 10 === 0 && cli.progress(`${policy.file}: mistake ${done} of ${of}`)),
  );
  cli.progress(null);
  const all = results.flatMap((r) => r.results);
  const failed = all.filter(({ misses }) => misses.length > 0);
  const thin = coverage.filter(({ percent: of }) => of < (options.minCoverage ?? 0));
  const weak = scores.filter(({ score }) => score < (options.minScore ?? 0));
  if (cli.json()) cli.data(asJson(all, coverage, scores));
  else tell(cli, results, coverage, scores, options);
  if (!cli.json()) {
    const done =
      failed.length === 0
        ? cli.colors.green(`${plural(all.length, "case")} passed`)
        : cli.colors.red(`${failed.length} of ${plural(all.length, "case")} failed`);
    cli.say(done);
    for (const { file, percent: of } of thin) cli.say(cli.colors.red(`${file}: coverage ${Math.floor(of)} % is below ${options.minCoverage} %`));
    for (const { file, score } of weak) cli.say(cli.colors.red(`${file}: mutation score ${Math.floor(score)} % is below ${options.minScore} %`));
  }
  if (failed.length + thin.length + weak.length > 0) cli.exit(EXIT.refused);
}

function tell(
  cli: Cli,
  results: readonly { suite: Suite; results: readonly CaseResult[] }[],
  coverage: readonly Coverage[],
  scores: readonly MutationScore[],
  { verbose = false }: Options,
): void {
  for (const { suite, results: of } of results) {
    const passed = of.filter(({ misses }) => misses.length === 0).length;
    cli.say(`${cli.colors.bold(suite.policies.map(({ file }) => file).join(" + "))}  ${passed} of ${plural(of.length, "case")}`);
    for (const result of of) {
      if (result.misses.length > 0) cli.say(renderFailure(result, cli));
      else if (verbose) cli.say(`  ${cli.colors.green("✓")} ${result.test.name}`);
    }
  }
  for (const one of coverage) cli.say(renderCoverage(one, cli, verbose));
  for (const score of scores) cli.say(renderMutation(score, cli));
}

function asJson(all: readonly CaseResult[], coverage: readonly Coverage[], mutations: readonly MutationScore[]): object {
  const failed = all.filter(({ misses }) => misses.length > 0).length;
  return {
    passed: all.length - failed,
    failed,
    cases: all.map(({ test: { name }, file, line, misses, verdict }) => ({
      name,
      file,
      line,
      passed: misses.length === 0,
      misses,
      route: verdict.route,
      risk: verdict.risk,
    })),
    coverage,
    mutations,
  };
}

function percent(text: string): number {
  const n = Number(text);
  if (text.trim() === "" || !(n >= 0 && n <= 100)) throw new InvalidArgumentError("It must be a number of percent from 0 to 100.");
  return n;
}
