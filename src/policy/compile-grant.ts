import { type Decimal, decimalText } from "../events/decimal.ts";
import type { Meter } from "./budgets/usage.ts";
import { type Check, compileCondition, type Scope } from "./conditions/condition.ts";
import type { PolicyContent } from "./document/shape.ts";
import type { GateContent, GrantContent } from "./document/shape-grant.ts";
import { meterOf } from "./meter.ts";
import type { Span } from "./span.ts";
import type { Tier } from "./tiers.ts";

/** A gate, with what is left out filled in. */
export interface CompiledGate {
  readonly kind: GateContent["kind"];
  /** From this tier on a person decides first, whatever a soft or an audit gate lets through. */
  readonly fromRisk: Tier;
  readonly belowConfidence: number | undefined;
  /** How long the review afterwards may take. */
  readonly window: Span;
  /** Whether audits wait for the end of the run, to be reviewed together. */
  readonly together: boolean;
}

const NO_WINDOW = 86_400_000;

/** A gate of a document. */
export function compileGate(gate: GateContent | undefined): CompiledGate {
  const { kind = "none", from_risk = "high", below_confidence, window = NO_WINDOW, review } = gate ?? {};
  return { kind, fromRisk: from_risk, belowConfidence: below_confidence, window, together: review === "run_end" };
}

/** A loosening for one action. */
export interface CompiledGrant {
  readonly id: string;
  readonly when: Check;
  readonly risk: Tier | undefined;
  readonly gate: CompiledGate | undefined;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly because: string;
  readonly caps: readonly Cap[];
}

/** How much may flow: everything that the grant's actions let through in the window counts, by this grant or not. */
export interface Cap {
  readonly meter: Meter;
  readonly most: Decimal;
  readonly text: string;
}

/** By what name a grant's amount is counted, and recorded in verdicts. */
export function amountMeterId(grant: Pick<GrantContent, "id">): string {
  return `${grant.id}.amount`;
}

/** The caps of a grant: a number of actions, and an amount where it names one. */
export function capsOf(content: PolicyContent, grant: GrantContent): Cap[] {
  const { max, amount, per, window } = grant.cap;
  const head = { id: grant.id, action: grant.when.action ?? [], per, windowMs: window };
  const caps: Cap[] = [{ meter: flowing(meterOf(content, head, { kind: "count" })), most: { n: BigInt(max), scale: 0 }, text: String(max) }];
  const path = amount && amountPath(content, grant);
  if (amount !== undefined && path !== undefined)
    caps.push({
      meter: flowing(meterOf(content, { ...head, id: amountMeterId(grant) }, { kind: "sum", path })),
      most: amount,
      text: decimalText(amount),
    });
  return caps;
}

/** The one path that the actions of a grant give as their amount; undefined where they give none or several. */
export function amountPath(content: PolicyContent, grant: GrantContent): string | undefined {
  const paths = new Set((grant.when.action ?? []).map((name) => content.actions[name]?.amount?.path));
  return paths.size === 1 ? [...paths][0] : undefined;
}

/** Only what ran without a person uses up a grant. */
function flowing(meter: Meter): Meter {
  return { ...meter, read: (action) => (action.flowed ? meter.read(action) : undefined) };
}

/** A grant for one action of the catalogue; undefined where it can never hold for it. */
export function compileGrant(grant: GrantContent, scope: Scope, caps: readonly Cap[]): CompiledGrant | undefined {
  const when = compileCondition(grant.when, scope);
  if (!when.can.includes(4)) return undefined;
  return {
    id: grant.id,
    when,
    risk: grant.lower.risk as Tier | undefined,
    gate: grant.lower.gate && compileGate(grant.lower.gate),
    expires: grant.expires,
    because: grant.because,
    caps,
  };
}
