import type { Json } from "../events/canonical.ts";
import type { AllowedDecision, Execution, OnExpiry, PolicyRef, Reversibility, Separation } from "../events/types.generated.ts";
import { type CompiledBudget, compileBudgets } from "./budgets/budget.ts";
import type { Meter } from "./budgets/usage.ts";
import type { Calendar } from "./calendar.ts";
import { type Cap, type CompiledGate, type CompiledGrant, capsOf, compileGate, compileGrant } from "./compile-grant.ts";
import { type Check, compileCondition, type Scope } from "./conditions/condition.ts";
import { glob, isGlob } from "./conditions/regex.ts";
import { compileCalendar } from "./conditions/time-window.ts";
import { raises } from "./conditions/truth.ts";
import { DEFAULT_BATCH, DEFAULT_CLAIM, DEFAULT_CONFIDENCE, DEFAULT_GRANT_TTL, DEFAULT_LEASE } from "./document/defaults.ts";
import type { PolicyDocument } from "./document/document.ts";
import { compileSchema, type SchemaCheck } from "./document/json-schema.ts";
import { declares, saysType } from "./document/schema-fields.ts";
import type { ActionContent, PolicyContent, RouteContent, RuleContent } from "./document/shape.ts";
import { parseTemplate, type Template } from "./document/template.ts";
import { pointerKeys } from "./pointer.ts";
import { policyInvalid } from "./problems.ts";
import { isReserved, PUBLISH_TOOL } from "./publish-tool.ts";
import type { Span } from "./span.ts";
import { DEFAULT_THRESHOLDS, pointsOf, type Thresholds, type Tier, tierOf } from "./tiers.ts";

/** A policy as closures, ready to judge. */
export interface CompiledPolicy {
  readonly ref: PolicyRef;
  readonly workspace: string;
  readonly owner: string;
  readonly mode: PolicyContent["mode"];
  /** The document as it was written: what a publication of another version changes. */
  readonly written: Json;
  /** No longer in force: it only judges edits of what it has judged (`asItJudged`). */
  readonly earlier?: true;
  readonly calendar: Calendar | undefined;
  readonly thresholds: Thresholds;
  readonly confidence: readonly ConfidenceStep[];
  readonly batch: { readonly max: number; readonly window: Span };
  readonly questions: People;
  readonly notices: People;
  readonly budgets: readonly CompiledBudget[];
  /** Of its rules, floors, grants and budgets. */
  readonly ids: ReadonlySet<string>;
  /** Of what a person always has to look at: floors, budgets and rules on repetition. */
  readonly bindingIds: ReadonlySet<string>;
  /** Everything that counts over many items: of budgets, rules on repetition and grants. */
  readonly meters: readonly Meter[];
  /** What the catalogue says of a tool: one entry for its exact name, else one for every glob that matches, else none. */
  readonly find: (tool: string) => readonly CompiledAction[];
  /** For a tool that the catalogue does not have: high, irreversible, a person. */
  readonly undescribed: CompiledAction;
}

/** A step by which confidence raises the base risk. */
export interface ConfidenceStep {
  readonly below: number;
  readonly from: Tier;
  readonly to: Tier;
  readonly or_missing: boolean;
}

/** Who decides, and by when; what is undefined is said elsewhere or by default. */
export interface People {
  readonly owner?: string | undefined;
  readonly approvals?: number | undefined;
  readonly approval_order?: readonly string[] | undefined;
  readonly separation?: readonly Separation[] | undefined;
  readonly timeout?: Span | undefined;
  readonly ladder?: readonly { readonly to: string; readonly timeout: Span; readonly page: boolean }[] | undefined;
  readonly on_expiry?: OnExpiry | undefined;
}

/** A criterion by which reviewers may score an action, 1 to 5. */
export interface Criterion {
  readonly id: string;
  readonly label: string | null;
}

