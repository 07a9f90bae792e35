import { isDeepStrictEqual } from "node:util";
import { compilePolicy } from "../compile.ts";
import { checkValue } from "../document/document.ts";
import type { LoadedPolicy } from "../document/loaded.ts";
import type { PlacedCase } from "./file.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { runCases } from "./run.ts";

/** Cases that run under some policies together. */
export interface Suite {
  readonly policies: readonly LoadedPolicy[];
  readonly cases: readonly PlacedCase[];
}

/** A mistake that no case noticed. */
export interface Survivor extends Pick<Mutant, "what" | "test"> {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** How well the cases of a policy notice mistakes in it. */
export interface MutationScore {
  readonly file: string;
  readonly killed: number;
  /** Mistakes that count: killed and survived. */
  readonly total: number;
  /** Mistakes with which the document would not load: nobody could publish them. */
  readonly refused: number;
  /** Changes after which the document reads the same as before. */
  readonly equivalent: number;
  /** Killed of total, in percent. */
  readonly score: number;
  readonly survivors: readonly Survivor[];
}

/**
 * Puts one mistake after the other into a policy and runs the cases of every suite that the policy is part of: a mistake that no case
 * notices survives. Two kinds do not count, and nothing else is left out: what does not load any more (nobody could publish it), and what
 * the reader of documents reads as the same document.
 */
export function mutationScore(policy: LoadedPolicy, suites: readonly Suite[], onProgress: (done: number, of: number) => void = () => {}): MutationScore {
  // A case that fails without any mistake would seem to notice each of them.
  const own = suites
    .filter((suite) => suite.policies.includes(policy))
    .map(({ policies, cases }) => {
      const sound = runCases(
        policies.map((other) => other.compiled),
        cases,
      ).map(({ misses }) => misses.length === 0);
      return { policies, cases: cases.filter((_, i) => sound[i]) };
    });
  const mutants = mutantsOf(policy.value);
  const survivors: Survivor[] = [];
  let [killed, refused, equivalent] = [0, 0, 0];
  for (const [i, mutant] of mutants.entries()) {
    onProgress(i, mutants.length);
    const { document } = checkValue(mutant.value, { file: policy.file, sha256: policy.document.sha256 });
    if (document === undefined) refused++;
    else if (isDeepStrictEqual(document.content, policy.document.content)) equivalent++;
    else {
      const compiled = compilePolicy(document);
      const noticed = own.some(({ policies, cases }) =>
        cases.some((one) => {
          const [result] = runCases(
            policies.map((other) => (other === policy ? compiled : other.compiled)),
            [one],
          );
          return result !== undefined && result.misses.length > 0;
        }),
      );
      if (noticed) killed++;
      else survivors.push({ what: mutant.what, test: mutant.test, file: policy.file, line: policy.source.place(mutant.path).line });
    }
  }
  const total = killed + survivors.length;
  return { file: policy.file, killed, total, refused, equivalent, score: total === 0 ? 100 : (100 * killed) / total, survivors };
}
