import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterWorkingDays, afterWorkingTime, type Calendar, DAYS, isOpen, workingTimeIn } from "../../src/policy/calendar.ts";
import { isLonger, readSpan, spanEnd, spanText } from "../../src/policy/span.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = (iso: string) => Date.parse(iso);
const iso = (ms: number) => new Date(ms).toISOString();

const office: Calendar = {
  zone: "Europe/Zurich",
  hours: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: 9 * 60, to: 17 * 60 + 30 }],
  holidays: new Set(["2026-12-25", "2027-01-01"]),
};

describe("working time", () => {
  it.each([
    ["inside one day", "2026-11-20T10:00:00+01:00", 4, "2026-11-20T14:00:00+01:00"],
    ["to the very end of a day", "2026-11-20T13:30:00+01:00", 4, "2026-11-20T17:30:00+01:00"],
    ["over a night", "2026-11-19T16:30:00+01:00", 4, "2026-11-20T12:00:00+01:00"],
    ["over a weekend", "2026-11-20T16:30:00+01:00", 4, "2026-11-23T12:00:00+01:00"],
    ["from a Saturday", "2026-11-21T03:00:00+01:00", 4, "2026-11-23T13:00:00+01:00"],
    ["from before the opening", "2026-11-20T05:00:00+01:00", 1, "2026-11-20T10:00:00+01:00"],
    ["from the very end of a day", "2026-11-19T17:30:00+01:00", 1, "2026-11-20T10:00:00+01:00"],
    ["over a holiday and a weekend", "2026-12-24T17:00:00+01:00", 1, "2026-12-28T09:30:00+01:00"],
    ["over the end of summer time", "2026-10-23T17:00:00+02:00", 1, "2026-10-26T09:30:00+01:00"],
    ["over the beginning of summer time", "2027-03-26T17:00:00+01:00", 1, "2027-03-29T09:30:00+02:00"],
  ])("runs %s", (_, from, hours, to) => {
    expect(iso(afterWorkingTime(office, at(from), hours * HOUR))).toBe(iso(at(to)));
  });

  it.each([
    ["from Friday over the weekend", "2026-11-20T15:00:00+01:00", 2, "2026-11-24T15:00:00+01:00"],
    ["from a Saturday, which counts as Monday morning", "2026-11-21T12:00:00+01:00", 2, "2026-11-25T09:00:00+01:00"],
    ["over a holiday", "2026-12-24T15:00:00+01:00", 1, "2026-12-28T15:00:00+01:00"],
    ["at the same time of day over the end of summer time", "2026-10-23T15:00:00+02:00", 1, "2026-10-26T15:00:00+01:00"],
  ])("counts working days %s", (_, from, days, to) => {
    expect(iso(afterWorkingDays(office, at(from), days))).toBe(iso(at(to)));
  });

  it("lies in a stretch of time as long as it takes to be over", () => {
    const starts = fc.integer({ min: at("2026-10-20T00:00:00Z"), max: at("2027-01-10T00:00:00Z") });
    fc.assert(
      fc.property(starts, fc.integer({ min: 0, max: 60 * HOUR }), (from, ms) => {
        expect(workingTimeIn(office, from, afterWorkingTime(office, from, ms))).toBe(ms);
      }),
    );
    expect(workingTimeIn(office, at("2026-11-20T16:30:00+01:00"), at("2026-11-23T09:45:00+01:00"))).toBe(105 * MINUTE);
    expect(workingTimeIn(office, at("2026-11-21T16:30:00+01:00"), at("2026-11-22T09:45:00+01:00"))).toBe(0);
  });

  it("ends a working day where the later day is shorter, and moves into its hours where it opens later or has a break", () => {
    const shifts: Calendar = {
      zone: "UTC",
      hours: [
        { days: ["mon"], from: 480, to: 1200 },
        { days: ["tue"], from: 600, to: 720 },
        { days: ["tue"], from: 780, to: 900 },
      ],
      holidays: new Set(),
    };
    expect(iso(afterWorkingDays(shifts, at("2026-11-16T19:00:00Z"), 1))).toBe("2026-11-17T15:00:00.000Z");
    expect(iso(afterWorkingDays(shifts, at("2026-11-16T08:30:00Z"), 1))).toBe("2026-11-17T10:00:00.000Z");
    expect(iso(afterWorkingDays(shifts, at("2026-11-16T12:30:00Z"), 1))).toBe("2026-11-17T13:00:00.000Z");
  });

  it("that begins, ends or lies inside the hour that spring leaps over is what is left of it after the leap", () => {
    const sundays = (zone: string, from: number, to: number): Calendar => ({ zone, hours: [{ days: ["sun"], from, to }], holidays: new Set() });
    const begins = sundays("Europe/Zurich", 150, 210);
    const open = (calendar: Calendar, ...times: string[]) => times.map((time) => isOpen(calendar, at(time)));
    expect(open(begins, "2027-03-28T01:59:59+01:00", "2027-03-28T03:00:00+02:00", "2027-03-28T03:10:00+02:00", "2027-03-28T03:30:00+02:00")).toEqual([
      ...[false, true, true, false],
    ]);
    expect(iso(afterWorkingTime(begins, at("2027-03-27T12:00:00Z"), HOUR / 2))).toBe(iso(at("2027-03-28T03:30:00+02:00")));
    const ends = sundays("Europe/Zurich", 60, 150);
    expect(open(ends, "2027-03-28T01:00:00+01:00", "2027-03-28T01:59:59+01:00", "2027-03-28T03:00:00+02:00")).toEqual([true, true, false]);
    expect(open(sundays("Europe/Zurich", 125, 170), "2027-03-28T01:30:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-28T03:20:00+02:00")).toEqual([
      ...[false, false, false],
    ]);
    // Where the leap is half an hour, and where it begins at midnight.
    const island = sundays("Australia/Lord_Howe", 135, 180);
    expect(open(island, "2026-10-04T01:59:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00")).toEqual([false, true, false]);
    const night = sundays("America/Sao_Paulo", 30, 90);
    expect(open(night, "2018-11-03T23:59:00-03:00", "2018-11-04T01:00:00-02:00", "2018-11-04T01:30:00-02:00")).toEqual([false, true, false]);
    const whole = sundays("America/Sao_Paulo", 0, 1440);
    expect(open(whole, "2018-11-04T01:00:00-02:00", "2018-11-04T23:59:00-02:00", "2018-11-05T00:30:00-02:00")).toEqual([true, true, false]);
  });

  it("says so when a calendar never opens", () => {
    const closed: Calendar = {
      ...office,
      holidays: new Set(Array.from({ length: 1500 }, (_, i) => iso(at("2026-01-01T00:00:00Z") + i * 24 * HOUR).slice(0, 10))),
    };
    expect(() => afterWorkingTime(closed, at("2026-02-01T00:00:00Z"), HOUR)).toThrow("no working time");
    expect(() => afterWorkingDays(closed, at("2026-02-01T00:00:00Z"), 1)).toThrow("no working time");
  });

  it("agrees with a clock that is looked at every minute, in any zone, over changes of the clock, nights, weekends and holidays", () => {
    const calendars = fc.record({
      zone: fc.constantFrom("Europe/Zurich", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "UTC"),
      hours: fc.array(
        fc
          .record({
            days: fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1 }),
            // Not between 1:00 and 3:00, where an hour comes twice: the first of the two counts.
            from: fc.constantFrom(0, 30, 4 * 60, 9 * 60, 13 * 60 + 15),
            to: fc.constantFrom(4 * 60 + 30, 12 * 60, 17 * 60 + 30, 23 * 60 + 59, 24 * 60),
          })
          .filter(({ from, to }) => from < to),
        { minLength: 1, maxLength: 3 },
      ),
      holidays: fc.array(fc.constantFrom("2026-03-29", "2026-03-30", "2026-04-06", "2026-10-25", "2026-11-02"), { maxLength: 3 }).map((list) => new Set(list)),
    });
    const starts = fc.constantFrom("2026-03-07T12:00:00Z", "2026-03-28T12:00:00Z", "2026-04-04T12:00:00Z", "2026-10-24T12:00:00Z", "2026-10-31T12:00:00Z");
    fc.assert(
      fc.property(calendars, starts, fc.integer({ min: 0, max: 3 * 1440 }), fc.integer({ min: 1, max: 20 * 60 }), (calendar, start, offset, minutes) => {
        const from = at(start) + offset * MINUTE;
        const clock = localClock(calendar.zone);
        expect(isOpen(calendar, from)).toBe(clock.open(calendar, from));
        let left = minutes;
        let now = from;
        for (; left > 0; now += MINUTE) if (clock.open(calendar, now)) left--;
        expect(iso(afterWorkingTime(calendar, from, minutes * MINUTE))).toBe(iso(now));
      }),
      { numRuns: 60 },
    );
  });

  it("agrees with a calendar that is leafed through day by day", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * 1440 }), fc.integer({ min: 1, max: 12 }), (offset, days) => {
        const from = at("2026-01-01T00:00:00Z") + offset * MINUTE;
        const clock = localClock(office.zone);
        let start = from;
        while (!clock.open(office, start)) start += MINUTE;
        const wanted = clock.read(start);
        let left = days;
        let now = start;
        for (let day = wanted.date; left > 0; now += MINUTE) {
          const { date } = clock.read(now);
          if (date !== day && clock.open(office, now)) [day, left] = [date, left - 1];
        }
        while (clock.read(now).minutes < wanted.minutes) now += MINUTE;
        // The loop stands one minute after the opening where the wanted time is the opening itself.
        expect(clock.read(afterWorkingDays(office, from, days))).toEqual({ ...clock.read(now), minutes: wanted.minutes });
      }),
      { numRuns: 8 },
    );
  });
});

