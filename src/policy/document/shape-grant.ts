import type { z } from "zod";
import { compare, type Decimal, decimalOf } from "../../events/decimal.ts";
import { shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";
import { per } from "./shape-budget.ts";
import { condition } from "./shape-condition.ts";
import { custom, duration, identifier, oneOf, shape, span, text } from "./shape-parts.ts";
import { moment } from "./shape-time.ts";

const share = custom((value) =>
  typeof value === "number" && value >= 0 && value <= 1 ? value : new Error(`must be a number from 0 to 1, not ${shown(value)}`),
);

/** When a person looks: before (hard always, soft from thresholds on), afterwards (audit), or never (none). */
export const gate = shape({
  kind: oneOf(["none", "soft", "hard", "audit"]),
  from_risk: oneOf(TIERS).optional(),
  below_confidence: share.optional(),
  window: span.optional(),
  review: oneOf(["single", "run_end"]).optional(),
});

/** The content of a gate. */
export type GateContent = z.output<typeof gate>;

const amount = custom((value): Decimal | Error => {
  const read = decimalOf(value);
  return read !== undefined && compare(read, { n: 0n, scale: 0 }) > 0 ? read : new Error(`must be a number above 0, not ${shown(value)}`);
});

const max = custom((value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 1_000_000
    ? value
    : new Error(`must be a whole number from 1 to 1000000, not ${shown(value)}`),
);

/** A loosening: what it is for, how far it goes, until when, and why that is safe. */
export const grant = shape({
  id: identifier,
  when: condition,
  lower: shape({ risk: oneOf(["low", "medium"]).optional(), gate: gate.optional() }),
  cap: shape({ max, amount: amount.optional(), per, window: duration.default(86_400_000) }),
  expires: moment,
  evidence: text,
  because: text,
});

/** The content of a grant. */
export type GrantContent = z.output<typeof grant>;
