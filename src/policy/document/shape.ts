import { z } from "zod";
import type { Json } from "../../events/canonical.ts";
import { didYouMean, nearest, shown } from "../problems.ts";
import { policyCase } from "../testing/case-shape.ts";
import { EXECUTIONS, REVERSIBILITIES, TIERS } from "../tiers.ts";
import { EFFECT_DEFAULTS, type Settled, settle } from "./action-defaults.ts";
import { compileSchema } from "./json-schema.ts";
import { budget, duplicate } from "./shape-budget.ts";
import { condition } from "./shape-condition.ts";
import { gate, grant } from "./shape-grant.ts";
import { count, custom, duration, identifier, members, oneOf, owner, pointer, points, record, retention, shape, span, template, text } from "./shape-parts.ts";
import { calendar } from "./shape-time.ts";

/** What an export does with a field, most careful first. */
export const EXPORT_TREATMENTS = ["drop", "mask", "pseudonym", "bucket", "keep"] as const;

const EFFECTS = Object.keys(EFFECT_DEFAULTS);

const effect = custom((value) => {
  if (typeof value !== "string" || !/^[a-z][a-z0-9-]{0,49}$/.test(value)) return new Error(`must be a tag such as money, not ${shown(value)}`);
  const misspelt = !EFFECTS.includes(value) && nearest(value, EFFECTS) !== undefined;
  return misspelt ? new Error(`is not a known tag: ${shown(value)}${didYouMean(value, EFFECTS)}`) : value;
});

/** A JSON Schema, or the name of a file that holds one. */
const argumentsSchema = custom((value): Json | Error => {
  if (typeof value === "string") return value === "" ? new Error("must name a file") : value;
  try {
    compileSchema(value as Json);
  } catch (error) {
    return new Error(`is not a JSON Schema that can be used: ${(error as Error).message}`);
  }
  return value as Json;
});

const share = custom((value) =>
  typeof value === "number" && value >= 0 && value <= 1 ? value : new Error(`must be a number from 0 to 1, not ${shown(value)}`),
);
const version = custom((value) =>
  typeof value === "number" || (typeof value === "string" && /^\S{1,100}$/.test(value)) ? String(value) : new Error(`must be a version, not ${shown(value)}`),
);

const separation = z.array(oneOf(["proposer", "agent_owner", "earlier_approver"]));
const ladder = z.array(shape({ to: owner, timeout: span, page: z.boolean().default(false) }));
/** What a proposal must bring, and how long the record of it is kept. */
const requirements = shape({ evidence: z.array(text).optional(), audit_retention: retention.optional() });
/** What an MCP server says of a tool, as it stands in its list. */
const annotations = shape({
  title: z.string().optional(),
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});
/** Cases for `policy test`, beside what they are about. */
const examples = z.array(policyCase).optional();

/** Who decides, and by when. */
const people = {
  owner: owner.optional(),
  approvals: count.optional(),
  approval_order: z.array(text).optional(),
  separation: separation.optional(),
  timeout: span.optional(),
  ladder: ladder.optional(),
  on_expiry: oneOf(["reject", "hold"]).optional(),
};