/** The clock on a wall, read through Intl: slow, and nothing of what is tested here. */
function localClock(zone: string) {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    hourCycle: "h23",
    ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", weekday: "short" },
  });
  const read = (ms: number) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    return {
      date: `${parts.year}-${parts.month}-${parts.day}`,
      day: (parts.weekday as string).toLowerCase(),
      minutes: Number(parts.hour) * 60 + Number(parts.minute),
    };
  };
  const open = (calendar: Calendar, ms: number): boolean => {
    const { date, day, minutes } = read(ms);
    return !calendar.holidays.has(date) && calendar.hours.some(({ days, from, to }) => days.some((d) => d === day) && from <= minutes && minutes < to);
  };
  return { read, open };
}

describe("a span", () => {
  it.each([
    ["PT10M", 600_000, "10 minutes"],
    ["4 business hours", { amount: 4, unit: "hour" }, "4 business hours"],
    ["1 Business Hour", { amount: 1, unit: "hour" }, "1 business hour"],
    ["1.5 business hours", { amount: 1.5, unit: "hour" }, "1.5 business hours"],
    ["2 business days", { amount: 2, unit: "day" }, "2 business days"],
  ])("%s is read and told", (text, span, told) => {
    expect(readSpan(text)).toEqual(span);
    expect(spanText(span as never)).toBe(told);
  });

  it.each(["4 hours", "0 business hours", "-1 business days", "1.5 business days", "business hours", "9999 business hours", "P1Y"])("%s is none", (text) => {
    expect(readSpan(text)).toBeUndefined();
  });

  it("is longer only where that can be told", () => {
    expect(isLonger({ amount: 4, unit: "hour" }, { amount: 2, unit: "hour" })).toBe(true);
    expect(isLonger({ amount: 4, unit: "hour" }, { amount: 1, unit: "day" })).toBe(false);
    expect(isLonger(5, { amount: 1, unit: "hour" })).toBe(false);
    expect(isLonger(5, 4)).toBe(true);
  });

  it("of working time needs a calendar", () => {
    expect(() => spanEnd(0, { amount: 4, unit: "hour" }, undefined)).toThrow("4 business hours without a calendar");
    expect(spanEnd(1, 5, undefined)).toBe(6);
  });
});
