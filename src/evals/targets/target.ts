import type { CaseCheck, CaseFault } from "../case-check.ts";
import type { Judged } from "../judged.ts";
import type { Label } from "../labels.ts";
import type { LabelClass, ReviewedExample } from "../reviewed-example.ts";
import type { FunctionNames } from "./function-names.ts";

/** Why a label became no row of a target. */
export type Refusal =
  | "no_transcript"
  | "transcript_elsewhere"
  | "transcript_left_out"
  | "transcript_unreadable"
  | "transcript_format"
  | "no_tools"
  | "tool_not_offered"
  | "equal_after_redaction"
  | "arguments_not_an_object"
  | "no_policy"
  | CaseFault
  | "duplicate";

/** A row of a file of a target, or why there is none. */
export type Made = { readonly file: string; readonly row: object; readonly class?: string } | { readonly refused: Refusal; readonly class: LabelClass };

/** A column of a Parquet file. */
export interface Column {
  readonly name: string;
  readonly type: "STRING" | "JSON" | "INT32" | "INT64" | "DOUBLE" | "BOOLEAN" | "TIMESTAMP";
}

/** What an example became, for a target to write down. */
export interface Labelled {
  readonly example: ReviewedExample;
  readonly labels: readonly Label[];
  readonly names: FunctionNames;
  /** What policy looked at, where the target asks for it. */
  readonly judged: Judged | null;
  readonly check: CaseCheck;
}

/** A policy as it was last published before the end of the range. */
export interface PublishedDocument {
  readonly workspace: string;
  readonly policyId: string;
  readonly text: string;
}

/** A place that datasets go to: which labels it takes, and the form of its rows. */
export interface Target {
  readonly name: string;
  /** For `list-targets`: who reads it, and how. */
  readonly summary: string;
  readonly files: string;
  /** Labels that become rows. The neutral targets take every example, whatever its labels. */
  readonly takes: readonly LabelClass[] | "examples" | "operations";
  /** Whether a row without transcript and tools is refused. */
  readonly needsContext: boolean;
  /** Whether what policy looked at comes along. */
  readonly needsJudged?: boolean;
  /** On targets that take every example: whether their labels become rows as well. */
  readonly needsLabels?: boolean;
  /** Columns of the Parquet files. */
  readonly columns?: (file: string) => readonly Column[];
  /** What a file that is no JSON Lines begins with, and how a row of it is written. */
  readonly head?: (file: string) => string;
  readonly text?: (row: object) => string;
  readonly rows: (labelled: Labelled) => Iterable<Made>;
  /** Files beside the rows. */
  readonly extra?: (made: {
    readonly files: readonly string[];
    readonly documents: readonly PublishedDocument[];
  }) => readonly { readonly name: string; readonly text: string }[];
  /** What the README begins with, where a reader wants something there. */
  readonly readmeHead?: (files: readonly string[]) => string;
}

/** Whether a target makes rows that answer messages as a whole, so that the calls of one message belong together. */
export function joinsSiblings({ takes, needsLabels }: Target): boolean {
  return Array.isArray(takes) ? takes.includes("sft") || takes.includes("regression") : needsLabels === true;
}
