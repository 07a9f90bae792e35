import { z } from "zod";
import { DAYS, isTimeZone } from "../calendar.ts";
import { didYouMean, shown } from "../problems.ts";
import { custom, oneOf, shape } from "./shape-parts.ts";

const ZONES = Intl.supportedValuesOf("timeZone");

/** Name of a time zone. */
export const timeZone = custom((value) =>
  typeof value === "string" && isTimeZone(value)
    ? value
    : new Error(`must be the name of a time zone such as Europe/Zurich, not ${shown(value)}${typeof value === "string" ? didYouMean(value, ZONES) : ""}`),
);

/** A time of day as "09:00", read as minutes from midnight; "24:00" is the end of the day. */
export const timeOfDay = custom(readTimeOfDay);

function readTimeOfDay(value: unknown): number | Error {
  const [, hours = "", minutes = ""] = (typeof value === "string" && /^(\d{2}):(\d{2})$/.exec(value)) || [];
  const at = Number(hours) * 60 + Number(minutes);
  return hours !== "" && Number(minutes) < 60 && at <= 1440 ? at : new Error(`must be a time of day such as "09:00", not ${shown(value)}`);
}

/** Days of the week. */
export const days = z.array(oneOf(DAYS)).min(1);

const date = custom((value) => {
  const ok = typeof value === "string" && /^\d{4}-\d{2}-\d{2}$/.test(value) && new Date(`${value}T00:00:00Z`).toJSON()?.startsWith(value);
  return ok ? (value as string) : new Error(`must be a date such as "2026-12-25", not ${shown(value)}`);
});

/** A moment as ISO 8601 with its offset, read as milliseconds since the epoch; a bare date is its midnight in UTC. */
export const moment = custom((value) => {
  const known = typeof value === "string" && /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value);
  const at = known ? Date.parse(value) : Number.NaN;
  // Date.parse takes February 30 for March 2.
  const real = known && new Date(`${value.slice(0, 10)}T00:00:00Z`).toJSON()?.startsWith(value.slice(0, 10));
  return Number.isFinite(at) && real ? at : new Error(`must be a date, or a time with its offset such as 2026-12-31T18:00:00+01:00, not ${shown(value)}`);
});

/** When people work. */
export const calendar = shape({
  time_zone: timeZone,
  hours: z.array(shape({ days, from: timeOfDay, to: timeOfDay })).min(1),
  holidays: z.array(date).default([]),
});

const between = custom((value): readonly [number, number] | Error => {
  const [from, to] = Array.isArray(value) && value.length === 2 ? value.map(readTimeOfDay) : [];
  if (typeof from !== "number" || typeof to !== "number") return new Error(`must be two times of day such as ["22:00", "06:00"], not ${shown(value)}`);
  return [from, to];
});

/** When a rule applies by the clock. */
export const timeCondition = shape({
  between: between.optional(),
  days: days.optional(),
  from: moment.optional(),
  until: moment.optional(),
  business: z.boolean().optional(),
  zone: timeZone.optional(),
});

/** The content of a time condition. */
export type TimeContent = z.output<typeof timeCondition>;

/** The content of a calendar. */
export type CalendarContent = z.output<typeof calendar>;
