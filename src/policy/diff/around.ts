import { DateTime } from "luxon";
import type { Json } from "../../events/canonical.ts";
import { decimalText } from "../../events/decimal.ts";
import { DAYS } from "../calendar.ts";
import { reaches } from "../conditions/places.ts";
import { fieldsOf } from "../document/schema-fields.ts";
import type { PolicyContent } from "../document/shape.ts";
import type { Condition } from "../document/shape-condition.ts";
import type { CalendarContent, TimeContent } from "../document/shape-time.ts";
import { pointerKeys } from "../pointer.ts";
import type { Earlier } from "../testing/earlier.ts";

/** Monday of a week without anything special; cases that name no time are judged on its Tuesday. */
const WEEK = "2026-01-05";
const NOON = 720;
/** More earlier actions, and more different values, than a case can tell. */
const MOST_EARLIER = 1_000_000;
const MOST_VALUES = 1000;
/** Most other actions that count for the same budget of which one is tried each. */
const MOST_SIBLINGS = 5;

/** Times beside each edge of what conditions and grants say about time, in milliseconds since the epoch. */
export function timeEdges(content: PolicyContent, conditions: readonly Condition[], tool: string): number[] {
  const { calendar } = content;
  const times = conditions.flatMap(timesIn);
  const windows = times.flatMap((time) => windowEdges(time, time.zone ?? calendar?.time_zone));
  const business = calendar !== undefined && times.some((time) => time.business !== undefined) ? businessEdges(calendar) : [];
  const ends = content.grants.flatMap(({ when, expires }) => (reaches(when, tool) ? [expires - 1, expires] : []));
  return [...windows, ...business, ...ends];
}

/** Every time condition in a condition. */
function timesIn(when: Condition): TimeContent[] {
  const parts = [...(when.all ?? []), ...(when.any ?? []), ...(when.not === undefined ? [] : [when.not])];
  return [...(when.time === undefined ? [] : [when.time]), ...parts.flatMap(timesIn)];
}

function windowEdges({ between, days, from, until }: TimeContent, zone = "UTC"): number[] {
  const moments = [from, until].flatMap((at) => (at === undefined ? [] : [at, at - 1]));
  if (between === undefined && days === undefined) return moments;
  const [start, end] = between ?? [NOON, NOON + 60];
  const clock = between === undefined ? [] : [start, start - 1, end - 1, end].map((minutes) => local(dayOf(days?.[0] ?? "tue"), minutes, zone));
  return [...moments, ...clock, ...DAYS.map((day) => local(dayOf(day), start, zone))];
}

function businessEdges({ time_zone: zone, hours, holidays }: CalendarContent): number[] {
  const [first] = hours;
  const middle = first === undefined ? NOON : Math.floor((first.from + first.to) / 2);
  return [
    ...hours.flatMap(({ days, from, to }) => [from, from - 1, to - 1, to].map((minutes) => local(dayOf(days[0] as string), minutes, zone))),
    ...DAYS.map((day) => local(dayOf(day), middle, zone)),
    ...holidays.map((date) => local(date, middle, zone)),
  ];
}

function dayOf(day: string): string {
  return DateTime.fromISO(WEEK, { zone: "UTC" })
    .plus({ days: (DAYS as readonly string[]).indexOf(day) })
    .toFormat("yyyy-MM-dd");
}

function local(date: string, minutes: number, zone: string): number {
  return DateTime.fromISO(date, { zone }).startOf("day").plus({ minutes }).toMillis();
}

/** One earlier action, told by what it has in common with the one that is judged. */
export interface Before {
  readonly ago: number;
  readonly times: number;
  /** Arguments that differ from those that are judged. */
  readonly set: { readonly [pointer: string]: Json };
  /** What of it was another than now. */
  readonly another: keyof typeof ANOTHER | null;
  /** Another action that counts for the same; left out: the one that is judged. */
  readonly action?: string;
}

