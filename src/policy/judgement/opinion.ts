import type {
  AllowedDecision,
  BudgetUse,
  Contribution,
  EditablePath,
  EventError,
  Gate,
  OnExpiry,
  PolicyRef,
  Reversibility,
  Route,
  RuleMatch,
  Separation,
  VerdictStep,
  WouldPass,
} from "../../events/types.generated.ts";
import type { Calendar } from "../calendar.ts";
import type { CompiledAction, CompiledPolicy, People } from "../compiled.ts";
import type { Facts } from "../conditions/condition.ts";
import type { Tier } from "../tiers.ts";
import { peopleOf } from "./people.ts";

/** Whether a document is the version in force, and not one that only judges edits of what it judged before. */
export function isInForce({ earlier }: CompiledPolicy): boolean {
  return earlier !== true;
}

/** Of the documents of a workspace the one whose owner is asked first about what none of them describes. They are sorted by id. */
export function fallbackOf(own: readonly CompiledPolicy[]): CompiledPolicy | undefined {
  return own.find((policy) => policy.ref.id === "default") ?? own[0];
}

/** What the judge knows of one action. */
export interface Subject {
  readonly actionId: string;
  /** Place in the plan, from 0. */
  readonly index: number;
  readonly facts: Omit<Facts, "baseRisk" | "risk">;
  /** Labels of the evidence that the proposal brought. */
  readonly evidence: ReadonlySet<string>;
}

/** Why, with its weight: reasons are told most severe first. */
export interface Reason {
  readonly weight: number;
  readonly text: string;
}

/** What one entry of one catalogue says of one action. A verdict is the join of opinions: the most severe of each part. */
export interface Opinion {
  readonly policy: PolicyRef | null;
  /** Breaks ties between equally severe opinions: policy id, then place in the plan, then name in the catalogue. */
  readonly rank: string;
  readonly route: Exclude<Route, "unrecognized">;
  readonly risk: Tier;
  readonly score: number;
  readonly contributions: readonly Contribution[];
  readonly reversibility: Exclude<Reversibility, "unrecognized">;
  readonly gate: Exclude<Gate, "unrecognized">;
  readonly matched: readonly RuleMatch[];
  readonly because: readonly Reason[];
  readonly wouldPass: readonly WouldPass[];
  readonly error: EventError | null;
  readonly owner: string;
  readonly approvals: number;
  readonly approvalOrder: readonly string[];
  readonly separation: readonly Separation[];
  readonly decisions: readonly AllowedDecision[];
  readonly timeoutMs: number;
  readonly ladder: NonNullable<People["ladder"]>;
  /** By which working time of the ladder is counted. */
  readonly calendar: Calendar | undefined;
  readonly onExpiry: Exclude<OnExpiry, "unrecognized">;
  readonly batch: { readonly key: string; readonly max: number; readonly windowMs: number } | null;
  /** By when an audit is due, and who is called when it is not done. */
  readonly audit: { readonly untilMs: number; readonly ladder: NonNullable<People["ladder"]> } | null;
  readonly editable: readonly EditablePath[];
  readonly step: VerdictStep | null;
  readonly grantTtlMs: number;
  /** What was used up of the grants that were asked. */
  readonly budgets: readonly BudgetUse[];
  /** Paths that a rule matched on. */
  readonly unusual: ReadonlySet<string>;
  /** The entry of the catalogue, for the card. */
  readonly action: CompiledAction | null;
}

/** The opinion of a policy that does not describe a tool, is off, or is not there at all: a person decides, as about the irreversible. */
export function undescribed(policy: CompiledPolicy | undefined, subject: Subject, why: string, owner: string, error: EventError | null = null): Opinion {
  const because = [{ weight: 5, text: why }];
  return {
    policy: policy?.ref ?? null,
    rank: rankOf(policy, subject.index, undefined),
    route: "interrupt",
    risk: "high",
    score: policy?.thresholds.high ?? 60,
    contributions: [{ rule: "base", points: policy?.thresholds.high ?? 60, tier: "high" }],
    reversibility: "irreversible",
    gate: "hard",
    matched: [],
    because,
    wouldPass: [],
    error,
    ...peopleOf(policy?.owner ?? owner, { now: subject.facts.now, calendar: undefined }),
    calendar: undefined,
    decisions: ["approve", "reject"],
    batch: null,
    audit: null,
    budgets: [],
    editable: [],
    step: { actionId: subject.actionId, execution: "blind", leaseMs: policy?.undescribed.leaseMs ?? 120_000, reversibility: "irreversible", because: [why] },
    grantTtlMs: policy?.undescribed.grantTtlMs ?? 3_600_000,
    unusual: new Set(),
    action: null,
  };
}

/** Sorts opinions that are equally severe. */
export function rankOf(policy: CompiledPolicy | undefined, index: number, name: string | undefined): string {
  return `${policy?.ref.id ?? "~"}\0${String(index).padStart(6, "0")}\0${name ?? "~"}`;
}
