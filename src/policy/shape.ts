import { z } from "zod";
import type { Json } from "../events/canonical.ts";
import { compileSchema } from "./json-schema.ts";
import { didYouMean, nearest, shown } from "./problems.ts";
import { budget, duplicate } from "./shape-budget.ts";
import { condition } from "./shape-condition.ts";
import { count, custom, duration, identifier, notYet, oneOf, owner, pointer, points, retention, shape, template, text } from "./shape-parts.ts";
import { policyCase } from "./testing/case-shape.ts";
import { EXECUTIONS, REVERSIBILITIES, TIERS } from "./tiers.ts";

const EFFECTS = ["money", "external-comms", "data-loss", "access", "prod"];

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
const ladder = z.array(shape({ to: owner, timeout: duration, page: z.boolean().default(false) }));
const evidence = z.array(text);
/** Cases for `policy test`, beside what they are about. */
const examples = z.array(policyCase).optional();

/** Who decides, and by when. */
const people = {
  owner: owner.optional(),
  approvals: count.optional(),
  approval_order: z.array(text).optional(),
  separation: separation.optional(),
  timeout: duration.optional(),
  ladder: ladder.optional(),
  on_expiry: oneOf(["reject", "hold"]).optional(),
};

const action = shape({
  arguments: argumentsSchema.optional(),
  reversibility: oneOf(REVERSIBILITIES),
  execution: oneOf(EXECUTIONS).default("blind"),
  effects: z.array(effect).default([]),
  risk: oneOf(TIERS).optional(),
  points: points.optional(),
  gate: shape({
    kind: oneOf(["none", "soft", "hard", "audit"]),
    from_risk: oneOf(TIERS).optional(),
    below_confidence: share.optional(),
    window: duration.optional(),
  }).optional(),
  amount: shape({ path: pointer, unit: text }).optional(),
  fields: z.record(pointer, shape({ label: text.optional(), class: oneOf(["personal", "secret"]).optional() })).optional(),
  card: shape({
    headline: template.optional(),
    if_approved: template.optional(),
    if_rejected: template.optional(),
    if_it_fails: template.optional(),
    rollback: template.optional(),
  }).optional(),
  receipt_target: shape({ system: text, id: template, url: template.optional() }).optional(),
  require: shape({ evidence: evidence.optional() }).optional(),
  decisions: z
    .array(oneOf(["approve", "edit", "reject", "respond"]))
    .min(1)
    .default(["approve", "edit", "reject"]),
  editable: z.array(pointer).optional(),
  claim: duration.optional(),
  lease: duration.optional(),
  grant_ttl: duration.optional(),
  examples,
  ...people,
});

const raise = shape(
  {
    risk: oneOf(TIERS).optional(),
    points: points.optional(),
    approvals: count.optional(),
    gate: oneOf(["hard"]).optional(),
    separation: separation.optional(),
  },
  ["approval_order"],
);
const rule = shape({ id: identifier, when: condition.optional(), raise: raise.optional(), forbid: z.literal(true).optional(), because: text, examples });

/** The whole document, as it stands in its file. */
export const policyShape = shape({
  policy: identifier,
  workspace: identifier,
  version: version.optional(),
  owner,
  mode: custom((value) =>
    value === "shadow"
      ? new Error("shadow is not supported yet by this version; use enforce or off")
      : ((["enforce", "off"] as const).find((mode) => mode === value) ??
        new Error(`must be enforce or off, not ${shown(value)}${typeof value === "string" ? didYouMean(value, ["enforce", "off"]) : ""}`)),
  ).default("enforce"),
  require: shape({ evidence: evidence.optional(), audit_retention: retention.optional() }).optional(),
  calendar: notYet("business time"),
  tiers: shape({ medium: points, high: points, critical: points }).optional(),
  confidence: z.array(shape({ below: share, from: oneOf(TIERS), to: oneOf(TIERS), or_missing: z.boolean().default(false) })).optional(),
  actions: z.record(text, action),
  rules: z.array(rule).default([]),
  floors: z.array(rule).default([]),
  grants: notYet("a grant (a loosening)"),
  budgets: z.array(budget).default([]),
  duplicates: z.array(duplicate).default([]),
  routes: z.array(shape({ when: condition.optional(), ...people })).default([]),
  batch: shape({ max: count.default(20), window: duration.default(1_800_000) }).optional(),
  questions: shape(people).optional(),
  notices: shape(people).optional(),
});

/** What a policy document says. Durations are in milliseconds. */
export type PolicyContent = z.output<typeof policyShape>;

/** One action of the catalogue. */
export type ActionContent = PolicyContent["actions"][string];

/** One rule or floor. */
export type RuleContent = PolicyContent["rules"][number];

/** One route: who decides. */
export type RouteContent = PolicyContent["routes"][number];