/** One action of a catalogue. */
export interface CompiledAction {
  /** As the catalogue names it: a tool or a glob; undefined for what it does not describe. */
  readonly name: string | undefined;
  readonly check: SchemaCheck | undefined;
  /** Whether its schema says which values an argument may have. */
  readonly saysType: (keys: readonly string[]) => boolean;
  readonly reversibility: Reversibility & Exclude<Reversibility, "unrecognized">;
  readonly execution: Exclude<Execution, "unrecognized">;
  readonly basePoints: number;
  readonly baseRisk: Tier;
  readonly gate: CompiledGate;
  readonly evidence: readonly string[];
  /** Those that can ever take hold of it. */
  readonly rules: readonly CompiledRule[];
  readonly grants: readonly CompiledGrant[];
  readonly routes: readonly CompiledRoute[];
  readonly people: People;
  readonly decisions: readonly AllowedDecision[];
  readonly editable: readonly string[];
  readonly claimMs: number;
  /** Criteria that reviewers may score. */
  readonly rubric: readonly Criterion[];
  /** How often the clock tries it again when nobody knows how it ended; 0 on what is not idempotent. */
  readonly retries: number;
  readonly leaseMs: number;
  readonly grantTtlMs: number;
  readonly unit: { readonly path: string; readonly unit: string } | undefined;
  readonly fields: readonly CompiledField[];
  readonly card: Readonly<Partial<Record<"headline" | "if_approved" | "if_rejected" | "if_it_fails" | "rollback", Template>>>;
  readonly receiptTarget: { readonly system: string; readonly id: Template; readonly url: Template | undefined } | undefined;
}

/** A described argument. */
export interface CompiledField {
  readonly path: string;
  readonly keys: readonly string[];
  readonly label: string | undefined;
  readonly secret: boolean;
  readonly personal: boolean;
}

/** A rule or floor for one action. `when` undefined: always. */
export interface CompiledRule {
  readonly id: string;
  readonly when: Check | undefined;
  readonly risk: Tier | undefined;
  readonly points: number;
  readonly approvals: number;
  readonly approvalOrder: readonly string[];
  readonly hard: boolean;
  readonly separation: readonly Separation[];
  readonly forbid: boolean;
  /** Held against the action once more when a grant is issued. */
  readonly floor: boolean;
  readonly because: string;
}

/** A route for one action. */
export interface CompiledRoute {
  /** Its place in the document: an action has only the routes that can concern it. */
  readonly index: number;
  readonly when: Check | undefined;
  readonly people: People;
}

/**
 * Compiles a checked document to closures.
 *
 * @throws CountersignError policy_invalid where a schema is still the name of a file: inline it first (`inlineFiles`)
 */
export function compilePolicy(document: PolicyDocument): CompiledPolicy {
  const { content } = document;
  const files = Object.entries(content.actions).filter(([, action]) => typeof action.arguments === "string");
  if (files.length > 0)
    throw policyInvalid(
      document.file,
      files.map(([name, action]) => ({
        path: ["actions", name, "arguments"],
        message: `${JSON.stringify(action.arguments)} is the name of a file; inline it before the document is compiled`,
      })),
    );
  const calendar = compileCalendar(content.calendar);
  const budgets = compileBudgets(content);
  const caps = new Map(content.grants.map((grant) => [grant.id, capsOf(content, grant)]));
  const around: Around = { content, calendar, caps };
  const exact = new Map<string, readonly CompiledAction[]>();
  const globs: { matches: (tool: string) => boolean | undefined; action: CompiledAction }[] = [];
  for (const [name, action] of Object.entries(content.actions)) {
    const compiled = compileAction(name, action, around);
    if (isGlob(name)) globs.push({ matches: glob(name), action: compiled });
    else exact.set(name, [compiled]);
  }
  // The document's own rules do not bind it: a floor that forbids everything could never be lifted again.
  const bare = { ...content, rules: [], floors: [], grants: [], routes: [], require: undefined };
  exact.set(PUBLISH_TOOL, [compileAction(PUBLISH_TOOL, { ...PUBLISH, ...content.publish?.approval }, { ...around, content: bare })]);
  return {
    ref: { id: document.id, version: document.version, sha256: document.sha256 },
    workspace: document.workspace,
    owner: content.owner,
    mode: content.mode,
    written: document.written,
    calendar,
    thresholds: content.tiers ?? DEFAULT_THRESHOLDS,
    confidence: content.confidence ?? DEFAULT_CONFIDENCE,
    batch: content.batch ?? DEFAULT_BATCH,
    questions: content.questions ?? {},
    notices: content.notices ?? {},
    budgets,
    ids: new Set([...content.rules, ...content.floors, ...content.grants, ...content.budgets, ...content.duplicates].map(({ id }) => id)),
    bindingIds: new Set([...content.floors, ...content.budgets, ...content.duplicates].map(({ id }) => id)),
    meters: [...budgets.map(({ meter }) => meter), ...[...caps.values()].flat().map(({ meter }) => meter)],
    find: (tool) => exact.get(tool) ?? (isReserved(tool) ? [] : globs).filter(({ matches }) => matches(tool) === true).map(({ action }) => action),
    undescribed: compileAction(undefined, UNDESCRIBED, around),
  };
}

