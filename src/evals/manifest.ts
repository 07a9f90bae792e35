import type { InsightsReport } from "./insights.ts";
import type { LABEL_MAP } from "./labels.ts";
import type { Ranges } from "./ranges.ts";
import type { Hidden, Profile } from "./redact/redactor.ts";
import type { ExampleKind } from "./reviewed-example.ts";

/** Form of the rows and of the manifest. It changes when the same events would give other bytes. */
export const EXPORT_FORMAT = 5;

/** Name of the file that describes an export, of the one that tells what was left out, and of the picture book. */
export const MANIFEST_FILE = "manifest.json";
export const REJECTED_FILE = "rejected-rows.jsonl";

/** A count by label class (or decision), split and quality. */
export interface Cell {
  readonly class: string;
  readonly split: string;
  readonly tier: string;
  readonly rows: number;
}

/** A file that was written. */
export interface FileEntry {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** What lies beside the rows and says what they are. It names no time of its own: the same ranges and the same configuration give the same bytes. */
export interface Manifest {
  readonly format: number;
  readonly kind: "countersign.dataset";
  readonly target: string;
  readonly exporter: string;
  /** Which log it is, wherever it lies: not the address by which it was named. */
  readonly log: { readonly id: string; readonly partitions: number };
  /**
   * The decisions in these ranges are the rows; everything before `to` was folded to know which decisions took effect. Where the filter
   * `before` names an instant, `to` is the first record that was too late.
   */
  readonly ranges: Ranges;
  readonly filters: {
    readonly workspace: string | null;
    /** Decisions made at or after, and events of any topic before: ISO 8601. */
    readonly after: string | null;
    readonly before: string | null;
  };
  readonly transcripts: boolean;
  readonly labelMap: typeof LABEL_MAP;
  readonly split: {
    readonly by: "hmac-sha256(workspace, thread)";
    readonly seed: string;
    readonly shares: readonly number[];
    readonly holdoutFrom: string | null;
  };
  readonly redaction: {
    readonly profile: Profile;
    /** Tells keys apart without giving them away: pseudonyms of two exports with the same key are the same. */
    readonly keyId: string;
    /** Who asked for a raw export; null on a strict one. */
    readonly by: { readonly id: string; readonly role: string } | null;
    readonly hidden: Hidden;
    /** Policy documents that this version cannot read: what they classify was not known. */
    readonly unreadablePolicies: readonly string[];
  };
  /** Examples in the range, items that they are of, and rows in the files. */
  readonly examples: number;
  readonly items: number;
  readonly rows: number;
  readonly byDecision: { readonly [K in ExampleKind]: number };
  /** Rows by label class, split and quality; on neutral targets the class is the decision. */
  readonly counts: readonly Cell[];
  /** What became no row, by class and reason; each one stands in rejected-rows.jsonl. */
  readonly rejected: readonly { readonly class: string; readonly reason: string; readonly rows: number }[];
  /** Records that could not take part, by reason. */
  readonly skipped: { readonly undecodable: number; readonly unknownSchema: number; readonly misplaced: number };
  /** Decisions in the range whose cause does not lie before the end of the range: they are no rows, here or in a later export. */
  readonly parked: number;
  /** From the names in the files to the names of the tools, where an API would have refused them. */
  readonly functionNames: { readonly [mapped: string]: string };
  readonly insights: InsightsReport;
  readonly files: readonly FileEntry[];
}
