import type { Json } from "../events/canonical.ts";
import { compileBudgets } from "./budgets/budget.ts";
import type { Calendar } from "./calendar.ts";
import { type Cap, capsOf, compileGate, compileGrant } from "./compile-grant.ts";
import type { CompiledAction, CompiledPolicy, CompiledRoute, CompiledRule } from "./compiled.ts";
import { type Check, compileCondition, type Scope } from "./conditions/condition.ts";
import { glob, isGlob } from "./conditions/regex.ts";
import { compileCalendar } from "./conditions/time-window.ts";
import { raises } from "./conditions/truth.ts";
import { DEFAULT_BATCH, DEFAULT_CLAIM, DEFAULT_CONFIDENCE, DEFAULT_GRANT_TTL, DEFAULT_LEASE } from "./document/defaults.ts";
import type { PolicyDocument } from "./document/document.ts";
import { compileSchema } from "./document/json-schema.ts";
import { declares, saysType } from "./document/schema-fields.ts";
import type { ActionContent, PolicyContent, RouteContent, RuleContent } from "./document/shape.ts";
import { parseTemplate } from "./document/template.ts";
import { pointerKeys } from "./pointer.ts";
import { policyInvalid } from "./problems.ts";
import { isReserved, PUBLISH_TOOL } from "./publish-tool.ts";
import { DEFAULT_THRESHOLDS, pointsOf, tierOf } from "./tiers.ts";

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
