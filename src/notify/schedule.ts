import { DateTime } from "luxon";
import type { Notice } from "./notice.ts";

/** Days of the week, from Monday. */
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

/** Times of a day in which nobody is disturbed, in minutes from local midnight. Where `to` is not after `from` it ends on the next day. */
export interface Quiet {
  /** On which it begins; all of them where there are none. */
  readonly days: readonly string[];
  readonly from: number;
  readonly to: number;
}

/** When messages go out. */
export interface Rhythm {
  readonly zone: string;
  readonly quiet: readonly Quiet[];
  /** Tiers of risk that quiet hours do not hold back. */
  readonly through: readonly string[];
}

/** How often one channel is used: at once, or gathered. `at` is in minutes from local midnight. */
export type Pace = { readonly digest: "none" } | { readonly digest: "hourly" } | { readonly digest: "daily"; readonly at: number };

/** When a notice goes out, and whether it waits for others. */
export interface Due {
  readonly at: number;
  readonly gathered: boolean;
}

/** Most quiet times that may follow upon one another. */
const MOST_WINDOWS = 50;

/**
 * When a notice goes to a channel. What would be over before the digest comes does not wait for it, nor for the end of quiet hours what would
 * be over by then; what is critical, or whatever the configuration lets through, waits for neither.
 */
export function dueOf({ risk, deadline }: Pick<Notice, "risk" | "deadline">, now: number, { zone, quiet, through }: Rhythm, pace: Pace): Due {
  if (risk !== null && through.includes(risk)) return { at: now, gathered: false };
  const digest = nextDigest(now, zone, pace);
  const waits = (digest === null ? [now] : [digest, now]).map((at) => quietUntil(at, zone, quiet));
  const at = waits.find((end) => deadline === null || end < deadline) ?? now;
  return { at, gathered: at > now };
}

/** When the next digest goes out, after a moment; null where there is none. */
function nextDigest(now: number, zone: string, pace: Pace): number | null {
  if (pace.digest === "none") return null;
  const local = DateTime.fromMillis(now, { zone });
  if (pace.digest === "hourly") return local.startOf("hour").plus({ hours: 1 }).toMillis();
  const today = timeOn(local, pace.at);
  return (today > local ? today : timeOn(local.plus({ days: 1 }), pace.at)).toMillis();
}

/** The first moment from then on that is not quiet. Where all time is quiet, the end of what was looked at: nothing waits for ever. */
export function quietUntil(at: number, zone: string, quiet: readonly Quiet[]): number {
  let moment = at;
  for (let i = 0; i < MOST_WINDOWS; i++) {
    const ends = quiet.flatMap((window) => endOf(window, moment, zone) ?? []);
    if (ends.length === 0) return moment;
    moment = Math.max(...ends);
  }
  return moment;
}

/** Whether quiet times leave no minute of the week. */
export function isAlwaysQuiet(quiet: readonly Quiet[]): boolean {
  const WEEK = DAYS.length * 1440;
  const windows = quiet.flatMap(({ days, from, to }) =>
    DAYS.flatMap((day, i) => {
      const start = i * 1440 + from;
      // What begins on Sunday may end on Monday.
      return days.length > 0 && !days.includes(day) ? [] : [start, start - WEEK].map((at) => ({ at, end: at + (to > from ? to - from : to + 1440 - from) }));
    }),
  );
  let covered = 0;
  for (const { at, end } of windows.sort((a, b) => a.at - b.at)) if (at <= covered) covered = Math.max(covered, end);
  return covered >= WEEK;
}

/** When a window that covers a moment ends; undefined where it does not cover it. */
function endOf({ days, from, to }: Quiet, at: number, zone: string): number | undefined {
  const local = DateTime.fromMillis(at, { zone });
  for (const day of [local, local.minus({ days: 1 })]) {
    if (days.length > 0 && !days.includes(DAYS[day.weekday - 1] as string)) continue;
    const start = timeOn(day, from).toMillis();
    const end = timeOn(to > from ? day : day.plus({ days: 1 }), to).toMillis();
    if (start <= at && at < end) return end;
  }
  return undefined;
}

function timeOn(day: DateTime, minutes: number): DateTime {
  if (minutes === 1440) return day.startOf("day").plus({ days: 1 });
  return day.set({ hour: Math.floor(minutes / 60), minute: minutes % 60, second: 0, millisecond: 0 });
}