/** What compiling an action needs of the document. */
interface Around {
  readonly content: PolicyContent;
  readonly calendar: Calendar | undefined;
  readonly caps: ReadonlyMap<string, readonly Cap[]>;
}

/** What a change of a document is to the version in force, which may ask for approval or be told of it by an agent: always for a person, and not for its author. */
const PUBLISH: ActionContent = {
  reversibility: "partially",
  execution: "idempotent",
  effects: [],
  risk: "high",
  gate: { kind: "hard" },
  decisions: ["approve", "reject"],
  separation: ["proposer", "agent_owner"],
  timeout: 86_400_000,
  card: {
    headline: "Publish version {/version} of policy {/policy}",
    if_approved: "It is in force at once for everything that is judged from then on.",
    if_rejected: "The version that is in force stays.",
    if_it_fails: "The version that is in force stays.",
    rollback: "Publish the version before it again.",
  },
};

/** What stands for a tool that the catalogue does not have. */
export const UNDESCRIBED: ActionContent = {
  reversibility: "irreversible",
  execution: "blind",
  effects: [],
  risk: "high",
  decisions: ["approve", "reject"],
};

function compileAction(name: string | undefined, action: ActionContent, { content, calendar, caps }: Around): CompiledAction {
  const thresholds = content.tiers ?? DEFAULT_THRESHOLDS;
  const schema = action.arguments as Json | undefined;
  const declared = (keys: readonly string[]) => declares(schema, keys);
  const scope: Scope = { declared, tool: name === undefined || isGlob(name) ? undefined : name, effects: action.effects, calendar };
  const rules = [...content.rules.map((rule) => compileRule(rule, scope, false)), ...content.floors.map((rule) => compileRule(rule, scope, true))];
  // A document that is off judges as it does when it is in force, then asks for a person and loosens nothing: off never means open.
  const isOff = content.mode === "off";
  const grants = name === undefined || isOff || action.reversibility === "irreversible" ? [] : content.grants;
  const basePoints = action.points ?? pointsOf(action.risk ?? "high", thresholds);
  const { owner, approvals, approval_order, separation, timeout, ladder, on_expiry } = action;
  const edits = action.decisions.includes("edit");
  return {
    name,
    check: schema === undefined ? undefined : compileSchema(schema),
    saysType: (keys) => saysType(schema, keys),
    reversibility: action.reversibility,
    execution: action.execution,
    basePoints,
    baseRisk: tierOf(basePoints, thresholds),
    gate: compileGate(isOff || action.reversibility === "irreversible" ? { kind: "hard" } : action.gate),
    evidence: name === undefined ? [] : [...new Set([...(content.require?.evidence ?? []), ...(action.require?.evidence ?? [])])],
    // Sorted, so that sums of points and lists of reasons do not depend on the order in the document.
    rules: rules.filter(({ when }) => mayRaise(when)).sort((a, b) => (a.id < b.id ? -1 : 1)),
    grants: grants.flatMap((grant) => compileGrant(grant, scope, caps.get(grant.id) ?? []) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1)),
    routes: content.routes.map((route, index) => compileRoute(route, index, scope)).filter(({ when }) => mayRaise(when)),
    people: { owner, approvals, approval_order, separation, timeout, ladder, on_expiry },
    decisions: action.decisions,
    editable: edits ? (action.editable ?? [""]) : [],
    claimMs: action.claim ?? DEFAULT_CLAIM,
    rubric: (action.rubric ?? []).map(({ id, label }) => ({ id, label: label ?? null })),
    retries: action.retries ?? 0,
    leaseMs: action.lease ?? DEFAULT_LEASE,
    grantTtlMs: action.grant_ttl ?? DEFAULT_GRANT_TTL,
    unit: action.amount,
    fields: Object.entries(action.fields ?? {}).map(([path, field]) => ({
      path,
      keys: pointerKeys(path) ?? [],
      label: field.label,
      secret: field.class === "secret",
      personal: field.class === "personal",
    })),
    card: Object.fromEntries(Object.entries(action.card ?? {}).flatMap(([part, text]) => (text === undefined ? [] : [[part, parseTemplate(text)]]))),
    receiptTarget: action.receipt_target && {
      system: action.receipt_target.system,
      id: parseTemplate(action.receipt_target.id),
      url: action.receipt_target.url === undefined ? undefined : parseTemplate(action.receipt_target.url),
    },
  };
}