const action = shape({
  arguments: argumentsSchema.optional(),
  reversibility: oneOf(REVERSIBILITIES).optional(),
  execution: oneOf(EXECUTIONS).optional(),
  annotations: annotations.optional(),
  effects: z.array(effect).default([]),
  risk: oneOf(TIERS).optional(),
  points: points.optional(),
  gate: gate.optional(),
  amount: shape({ path: pointer, unit: text }).optional(),
  fields: record(
    pointer,
    shape({
      label: text.optional(),
      class: oneOf(["personal", "secret"]).optional(),
      export: oneOf(EXPORT_TREATMENTS).optional(),
      cosmetic: z.boolean().optional(),
    }),
  ).optional(),
  rubric: z
    .array(shape({ id: identifier, label: text.optional() }))
    .min(1)
    .max(10)
    .optional(),
  card: shape({
    headline: template.optional(),
    if_approved: template.optional(),
    if_rejected: template.optional(),
    if_it_fails: template.optional(),
    rollback: template.optional(),
  }).optional(),
  receipt_target: shape({ system: text, id: template, url: template.optional() }).optional(),
  require: requirements.optional(),
  decisions: z
    .array(oneOf(["approve", "edit", "reject", "respond"]))
    .min(1)
    .default(["approve", "edit", "reject"]),
  editable: z.array(pointer).optional(),
  claim: duration.optional(),
  lease: duration.optional(),
  grant_ttl: duration.optional(),
  retries: z.int("must be a whole number").min(0, "must be 0 to 10").max(10, "must be 0 to 10").optional(),
  examples,
  ...people,
}).refine(({ reversibility, effects, annotations }) => reversibility !== undefined || annotations !== undefined || (effects ?? []).length > 0, {
  path: ["reversibility"],
  message: `is missing; give one of ${REVERSIBILITIES.join(", ")}, or effects that it follows from`,
  when: ({ value }) => typeof value === "object" && value !== null && !Array.isArray(value),
});

const raise = shape({
  risk: oneOf(TIERS).optional(),
  points: points.optional(),
  approvals: count.optional(),
  approval_order: z.array(text).min(1).optional(),
  gate: oneOf(["hard"]).optional(),
  separation: separation.optional(),
});
const rule = shape({ id: identifier, when: condition.optional(), raise: raise.optional(), forbid: z.literal(true).optional(), because: text, examples });

/** The whole document, as it stands in its file. */
export const policyShape = shape({
  policy: identifier,
  workspace: identifier,
  version: version.optional(),
  owner,
  mode: oneOf(["enforce", "shadow", "off"]).default("enforce"),
  /** Whether a change of this document is itself an item that somebody other than its author approves. */
  publish: shape({ approval: shape({ owner: owner.optional(), approvals: count.optional(), timeout: span.optional() }) }).optional(),
  require: requirements.optional(),
  calendar: calendar.optional(),
  defaults: shape({
    annotations: oneOf(["stricter", "trust"]).default("stricter"),
    effects: record(effect, shape({ reversibility: oneOf(REVERSIBILITIES).optional(), risk: oneOf(TIERS).optional() })).default({}),
  }).default({ annotations: "stricter", effects: {} }),
  tiers: shape({ medium: points, high: points, critical: points }).optional(),
  confidence: z.array(shape({ below: share, from: oneOf(TIERS), to: oneOf(TIERS), or_missing: z.boolean().default(false) })).optional(),
  actions: record(text, action),
  rules: z.array(rule).default([]),
  floors: z.array(rule).default([]),
  grants: z.array(grant).default([]),
  budgets: z.array(budget).default([]),
  duplicates: z.array(duplicate).default([]),
  routes: z.array(shape({ when: condition.optional(), ...people })).default([]),
  batch: shape({ max: members.default(20), window: span.default(1_800_000) }).optional(),
  questions: shape(people).optional(),
  notices: shape(people).optional(),
});

/** What a policy document says, as it is written. Durations are in milliseconds. */
export type WrittenContent = z.output<typeof policyShape>;

/** One action of the catalogue, with what follows from its effect tags and annotations. */
export type ActionContent = WrittenContent["actions"][string] & Pick<Settled, "execution"> & { reversibility: (typeof REVERSIBILITIES)[number] };

/** What a policy document says. Durations are in milliseconds. */
export type PolicyContent = Omit<WrittenContent, "actions"> & { actions: Record<string, ActionContent> };

/** A document with what follows from effect tags and annotations written out. */
export function settled(content: WrittenContent): PolicyContent {
  const actions = Object.entries(content.actions).map(([name, action]): [string, ActionContent] => {
    const { reversibility = "irreversible", ...rest } = settle(action, content.defaults);
    return [name, { ...action, ...rest, reversibility }];
  });
  return { ...content, actions: Object.fromEntries(actions) };
}

/** One rule or floor. */
export type RuleContent = PolicyContent["rules"][number];

/** One route: who decides. */
export type RouteContent = PolicyContent["routes"][number];
