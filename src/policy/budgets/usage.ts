import type { Json } from "../../events/canonical.ts";
import type { Decimal } from "../../events/decimal.ts";

/** What is asked of usage: how much of a meter others have used up, for one key, in the rolling window that ends at `asOf`. */
export interface UsageQuestion {
  /** Id of the meter: `<policy id>/<id of the budget or grant>`. */
  readonly id: string;
  /** Whom or what it is counted for, as `Meter.read` gave it. */
  readonly key: string;
  readonly windowMs: number;
  /** Milliseconds since the epoch. */
  readonly asOf: number;
  /** Values that are not to be counted, because the item that is judged brings them itself (only a meter of distinct values reads this). */
  readonly without?: readonly string[];
}

/** The answer: how many (of a meter of distinct values: how many values), and the exact sum as a decimal string. */
export interface Usage {
  readonly count: number;
  readonly sum: string;
}

/** Reads usage. It leaves out the item that is judged, so that an edit replaces what the item had reserved. */
export type UsageReader = (question: UsageQuestion) => Usage;

/** Nothing has been used yet: for judging outside of a ledger. */
export const NOTHING_USED: UsageReader = () => ({ count: 0, sum: "0" });

/** One action, as far as meters read it: of a proposal that is judged, or of an item that counts. */
export interface Countable {
  readonly workspace: string;
  readonly agent: string;
  /** Whose permissions the agent uses. */
  readonly onBehalfOf: string | null;
  /** The run that it belongs to. */
  readonly thread: string | null;
  readonly tool: string;
  readonly args: Json;
  readonly argsSha256: string;
  /** True where it ran without a person: allow, or an audit gate. */
  readonly flowed: boolean;
}

/** What one action counts. `amount` undefined: it cannot be told (the argument is missing or no such value). */
export interface Counted {
  readonly key: string;
  readonly amount: Decimal | undefined;
  /** Only of a meter of distinct values. */
  readonly values: readonly string[];
  /** Where the amount cannot be told: what is not there or cannot be counted, the path of an argument or "run". */
  readonly blockedBy?: string | undefined;
}

/** Something that counts over many items. What an action counts depends on nothing but the action. */
export interface Meter {
  readonly id: string;
  readonly workspace: string;
  readonly windowMs: number;
  readonly kind: "count" | "sum" | "distinct";
  /** What an action counts; undefined where the meter does not concern it. */
  readonly read: (action: Countable) => Counted | undefined;
}