/** Whether a condition can ever come to something that takes hold. */
function mayRaise(when: Check | undefined): boolean {
  return when === undefined || when.can.some(raises);
}

function compileRule(rule: RuleContent, scope: Scope, floor: boolean): CompiledRule {
  const order = rule.raise?.approval_order ?? [];
  const approvals = Math.max(rule.raise?.approvals ?? 1, order.length);
  return {
    id: rule.id,
    when: rule.when && compileCondition(rule.when, scope),
    risk: rule.raise?.risk,
    points: rule.raise?.points ?? 0,
    approvals,
    approvalOrder: order,
    // Two people can only be asked where one is: more approvals, and roles that approve, bring a person with them.
    hard: rule.raise?.gate === "hard" || approvals > 1 || order.length > 0,
    separation: rule.raise?.separation ?? [],
    forbid: rule.forbid === true,
    floor,
    because: rule.because,
  };
}

/**
 * Without a schema nobody knows whether an argument that a proposal lacks is one of the action: to a route it is unknown, not inapplicable.
 * Otherwise an agent would pick milder people by leaving it out, or giving it another name.
 */
function compileRoute({ when, ...people }: RouteContent, index: number, scope: Scope): CompiledRoute {
  const declared: Scope["declared"] = (keys) => (scope.declared(keys) === "no" ? "no" : "yes");
  return { index, when: when && compileCondition(when, { ...scope, declared }), people };
}

/** How long a reviewer's claim lasts, in milliseconds: the shortest that the policies of a workspace say of these tools. */
export function claimMs(policies: readonly CompiledPolicy[], workspace: string, tools: readonly string[]): number {
  const found = policies
    .filter((policy) => policy.workspace === workspace && policy.mode !== "shadow")
    .flatMap((policy) => tools.flatMap((tool) => policy.find(tool)));
  return found.length === 0 ? DEFAULT_CLAIM : Math.min(...found.map((action) => action.claimMs));
}

/** Criteria that the policies of a workspace name for any of these tools, each once. */
export function rubricOf(policies: readonly CompiledPolicy[], workspace: string, tools: readonly string[]): readonly Criterion[] {
  const own = policies.filter((policy) => policy.workspace === workspace);
  const named = own.flatMap((policy) => tools.flatMap((tool) => policy.find(tool).flatMap((action) => action.rubric)));
  const byId = new Map<string, Criterion>();
  for (const criterion of named) if ((byId.get(criterion.id)?.label ?? null) === null) byId.set(criterion.id, criterion);
  return [...byId.values()];
}

/** An argument that policy classifies: nobody outside the review needs its value. */
export interface Classified {
  readonly path: string;
  readonly class: "secret" | "personal";
}

/** The arguments of a tool that any policy of the workspace classifies; the stricter class first. */
export function classifiedOf(policies: readonly CompiledPolicy[], workspace: string, tool: string): readonly Classified[] {
  const fields = policies.filter((policy) => policy.workspace === workspace).flatMap((policy) => policy.find(tool).flatMap((action) => action.fields));
  return (["secret", "personal"] as const).flatMap((kind) => fields.filter((field) => field[kind]).map(({ path }) => ({ path, class: kind })));
}

/** How often the clock may try a tool again whose end nobody knows: what every policy on it allows. */
export function retriesOf(policies: readonly CompiledPolicy[], workspace: string, tool: string): number {
  const found = policies.filter((policy) => policy.workspace === workspace).flatMap((policy) => policy.find(tool));
  return found.length === 0 ? 0 : Math.min(...found.map((action) => action.retries));
}

/** Whether a path is a secret field, lies in one or holds one. */
export function touchesSecret(fields: readonly CompiledField[], path: string): boolean {
  return fields.some((field) => field.secret && (`${path}/`.startsWith(`${field.path}/`) || `${field.path}/`.startsWith(`${path}/`)));
}
