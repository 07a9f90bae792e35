import type { Json } from "../events/canonical.ts";
import type { Topic } from "../events/topics.ts";
import type { ExternalRef, PolicyRef } from "../events/types.generated.ts";
import type { Outcome, Stage } from "../ledger/stages.ts";
import type { FieldChange, PatchOperation } from "./diff.ts";
import type { Split } from "./split.ts";

/** The decisions of people that make an example. */
export const EXAMPLE_KINDS = ["approve", "edit", "reject", "respond", "acknowledge"] as const;
export type ExampleKind = (typeof EXAMPLE_KINDS)[number];

/** What a decision can become. */
export type LabelClass = "preference" | "sft" | "kto_positive" | "kto_negative" | "should_not_call" | "should_have_asked" | "policy_test" | "regression";

/** How far an example can be trusted, best first. */
export type Tier = "gold" | "silver" | "bronze" | "disputed";

/** An action with its arguments as a JSON value. */
export interface ExampleAction {
  readonly actionId: string;
  readonly tool: string;
  readonly args: Json;
  /** SHA-256 of the canonical arguments, as it stands in the log; null where redaction has changed them. */
  readonly argsSha256: string | null;
  /** SHA-256 of the JSON Schema that the agent worked with; null where the proposal carried none. */
  readonly schemaSha256: string | null;
  /** The model's confidence in the call as it proposed it, 0 to 1. */
  readonly confidence: number | null;
}

/** Where an event of the example lies in the log. */
export interface Source {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: number;
  readonly eventId: string;
}

/** What the model saw when it proposed, or why it is not here. */
export interface Context {
  /**
   * complete: messages and tools are here. no_transcript: the proposal carried none. elsewhere: the messages lie at `uri`. no_tools: the
   * tools are missing. unreadable: the text is no JSON. left_out: the export was asked to leave it out.
   */
  readonly status: "complete" | "no_transcript" | "elsewhere" | "no_tools" | "unreadable" | "left_out";
  readonly sha256: string | null;
  readonly uri: string | null;
  readonly messages: Json;
  readonly tools: Json;
}

/** How it ended, as a team speaks of it. `open`: not yet, by the end of the exported range. */
export type OutcomeClass = "executed" | "failed" | "rolled_back" | "incident" | "not_executed" | "unknown" | "open";

/** One effective decision of a person, with what it was about and what came of it. The neutral row that every target is made from. */
export interface ReviewedExample {
  /** 32 hex digits of item and decision: the same row has the same id in every export. */
  readonly id: string;
  readonly itemId: string;
  readonly workspace: string;
  readonly ask: string;
  readonly question: string | null;
  readonly intent: string | null;
  readonly reasoning: string | null;
  readonly evidence: readonly { readonly label: string; readonly value: string | null }[];
  readonly agent: { readonly id: string; readonly version: string | null; readonly model: string | null };
  readonly run: { readonly framework: string; readonly threadId: string; readonly checkpointId: string | null; readonly step: number | null } | null;
  /** The item that this one tries again. */
  readonly retryOf: string | null;
  readonly context: Context;
  /** What the agent proposed. */
  readonly proposed: readonly ExampleAction[];
  /** What was on the table when it was decided: the same, or what an earlier edit had made of it. */
  readonly presented: readonly ExampleAction[];
  /** What was approved or edited to; null where nothing may run by this decision. */
  readonly final: readonly ExampleAction[] | null;
  /** On an edit: RFC 6902, from the presented to the final arguments, per action that both hold. */
  readonly patch: readonly { readonly actionId: string; readonly operations: readonly PatchOperation[] }[];
  /** On an edit: the fields that changed. */
  readonly changes: readonly FieldChange[];
  /** On an edit of a plan: steps that were dropped, and the new order of the rest where there is one. On a rejection: the steps that were named as wrong. */
  readonly dropped: readonly string[];
  readonly order: readonly string[];
  readonly decision: {
    readonly kind: ExampleKind;
    readonly reasonCodes: readonly string[];
    readonly message: string | null;
    readonly scope: string;
    /** A pseudonym, except in a raw export. */
    readonly reviewer: { readonly id: string; readonly roles: readonly string[] };
    /** Milliseconds since the epoch. */
    readonly decidedAt: number;
  };
  readonly review: {
    readonly activeMs: number | null;
    readonly channel: string | null;
    /** The batch it was decided in, its size and the place in it, from 1. */
    readonly batch: { readonly id: string; readonly size: number; readonly position: number } | null;
    /** From the verdict to the decision, in milliseconds. */
    readonly waitedMs: number;
    /** Rubric scores, 1 to 5. */
    readonly scores: readonly { readonly criterion: string; readonly score: number }[];
    /** Effective votes of other people on the same item, in order. */
    readonly others: readonly { readonly kind: string; readonly reviewer: string }[];
  };
  readonly policy: PolicyRef | null;
  /** What policy had said of what was presented. `fallback`: an edit before this decision was forbidden, and these terms hold again. */
  readonly verdict: {
    readonly route: string;
    readonly risk: string;
    readonly score: number;
    readonly reversibility: string;
    readonly gate: string;
    readonly owner: string | null;
    readonly matched: readonly string[];
    readonly because: readonly string[];
    readonly fallback: boolean;
  };
  /** What policy said of the edit; null on other decisions and while it has not. */
  readonly rejudged: { readonly route: string; readonly risk: string; readonly because: readonly string[] } | null;
  /** What had become of the item by the end of the exported range. */
  readonly outcome: {
    readonly class: OutcomeClass;
    readonly stage: Stage;
    readonly outcome: Outcome | null;
    readonly receipts: readonly {
      readonly kind: string;
      readonly actionId: string | null;
      readonly externalRef: ExternalRef | null;
      readonly error: string | null;
    }[];
    readonly incidents: readonly { readonly severity: string; readonly message: string | null; readonly url: string | null }[];
  };
  readonly sources: readonly Source[];
  readonly split: Split;
  readonly quality: { readonly tier: Tier; readonly why: readonly string[] };
  /** Id of the row with the same context, call and decision that gives the labels, the best of them; this one gives none. */
  readonly duplicateOf: string | null;
  /** What the decision became. */
  readonly labels: readonly LabelClass[];
}

/** Something that the clock did to an item that waited: it is about ownership and routing, never about the quality of the proposal. */
export interface Operation {
  readonly id: string;
  readonly itemId: string;
  readonly workspace: string;
  readonly kind: "expire" | "escalate";
  readonly occurredAt: number;
  readonly agentId: string;
  readonly tools: readonly string[];
  readonly policy: PolicyRef | null;
  readonly risk: string;
  readonly route: string;
  readonly onExpiry: string;
  /** Who owned it when the time was over, and who owns it now. */
  readonly from: string | null;
  readonly to: string | null;
  readonly step: number | null;
  readonly waitedMs: number;
  readonly split: Split;
  readonly source: Source;
}
