import { DateTime, IANAZone, type Zone } from "luxon";

/** Days of the week as documents name them, from Monday. */
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

/** One of them. */
export type Day = (typeof DAYS)[number];

/** When an organisation works. Times of day are minutes from local midnight, `to` up to 1440 and not included. */
export interface Calendar {
  /** IANA name. */
  readonly zone: string;
  readonly hours: readonly { readonly days: readonly Day[]; readonly from: number; readonly to: number }[];
  /** Local dates, such as 2026-12-25. */
  readonly holidays: ReadonlySet<string>;
}

/** Time in which the organisation works, in milliseconds since the epoch; `to` is not included. */
interface Opening {
  readonly from: number;
  readonly to: number;
}

/** Most days that are looked through: a calendar whose year is all holidays must come to an end. */
const MAX_DAYS = 1000;

/** Most openings that a calendar keeps. */
const MAX_KEPT = 5000;

/** Whether a name is a time zone that this machine knows. */
export function isTimeZone(name: string): boolean {
  return IANAZone.isValidZone(name);
}

/** The local date and time of a moment. */
export function localTime(at: number, zone: string): DateTime<true> {
  const local = DateTime.fromMillis(at, { zone });
  if (!local.isValid) throw new Error(`the time ${at} cannot be told in ${zone}`);
  return local;
}

/** Whether the organisation works at a moment. */
export function isOpen(calendar: Calendar, at: number): boolean {
  return openingsOn(calendar, dayOf(calendar, at)).some(({ from, to }) => from <= at && at < to);
}

/** When `ms` of working time are over. A moment outside of the hours counts from the next opening on. */
export function afterWorkingTime(calendar: Calendar, at: number, ms: number): number {
  let rest = ms;
  for (const { from, to } of openingsFrom(calendar, at)) {
    const start = Math.max(from, at);
    if (to - start >= rest) return start + rest;
    rest -= to - start;
  }
  throw new Error(NEVER_OPEN);
}

/** How much of a stretch of time is working time, in milliseconds. */
export function workingTimeIn(calendar: Calendar, from: number, to: number): number {
  let sum = 0;
  for (const opening of openingsFrom(calendar, from)) {
    if (opening.from >= to) break;
    sum += Math.min(opening.to, to) - Math.max(opening.from, from);
  }
  return sum;
}

/**
 * The same time of day so many working days later. A moment outside of the hours counts from the next opening on; where the last day is
 * closed at that time of day, its next opening counts, else its closing.
 */
export function afterWorkingDays(calendar: Calendar, at: number, days: number): number {
  const [first] = openingsFrom(calendar, at);
  if (first === undefined) throw new Error(NEVER_OPEN);
  const start = Math.max(first.from, at);
  const startDay = dayOf(calendar, start);
  let left = days;
  for (let day = startDay, looked = 0; looked < MAX_DAYS; looked++) {
    day = day.plus({ days: 1 });
    const openings = openingsOn(calendar, day);
    if (openings.length === 0) continue;
    if (--left > 0) continue;
    const { hour, minute, second, millisecond } = localTime(start, calendar.zone);
    const wanted = momentOf(day, hour * 60 + minute) + second * 1000 + millisecond;
    const opening = openings.find(({ to }) => wanted <= to);
    return opening === undefined ? (openings.at(-1) as Opening).to : Math.max(opening.from, wanted);
  }
  throw new Error(NEVER_OPEN);
}

const NEVER_OPEN = "the calendar has no working time within the next years";

/** Openings that end after a moment, in order, until MAX_DAYS after it. */
function* openingsFrom(calendar: Calendar, at: number): Generator<Opening, void> {
  const first = dayOf(calendar, at);
  for (let i = 0; i < MAX_DAYS; i++) for (const opening of openingsOn(calendar, first.plus({ days: i }))) if (opening.to > at) yield opening;
}

function dayOf(calendar: Calendar, at: number): DateTime<true> {
  return localTime(at, calendar.zone).startOf("day");
}

const kept = new WeakMap<Calendar, Map<string, readonly Opening[]>>();

/** Openings of a local day, in order and without overlaps. */
function openingsOn(calendar: Calendar, day: DateTime<true>): readonly Opening[] {
  let known = kept.get(calendar);
  if (known === undefined || known.size > MAX_KEPT) kept.set(calendar, (known = new Map()));
  const date = day.toISODate();
  let found = known.get(date);
  if (found === undefined) known.set(date, (found = openings(calendar, day, date)));
  return found;
}

function openings(calendar: Calendar, day: DateTime<true>, date: string): readonly Opening[] {
  if (calendar.holidays.has(date)) return [];
  const name = DAYS[day.weekday - 1];
  const out: { from: number; to: number }[] = [];
  const today = calendar.hours.filter(({ days }) => days.some((d) => d === name)).sort((a, b) => a.from - b.from);
  for (const { from, to } of today) {
    const opening = { from: momentOf(day, from), to: momentOf(day, to) };
    const last = out.at(-1);
    if (last !== undefined && opening.from <= last.to) last.to = Math.max(last.to, opening.to);
    else if (opening.to > opening.from) out.push(opening);
  }
  return out;
}

/** A time that the clock leaps over in spring is the end of the leap; one that comes twice in autumn is the first. */
function momentOf(day: DateTime<true>, minutes: number): number {
  if (minutes === 1440) return day.plus({ days: 1 }).startOf("day").toMillis();
  const found = day.set({ hour: Math.floor(minutes / 60), minute: minutes % 60 });
  // Luxon moves a time inside the leap on by the length of the leap: 02:30 becomes 03:30, and hours from 02:30 to 03:30 would be none.
  const moved = found.hour * 60 + found.minute - minutes;
  return moved === 0 ? found.toMillis() : leapBetween(found.toMillis() - Math.abs(moved) * 60_000, found.toMillis(), found.zone);
}

/** The moment between two at which the clock changes. */
function leapBetween(from: number, to: number, zone: Zone): number {
  const offset = zone.offset(to);
  let [before, after] = [from, to];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (zone.offset(middle) === offset) after = middle;
    else before = middle;
  }
  return after;
}
