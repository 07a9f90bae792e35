import type { VerdictReached } from "../../events/types.generated.ts";
import { durationText } from "../duration.ts";
import type { VerdictBody } from "../judgement/verdict.ts";
import { GATES, REVERSIBILITIES, ROUTES, TIERS } from "../tiers.ts";
import type { Bound, Expectation } from "./case-shape.ts";

/** One thing that a verdict says otherwise than expected, in words. */
export interface Miss {
  readonly key: string;
  readonly expected: string;
  readonly got: string;
}

/** A verdict with every list filled in. */
export type Verdict = Pick<VerdictReached, keyof VerdictBody>;

type Compare<K extends keyof Expectation> = (want: NonNullable<Expectation[K]>, verdict: Verdict, now: number) => Omit<Miss, "key"> | undefined;

/** How each key of an expectation is held against a verdict. */
const COMPARE: { readonly [K in keyof Required<Expectation>]: Compare<K> } = {
  route: (want, v) => onScale(ROUTES, want, v.route),
  risk: (want, v) => onScale(TIERS, want, v.risk),
  gate: (want, v) => onScale(GATES, want, v.gate),
  reversibility: (want, v) => onScale(REVERSIBILITIES, want, v.reversibility),
  score: (want, v) => same(want, v.score),
  owner: (want, v) => same(want, v.owner ?? "nobody"),
  approvals: (want, v) => same(want, v.approvals),
  approval_order: (want, v) => sameList(want, v.approvalOrder),
  separation: (want, v) => sameSet(want, v.separation),
  decisions: (want, v) => sameSet(want, v.allowedDecisions),
  editable: (want, v) => sameSet(want, [...new Set(v.editablePaths.map(({ path }) => path))]),
  matched: (want, v) => {
    const got = rulesOf(v);
    const found = want.length === 0 ? got.length === 0 : want.every((rule) => got.includes(rule));
    return found ? undefined : { expected: listText(want), got: listText(got) };
  },
  not_matched: (want, v) => {
    const got = rulesOf(v).filter((rule) => want.includes(rule));
    return got.length === 0 ? undefined : { expected: `without ${listText(want)}`, got: listText(got) };
  },
  error: (want, v) => same(want, v.error?.code ?? "none"),
  because: (want, v) => {
    const missing = want.filter((text) => !v.because.some((reason) => reason.includes(text)));
    return missing.length === 0 ? undefined : { expected: missing.map((text) => JSON.stringify(text)).join(", "), got: v.because.join(" · ") };
  },
  headline: (want, v) => (v.card?.headline.includes(want) ? undefined : { expected: want, got: v.card?.headline ?? "no card" }),
  expires_in: (want, v, now) =>
    v.expiresAt !== null && v.expiresAt - now === want
      ? undefined
      : { expected: durationText(want), got: v.expiresAt === null ? "never" : durationText(v.expiresAt - now) },
  expires_at: (want, v) => same(new Date(want).toISOString(), v.expiresAt === null ? "never" : new Date(v.expiresAt).toISOString()),
  on_expiry: (want, v) => same(want, v.onExpiry),
  ladder: (want, v, now) => {
    const holds =
      want.length === v.ladder.length &&
      want.every((step, i) => {
        const got = v.ladder[i];
        return step.to === got?.to && (step.after ?? got.at - now) === got.at - now && (step.page ?? got.page) === got.page;
      });
    if (holds) return undefined;
    const text = (to: string, after: number | undefined, page: boolean | undefined) =>
      `${to}${after === undefined ? "" : ` after ${durationText(after)}`}${page === true ? ", paged" : ""}`;
    return {
      expected: listText(want.map((step) => text(step.to, step.after, step.page))),
      got: listText(v.ladder.map((step) => text(step.to, step.at - now, step.page))),
    };
  },
  policy: (want, v) => same(want, v.policy?.id ?? "none"),
};

/** What a verdict says otherwise than expected; empty when it says all of it. */
export function missesOf(expected: Expectation, verdict: Verdict, now: number): Miss[] {
  return Object.entries(COMPARE).flatMap(([key, compare]) => {
    const want = expected[key as keyof Expectation];
    if (want === undefined) return [];
    if (want === null) return noneOf(key, verdict);
    const miss = (compare as Compare<never>)(want as never, verdict, now);
    return miss === undefined ? [] : [{ key, ...miss }];
  });
}

/** null is "none": no error, no expiry. */
function noneOf(key: string, verdict: Verdict): Miss[] {
  const got = key === "error" ? verdict.error?.code : verdict.expiresAt === null ? undefined : new Date(verdict.expiresAt).toISOString();
  return got === undefined ? [] : [{ key, expected: "none", got }];
}

/** Ids of the rules, floors, grants and budgets that matched, each once. */
export function rulesOf(verdict: Pick<Verdict, "matched">): string[] {
  return [...new Set(verdict.matched.map(({ rule }) => rule))];
}

function onScale(scale: readonly string[], want: Bound, got: string): Omit<Miss, "key"> | undefined {
  const at = scale.indexOf(got);
  const holds =
    (want.is === undefined || want.is === got) &&
    (want.not === undefined || want.not !== got) &&
    (want.at_least === undefined || at >= scale.indexOf(want.at_least)) &&
    (want.at_most === undefined || (at >= 0 && at <= scale.indexOf(want.at_most)));
  const words = Object.entries(want).flatMap(([key, word]) => (word === undefined ? [] : [key === "is" ? word : `${key.replace("_", " ")} ${word}`]));
  return holds ? undefined : { expected: words.join(", "), got };
}

function same(want: unknown, got: unknown): Omit<Miss, "key"> | undefined {
  return want === got ? undefined : { expected: String(want), got: String(got) };
}

function sameList(want: readonly string[], got: readonly string[]): Omit<Miss, "key"> | undefined {
  return want.length === got.length && want.every((word, i) => word === got[i]) ? undefined : { expected: listText(want), got: listText(got) };
}

function sameSet(want: readonly string[], got: readonly string[]): Omit<Miss, "key"> | undefined {
  return sameList([...new Set(want)].sort(), [...got].sort());
}

function listText(words: readonly string[]): string {
  return words.length === 0 ? "none" : words.join(", ");
}
