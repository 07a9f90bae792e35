/**
 * What a condition says of an action, from "does not apply" to "holds". Two unknowns, because they end differently:
 * a value that the proposal should have brought along (`absent`, such as the state of the target) and an argument that
 * the schema declares but that is missing or of the wrong type (`unknown`). Whatever only raises matches both.
 */
export const NEVER = 0; // reads a field that the action does not have; stays so under "not"
export const NO = 1;
export const ABSENT = 2;
export const UNKNOWN = 3;
export const YES = 4;

/** One of the five. */
export type Truth = 0 | 1 | 2 | 3 | 4;

/** The truth of a comparison; undefined is one that could not be made. */
export function truthOf(result: boolean | undefined): Truth {
  return result === undefined ? UNKNOWN : result ? YES : NO;
}

/** The other side of a condition. What is unknown stays unknown: a rule cannot be escaped by turning it round. */
export function not(truth: Truth): Truth {
  return truth === YES ? NO : truth === NO ? YES : truth;
}

/** Whether a rule that only raises takes hold. */
export function raises(truth: Truth): boolean {
  return truth >= ABSENT;
}
