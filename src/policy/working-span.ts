import type { Json } from "../events/canonical.ts";
import type { Calendar } from "./calendar.ts";
import type { CompiledPolicy } from "./compiled.ts";
import { type BusinessTime, readSpan, spanEnd } from "./span.ts";

/** Working time that people were given, and the calendar by which it counts. */
export interface WorkingSpan {
  readonly span: BusinessTime;
  readonly calendar: Calendar;
}

/**
 * The working time of a document that begins and ends at these moments: a verdict records when a step ends, and not how its time was counted.
 * Undefined where none of the document's does: then the time was a fixed one.
 */
export function workingSpanOf(policy: CompiledPolicy, from: number, end: number): WorkingSpan | undefined {
  const { calendar } = policy;
  if (calendar === undefined) return undefined;
  const span = spansOf(policy).find((candidate) => spanEnd(from, candidate, calendar) === end);
  return span === undefined ? undefined : { span, calendar };
}

const known = new WeakMap<CompiledPolicy, readonly BusinessTime[]>();

/** All working times that a document names, each once. */
function spansOf(policy: CompiledPolicy): readonly BusinessTime[] {
  let spans = known.get(policy);
  if (spans === undefined) {
    const found = [...new Set(textsIn(policy.written))].map(readSpan).filter((span) => typeof span === "object");
    known.set(policy, (spans = found));
  }
  return spans;
}

function textsIn(value: Json): string[] {
  if (typeof value === "string") return [value];
  return value === null || typeof value !== "object" ? [] : Object.values(value).flatMap(textsIn);
}
