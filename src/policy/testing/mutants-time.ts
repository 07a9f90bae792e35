import { DAYS } from "../calendar.ts";
import { shown } from "../problems.ts";
import { type Change, isRaw, type Raw } from "./change.ts";

const DAY = 86_400_000;

/** Mistakes in when people work: hours, days, holidays, the zone. */
export function calendarMutants(calendar: Raw, path: readonly PropertyKey[]): Change[] {
  const out = zoneMutants(calendar.time_zone, [...path, "time_zone"], "a case with a timeout in business time, and expires_at");
  const hours = Array.isArray(calendar.hours) ? (calendar.hours as unknown[]) : [];
  for (const [i, opening] of hours.entries()) {
    if (!isRaw(opening)) continue;
    const inner = [...path, "hours", i];
    const test = `a case at the edge of the hours ${shown(opening.from)} to ${shown(opening.to)}, and expires_at`;
    for (const key of ["from", "to"]) out.push(...clockMutants(opening[key], [...inner, key], 60, test));
    out.push(...daysDropped(opening.days, [...inner, "days"], (day) => `a case that begins on the evening before a ${day}, and expires_at`));
    if (hours.length > 1) out.push({ path: inner, to: undefined, what: `the hours ${shown(opening.from)} to ${shown(opening.to)} were dropped`, test });
  }
  for (const [i, holiday] of (Array.isArray(calendar.holidays) ? calendar.holidays : []).entries())
    out.push({
      path: [...path, "holidays", i],
      to: undefined,
      what: `the holiday ${shown(holiday)} was dropped`,
      test: `a case on the evening before ${shown(holiday)}, and expires_at`,
    });
  return out;
}

/** Mistakes in a time condition: each edge by a minute, each day, the zone, business time turned round. */
export function timeMutants(time: Raw, path: readonly PropertyKey[], id: string): Change[] {
  const out = zoneMutants(time.zone, [...path, "zone"], `${id}: a case within an hour of the window's edge`);
  const between = Array.isArray(time.between) ? time.between : [];
  for (const [i, edge] of between.entries())
    out.push(...clockMutants(edge, [...path, "between", i], 1, `${id}: a case at exactly ${shown(edge)}, and one a minute before`));
  out.push(...daysDropped(time.days, [...path, "days"], (day) => `${id}: a case on a ${day}`));
  for (const key of ["from", "until"])
    out.push(...momentMutants(time[key], [...path, key], 60_000, `${id}: a case at exactly ${shown(time[key])}, and one a minute before`));
  if (typeof time.business === "boolean")
    out.push({
      path: [...path, "business"],
      to: !time.business,
      what: `business: ${time.business} became ${!time.business}`,
      test: `${id}: a case in working hours, and one outside`,
    });
  return out;
}

/** A moment, both ways by some milliseconds. */
export function momentMutants(moment: unknown, path: readonly PropertyKey[], by: number, test: string): Change[] {
  const at = typeof moment === "string" ? Date.parse(moment) : Number.NaN;
  if (Number.isNaN(at)) return [];
  return [at + by, at - by].map((to) => ({
    path,
    to: new Date(to).toISOString(),
    what: `${String(path.at(-1))}: ${shown(moment)} became ${new Date(to).toISOString()}`,
    test,
  }));
}

/** An expiry, both ways by a day. */
export const expiryMutants = (moment: unknown, path: readonly PropertyKey[], test: string): Change[] => momentMutants(moment, path, DAY, test);

/** A time of day, both ways by some minutes. */
function clockMutants(clock: unknown, path: readonly PropertyKey[], by: number, test: string): Change[] {
  const [, hours = "", minutes = ""] = /^(\d\d):(\d\d)$/.exec(String(clock)) ?? [];
  if (hours === "") return [];
  const at = Number(hours) * 60 + Number(minutes);
  return [at + by, at - by]
    .filter((to) => to >= 0 && to <= 1440)
    .map((to) => {
      const text = `${String(Math.floor(to / 60)).padStart(2, "0")}:${String(to % 60).padStart(2, "0")}`;
      return { path, to: text, what: `${String(path.at(-1))}: ${shown(clock)} became ${text}`, test };
    });
}

function daysDropped(days: unknown, path: readonly PropertyKey[], test: (day: string) => string): Change[] {
  const named = Array.isArray(days) ? days.filter((day) => (DAYS as readonly unknown[]).includes(day)) : [];
  return named.length < 2 ? [] : named.map((day, i) => ({ path: [...path, i], to: undefined, what: `${shown(day)} was dropped`, test: test(String(day)) }));
}

/** Another zone than that of the people. */
function zoneMutants(zone: unknown, path: readonly PropertyKey[], test: string): Change[] {
  const other = zone === "Asia/Tokyo" ? "America/New_York" : "Asia/Tokyo";
  return typeof zone === "string" ? [{ path, to: other, what: `${String(path.at(-1))}: ${shown(zone)} became ${shown(other)}`, test }] : [];
}
