import { afterWorkingDays, afterWorkingTime, type Calendar } from "./calendar.ts";
import { durationMs, durationText } from "./duration.ts";

/** Time in which people work: "4 business hours". */
export interface BusinessTime {
  readonly amount: number;
  readonly unit: "hour" | "day";
}

/** How long people have: milliseconds, or working time, which needs a calendar. */
export type Span = number | BusinessTime;

/** Most of each that a document may name. */
const MAX_BUSINESS = { hour: 2000, day: 250 };

const BUSINESS = /^(\d+(?:\.\d+)?)\s+business\s+(hour|day)s?$/i;

/** Reads an ISO 8601 duration, "4 business hours" or "2 business days"; undefined for anything else. */
export function readSpan(text: string): Span | undefined {
  const [, number, unit] = BUSINESS.exec(text.trim()) ?? [];
  if (number === undefined || unit === undefined) return durationMs(text);
  const business = { amount: Number(number), unit: unit.toLowerCase() as BusinessTime["unit"] };
  const whole = business.unit === "hour" || Number.isInteger(business.amount);
  return whole && business.amount > 0 && business.amount <= MAX_BUSINESS[business.unit] ? business : undefined;
}

/** When a span is over that begins at a moment. @throws Error for working time without a calendar, which a checked document never has */
export function spanEnd(at: number, span: Span, calendar: Calendar | undefined): number {
  if (typeof span === "number") return at + span;
  if (calendar === undefined) throw new Error(`${spanText(span)} without a calendar`);
  return span.unit === "hour" ? afterWorkingTime(calendar, at, Math.round(span.amount * 3_600_000)) : afterWorkingDays(calendar, at, span.amount);
}

/** A span for people: "10 minutes", "4 business hours". */
export function spanText(span: Span): string {
  return typeof span === "number" ? durationText(span) : `${span.amount} business ${span.unit}${span.amount === 1 ? "" : "s"}`;
}

/** Whether a span is longer than another, as far as that can be told without knowing when it begins. */
export function isLonger(a: Span, b: Span): boolean {
  if (typeof a === "number" || typeof b === "number") return typeof a === "number" && typeof b === "number" && a > b;
  return a.unit === b.unit && a.amount > b.amount;
}
