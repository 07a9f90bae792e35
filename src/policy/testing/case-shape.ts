import { z } from "zod";
import { type Json, parseStrict } from "../../events/canonical.ts";
import { custom, duration, identifier, oneOf, owner, pointer, record, shape, text } from "../document/shape-parts.ts";
import { shown } from "../problems.ts";
import { GATES, REVERSIBILITIES, ROUTES, TIERS } from "../tiers.ts";

/** A value on a scale: itself, or a bound. */
export interface Bound {
  readonly is?: string | undefined;
  readonly not?: string | undefined;
  readonly at_least?: string | undefined;
  readonly at_most?: string | undefined;
}

function bound(scale: readonly string[]): z.ZodType<Bound> {
  const word = oneOf(scale);
  const bounds = shape({ not: word.optional(), at_least: word.optional(), at_most: word.optional() });
  return z.unknown().transform((value, ctx): Bound => {
    const plain = typeof value !== "object" || value === null;
    const result = plain ? word.safeParse(value) : bounds.safeParse(value);
    if (!result.success) ctx.issues.push(...(result.error.issues as unknown as typeof ctx.issues));
    else if (plain) return { is: result.data as string };
    else if (Object.values(result.data as Bound).some((part) => part !== undefined)) return result.data as Bound;
    else ctx.addIssue({ code: "custom", message: `must be one of ${scale.join(", ")}, or { not | at_least | at_most: … }` });
    return z.NEVER;
  });
}

const anyJson = custom((value): Json | Error => {
  try {
    return parseStrict(JSON.stringify(value));
  } catch (error) {
    return error as Error;
  }
});
const args = custom((value): Json | Error =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : new Error(`must be a set of arguments, not ${shown(value)}`),
);
const share = custom((value) =>
  typeof value === "number" && value >= 0 && value <= 1 ? value : new Error(`must be a number from 0 to 1, not ${shown(value)}`),
);
const amount = custom((value) => {
  const given = typeof value === "number" ? String(value) : value;
  return typeof given === "string" && /^\d+(\.\d+)?$/.test(given) ? given : new Error(`must be a number, 0 or more, not ${shown(value)}`);
});
const whole = custom((value) =>
  Number.isInteger(value) && (value as number) >= 0 ? (value as number) : new Error(`must be a whole number, not ${shown(value)}`),
);
const label = custom((value) => (typeof value === "string" || typeof value === "number" ? String(value) : new Error(`must be a text, not ${shown(value)}`)));
const moment = custom((value) => {
  const at = typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? new Error(`must be a time with its zone such as 2026-03-02T09:30:00Z, not ${shown(value)}`) : at;
});
const texts = z.union([text.transform((one) => [one]), z.array(text).min(1)], { error: () => "must be a text, or a list of texts" });

/** What a verdict must say. A key that is left out is not looked at. */
const expectation = shape({
  route: bound(ROUTES).optional(),
  risk: bound(TIERS).optional(),
  gate: bound(GATES).optional(),
  reversibility: bound(REVERSIBILITIES).optional(),
  score: custom((value) => (typeof value === "number" ? value : new Error(`must be a number, not ${shown(value)}`))).optional(),
  owner: owner.optional(),
  approvals: whole.optional(),
  approval_order: z.array(text).optional(),
  separation: z.array(oneOf(["proposer", "agent_owner", "earlier_approver"])).optional(),
  decisions: z.array(oneOf(["approve", "edit", "reject", "respond", "acknowledge"])).optional(),
  editable: z.array(pointer).optional(),
  matched: z.array(text).optional(),
  not_matched: z.array(text).min(1).optional(),
  error: z.union([text, z.null()]).optional(),
  because: texts.optional(),
  headline: text.optional(),
  expires_in: z.union([duration, z.null()]).optional(),
  expires_at: moment.optional(),
  on_expiry: oneOf(["reject", "hold"]).optional(),
  ladder: z
    .array(
      z.union([
        owner.transform((to) => ({ to, after: undefined, page: undefined })),
        shape({ to: owner, after: duration.optional(), page: z.boolean().optional() }),
      ]),
    )
    .optional(),
  policy: identifier.optional(),
}).refine((value) => Object.values(value).some((part) => part !== undefined), {
  message: "is empty, so the case could not fail; say at least the route",
});

/** Actions that ran before: budgets, rules on repetition and caps count them by their own windows and keys. */
const earlier = z.array(
  shape({
    ago: duration,
    times: custom((value) =>
      Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1_000_000
        ? (value as number)
        : new Error(`must be a whole number from 1 to 1000000, not ${shown(value)}`),
    ).optional(),
    action: text,
    args: args.optional(),
    agent: label.optional(),
    on_behalf_of: text.optional(),
    thread: label.optional(),
    /** Whether a person let it through: caps of grants count only what ran without one. */
    reviewed: z.boolean().optional(),
  }),
);

/** What a case says of a proposal. */
const described = {
  ask: oneOf(["review", "question", "notify"]).default("review"),
  action: text.optional(),
  args: args.optional(),
  plan: z
    .array(shape({ action: text, args: args.optional(), target: anyJson.optional(), confidence: share.optional() }))
    .min(1)
    .optional(),
  confidence: share.optional(),
  confidence_source: oneOf(["logprobs", "self_rating", "other"]).optional(),
  agent: shape({ id: label.optional(), version: label.optional(), model: label.optional(), owner: label.optional() }).optional(),
  on_behalf_of: text.optional(),
  evidence: z.array(text).optional(),
  target: anyJson.optional(),
  origin: shape({ system: text, id: label }).optional(),
  run: shape({
    step: whole.optional(),
    cost_usd: amount.optional(),
    framework: text.optional(),
    framework_version: label.optional(),
    thread: label.optional(),
    ended: z.boolean().optional(),
  }).optional(),
  timeout: duration.optional(),
  at: moment.optional(),
  workspace: identifier.optional(),
  budgets: record(text, amount).optional(),
  earlier: earlier.optional(),
};

/** One proposal in short, without what the verdict on it must say. */
export const caseShape = shape(described);

/** One case: a proposal in short, and what the verdict on it must say. */
export const policyCase = shape({ name: text, ...described, expect: expectation });

/** A test file beside a policy. */
export const testFile = shape({
  policy: z.union([text.transform((one) => [one]), z.array(text).min(1)], { error: () => "must be the name of a policy file, or a list of names" }),
  cases: z.array(policyCase).min(1),
});

/** One case as it stands in a file, checked. Durations and times are in milliseconds. */
export type PolicyCase = z.output<typeof policyCase>;

/** What a verdict must say. */
export type Expectation = PolicyCase["expect"];