/** Somebody else, in the words of a case. */
const ANOTHER = { agent: { agent: "another-agent" }, on_behalf_of: { on_behalf_of: "another-person" }, run: { thread: "another-run" } } as const;

/**
 * Earlier actions that use up budgets, repeat, or use up grants: within each window and just outside of it, by the same agent and by another,
 * with the same action and with another that counts for the same.
 */
export function usedBefore(content: PolicyContent, tool: string): Before[] {
  const within = (head: { window: number; per: readonly string[]; action: readonly string[] }, times: number, set: Before["set"] = {}): Before[] => {
    const { window, per } = head;
    const ago = Math.ceil(Math.min(60_000, window / 2));
    const edge = Math.min(1000, window / 4);
    const siblings = [...new Set([...Object.keys(content.actions), ...head.action].map((name) => toolOf(name)))]
      .filter((name) => name !== tool && reaches({ action: head.action }, name))
      .slice(0, MOST_SIBLINGS);
    return [
      ...[ago, Math.ceil(window - edge), Math.ceil(window + edge)].map((at) => ({ ago: at, times, set, another: null })),
      ...(Object.keys(ANOTHER) as (keyof typeof ANOTHER)[]).map((another) => ({ ago, times, set, another })),
      ...per.filter((part) => part.startsWith("/")).map((path) => ({ ago, times, set: { ...set, [path]: "another" }, another: null })),
      ...siblings.map((action) => ({ ago, times, set, another: null, action })),
    ];
  };
  const budgets = content.budgets.filter(({ action }) => reaches({ action }, tool));
  const duplicates = content.duplicates.filter(({ action }) => reaches({ action }, tool));
  const grants = content.grants.filter(({ when }) => reaches(when, tool));
  const declared = Object.entries(content.actions).flatMap(([name, action]) =>
    reaches({ action: [name] }, tool) ? fieldsOf(action.arguments as Json | undefined) : [],
  );
  return [
    ...budgets.flatMap((budget) =>
      budget.limits.flatMap(({ above }) => {
        const { measure } = budget;
        const most = Math.floor(Number(decimalText(above)));
        if (measure.kind === "sum") return within(budget, 1, { [measure.path]: Number(decimalText(above)) });
        if (measure.kind === "count") return most >= 1 && most <= MOST_EARLIER ? within(budget, most) : [];
        return most >= 1 && most <= MOST_VALUES ? within(budget, 1, { [measure.path]: Array.from({ length: most }, (_, i) => `earlier ${i + 1}`) }) : [];
      }),
    ),
    // The same again, and the same but for one of the arguments: of those that make two calls the same, and of the others.
    ...duplicates.flatMap((duplicate) => [
      ...within(duplicate, 1),
      ...[...new Set([...(duplicate.by ?? []), ...declared])].map((path) => ({
        ago: Math.ceil(Math.min(60_000, duplicate.window / 2)),
        times: 1,
        set: { [path]: "another" },
        another: null,
      })),
    ]),
    ...grants.flatMap(({ cap, when }) => (cap.max <= MOST_EARLIER ? within({ ...cap, action: when.action ?? [] }, cap.max) : [])),
  ];
}

/** A tool that a name or a glob finds: itself, or a name with letters for the wildcards. */
export function toolOf(name: string, letter = "x"): string {
  return name.replaceAll("*", letter).replaceAll("?", letter);
}

/** What came earlier, in the words of a case. */
export function earlierOf({ ago, times, set, another, action }: Before, tool: string, args: Json): Earlier {
  const by = another === null ? {} : ANOTHER[another];
  const changed = Object.entries(set).reduce<Json>((value, [pointer, to]) => replaced(value, pointerKeys(pointer) ?? [], to), args);
  return [{ ago, ...(times > 1 && { times }), action: action ?? tool, args: changed, ...by }] as unknown as Earlier;
}

function replaced(value: Json, keys: readonly string[], to: Json): Json {
  const [key, ...rest] = keys;
  if (key === undefined) return to;
  const object = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  return { ...object, [key]: replaced(object[key] ?? {}, rest, to) };
}
