import type { Json } from "../events/canonical.ts";
import type { AllowedDecision, Execution, OnExpiry, PolicyRef, Reversibility, Separation } from "../events/types.generated.ts";
import type { CompiledBudget } from "./budgets/budget.ts";
import type { Meter } from "./budgets/usage.ts";
import type { Calendar } from "./calendar.ts";
import type { CompiledGate, CompiledGrant } from "./compile-grant.ts";
import type { Check } from "./conditions/condition.ts";
import type { SchemaCheck } from "./document/json-schema.ts";
import type { PolicyContent } from "./document/shape.ts";
import type { Template } from "./document/template.ts";
import type { Span } from "./span.ts";
import type { Thresholds, Tier } from "./tiers.ts";

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
