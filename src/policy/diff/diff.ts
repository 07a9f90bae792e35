import type { LoadedPolicy } from "../document/loaded.ts";
import type { JudgeInput } from "../judgement/subjects.ts";
import { rulesOf, type Verdict } from "../testing/expect.ts";
import { type Described, inputOf } from "../testing/input.ts";
import { judgeFully } from "../testing/run.ts";
import { type Aspect, aspectsOf, directionOf } from "./aspects.ts";
import { edgeInputs } from "./inputs.ts";
import { settingsDiffer } from "./settings.ts";
import { describedTools, saidOf, toolsOf } from "./tools.ts";

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
  /** One of them: both documents were asked about it. null: no proposal shows it, the documents themselves do. */
  readonly witness: Described | null;
  readonly because: { readonly before: readonly string[]; readonly after: readonly string[] };
}

/** One proposal that two documents judge differently. */
export interface Difference extends Omit<Region, "count"> {
  readonly witness: Described;
  readonly before: Verdict;
  readonly after: Verdict;
}

/** Everything that is tried: proposals of each tool of which the documents do not say the same, a question and a notice. */
function* tried(before: LoadedPolicy, after: LoadedPolicy, onProgress: (tool: string) => void): Generator<Pick<Difference, "action" | "witness">> {
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
 * What no verdict shows (approvals of the next publication, retries, classes of arguments) is read from the documents.
 */
export function diffPolicies(before: LoadedPolicy, after: LoadedPolicy, onProgress: (tool: string) => void = () => {}): Region[] {
  const regions = new Map<string, Region>();
  for (const { before: _, after: __, ...found } of differences(before, after, onProgress)) {
    const shape = found.aspects.map(({ name, before: b, after: a, direction }) =>
      ["expires", "ladder", "score", "audit due"].includes(name) ? [name, direction] : [name, b, a],
    );
    const key = JSON.stringify([found.action, shape, found.lost, found.gained]);
    const known = regions.get(key);
    regions.set(key, known === undefined ? { ...found, count: 1 } : { ...known, count: known.count + 1 });
  }
  const settings = settingsDiffer(before, after, describedTools([before.document.content, after.document.content])).map(
    ({ action, aspects }): Region => ({
      action,
      aspects,
      direction: directionOf(aspects),
      lost: [],
      gained: [],
      count: 0,
      witness: null,
      because: { before: [], after: [] },
    }),
  );
  const order = ["looser", "other", "stricter"];
  return [...regions.values(), ...settings].sort((a, b) => order.indexOf(a.direction) - order.indexOf(b.direction));
}

function inputIn(policy: LoadedPolicy, described: Described): JudgeInput {
  return inputOf(described, policy.document.workspace, [policy.compiled]);
}
