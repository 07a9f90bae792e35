import { CountersignError } from "../../errors.ts";

/** The attention that somebody says something had: when it was opened, and the active time on it in milliseconds. */
export interface Attention {
  readonly openedAt?: number | null | undefined;
  readonly activeMs?: number | null | undefined;
}

/** So far the clock of who opened it may be from ours. */
const SKEW_MS = 60_000;

/**
 * Refuses attention that cannot have been: datasets are labelled by it. `since`: from when on there was something to look at.
 *
 * @throws CountersignError request_invalid
 */
export function checkAttention({ openedAt, activeMs }: Attention, { at, since, now }: { at: string; since: number; now: number }): void {
  if (openedAt != null && openedAt > now + SKEW_MS)
    throw new CountersignError("request_invalid", `${at}/openedAt is in the future`, {
      field: `${at}/openedAt`,
      value: openedAt,
      fix: "send milliseconds since the epoch by a clock that is right, or leave it out",
    });
  const longest = possibleMs(openedAt, since, now) + SKEW_MS;
  if (activeMs != null && activeMs > longest)
    throw new CountersignError("request_invalid", `${at}/activeMs is longer than the time since it was opened, or was there to be opened`, {
      field: `${at}/activeMs`,
      value: activeMs,
      fix: "send the active time in milliseconds, or leave it out",
    });
}

/** Longest active time on what was opened then, in milliseconds: nothing is looked at before it is there. */
export function possibleMs(openedAt: number | null | undefined, since: number, now: number): number {
  return Math.max(0, now - Math.max(openedAt ?? since, since));
}
