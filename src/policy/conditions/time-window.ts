import type { Json } from "../../events/canonical.ts";
import { type Calendar, DAYS, type Day, isOpen, localTime } from "../calendar.ts";
import type { CalendarContent, TimeContent } from "../document/shape-time.ts";

/** A calendar of a document, ready for use. */
export function compileCalendar(content: CalendarContent | undefined): Calendar | undefined {
  return content && { zone: content.time_zone, hours: content.hours, holidays: new Set(content.holidays) };
}

/** Whether a moment lies in a window: every part that is given must hold. @throws Error where it needs a calendar that is not there */
export function compileTimeWindow(content: TimeContent, calendar: Calendar | undefined): (at: number) => boolean {
  const { between, days, from, until, business } = content;
  const zone = content.zone ?? calendar?.zone;
  const local = between !== undefined || days !== undefined;
  if (local && zone === undefined) throw new Error("a time of day needs a zone, or a calendar with one");
  if (business !== undefined && calendar === undefined) throw new Error("business time needs a calendar");
  const named = (weekday: number) => days === undefined || days.includes(DAYS[(weekday + 7) % 7] as Day);
  const inside = (at: number): boolean => {
    const { weekday, hour, minute } = localTime(at, zone as string);
    if (between === undefined) return named(weekday - 1);
    const time = hour * 60 + minute;
    const [start, end] = between;
    if (start < end) return start <= time && time < end && named(weekday - 1);
    // Over midnight: the hours after it belong to the day on which the window began.
    return time >= start ? named(weekday - 1) : time < end && named(weekday - 2);
  };
  return remembered(
    (at) =>
      (from === undefined || at >= from) &&
      (until === undefined || at < until) &&
      (business === undefined || isOpen(calendar as Calendar, at) === business) &&
      (!local || inside(at)),
  );
}

/** A window as a document writes it, for people. */
export function windowText({ between, days, from, until, business, zone }: TimeContent): { [key: string]: Json } {
  const clock = (minutes: number) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  return {
    ...(between && { between: between.map(clock) }),
    ...(days && { days: [...days] }),
    ...(from !== undefined && { from: new Date(from).toISOString() }),
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(business !== undefined && { business }),
    ...(zone && { zone }),
  };
}

/** Many proposals are judged within one millisecond, and telling local time is slow. */
function remembered(test: (at: number) => boolean): (at: number) => boolean {
  let last = Number.NaN;
  let answer = false;
  return (at) => {
    if (at !== last) [answer, last] = [test(at), at];
    return answer;
  };
}
