import type { Label, LabelClass } from "../labels.ts";
import type { ReviewedExample } from "../reviewed-example.ts";
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
  | "plan"
  | "duplicate";

/** A row of a file of a target, or why there is none. */
export type Made = { readonly file: string; readonly row: object } | { readonly refused: Refusal; readonly class: LabelClass };

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
  /** Columns of the Parquet files. */
  readonly columns?: (file: string) => readonly Column[];
  readonly rows: (labelled: Labelled) => Iterable<Made>;
}
