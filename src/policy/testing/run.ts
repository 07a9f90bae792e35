import { complete, type Draft } from "../../events/draft.ts";
import type { VerdictReached } from "../../events/types.generated.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { judge } from "../judgement/judge.ts";
import type { JudgeInput } from "../judgement/subjects.ts";
import { type Miss, missesOf, type Verdict } from "./expect.ts";
import type { PlacedCase } from "./file.ts";
import { inputOf } from "./input.ts";

/** How a case ended. It passes when there are no misses. */
export interface CaseResult extends PlacedCase {
  readonly input: JudgeInput;
  readonly verdict: Verdict;
  readonly misses: readonly Miss[];
}

/** Judges every case under the policies together, as a ledger would. */
export function runCases(policies: readonly CompiledPolicy[], cases: readonly PlacedCase[]): CaseResult[] {
  return cases.map((placed) => {
    const input = inputOf(placed.test, policies[0]?.workspace ?? "", policies);
    const verdict = judgeFully(policies, input);
    return { ...placed, input, verdict, misses: missesOf(placed.test.expect, verdict, input.now) };
  });
}

/** A verdict with its lists filled in, as it would stand in the log. */
export function judgeFully(policies: readonly CompiledPolicy[], input: JudgeInput): Verdict {
  return complete("verdicts", judge(policies, input) as Draft<VerdictReached>);
}
