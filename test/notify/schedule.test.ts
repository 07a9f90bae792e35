import { DateTime } from "luxon";
import { describe, expect, it } from "vitest";
import { dueOf, isAlwaysQuiet, quietUntil, type Rhythm } from "../../src/notify/schedule.ts";

const ZONE = "Europe/Zurich";
const at = (text: string, zone = ZONE) => DateTime.fromISO(text, { zone }).toMillis();
const told = (ms: number, zone = ZONE) => DateTime.fromMillis(ms, { zone }).toFormat("yyyy-MM-dd HH:mm");
const NIGHT = { days: [], from: 20 * 60, to: 7 * 60 };
const rhythm = (over: Partial<Rhythm> = {}): Rhythm => ({ zone: ZONE, quiet: [], through: ["critical"], ...over });
const NOTICE = { risk: "high", deadline: null } as const;
const ONCE = { digest: "none" } as const;

describe("quiet hours", () => {
  it("hold a notice back until they end, over midnight too, and nothing outside of them", () => {
    const until = (text: string) => told(quietUntil(at(text), ZONE, [NIGHT]));
    expect(until("2026-11-18T19:59")).toBe("2026-11-18 19:59");
    expect(until("2026-11-18T20:00")).toBe("2026-11-19 07:00");
    expect(until("2026-11-19T03:00")).toBe("2026-11-19 07:00");
    expect(until("2026-11-19T07:00")).toBe("2026-11-19 07:00");
  });

  it("belong to the day on which they begin, and follow upon one another", () => {
    const quiet = [
      { days: ["mon", "tue", "wed", "thu", "fri"], from: 18 * 60, to: 8 * 60 },
      { days: ["sat", "sun"], from: 0, to: 1440 },
    ];
    // Friday evening until Saturday 08:00, all of Saturday and Sunday; on Monday nothing holds it back before 18:00.
    expect(told(quietUntil(at("2026-11-20T18:30"), ZONE, quiet))).toBe("2026-11-23 00:00");
    expect(told(quietUntil(at("2026-11-23T07:00"), ZONE, quiet))).toBe("2026-11-23 07:00");
  });

  it("are told by the owner's clock, also where it is set back or forward", () => {
    const hours = (text: string) => (quietUntil(at(text), ZONE, [NIGHT]) - at(text)) / 3_600_000;
    expect(hours("2026-10-24T20:00")).toBe(12);
    expect(hours("2026-03-28T20:00")).toBe(10);
    expect(told(quietUntil(at("2026-11-18T12:00"), "America/New_York", [NIGHT]), "America/New_York")).toBe("2026-11-18 07:00");
  });

  it("end somewhere even where all time is quiet", () => {
    const always = [{ days: [], from: 0, to: 1440 }];
    expect(quietUntil(at("2026-11-18T12:00"), ZONE, always)).toBeGreaterThan(at("2026-11-20T00:00"));
  });
});

describe("when a notice goes out", () => {
  const now = at("2026-11-18T21:10");

  it("is now where nothing is said, and after quiet hours where they are on, together with what else waited", () => {
    expect(dueOf(NOTICE, now, rhythm(), ONCE)).toEqual({ at: now, gathered: false });
    expect(dueOf(NOTICE, now, rhythm({ quiet: [NIGHT] }), ONCE)).toEqual({ at: at("2026-11-19T07:00"), gathered: true });
  });

  it("is now for what the route lets through, whatever the hour", () => {
    const critical = { ...NOTICE, risk: "critical" as const };
    expect(dueOf(critical, now, rhythm({ quiet: [NIGHT] }), { digest: "daily", at: 480 })).toEqual({ at: now, gathered: false });
    expect(dueOf(critical, now, rhythm({ quiet: [NIGHT], through: [] }), ONCE)).toEqual({ at: at("2026-11-19T07:00"), gathered: true });
  });

  it("is the next full hour or the next time of the day with a digest, and not in quiet hours", () => {
    expect(told(dueOf(NOTICE, now, rhythm(), { digest: "hourly" }).at)).toBe("2026-11-18 22:00");
    expect(told(dueOf(NOTICE, now, rhythm({ quiet: [NIGHT] }), { digest: "hourly" }).at)).toBe("2026-11-19 07:00");
    expect(told(dueOf(NOTICE, now, rhythm(), { digest: "daily", at: 22 * 60 }).at)).toBe("2026-11-18 22:00");
    expect(told(dueOf(NOTICE, now, rhythm(), { digest: "daily", at: 21 * 60 }).at)).toBe("2026-11-19 21:00");
    // Exactly on time belongs to the next one: this one is being sent.
    expect(told(dueOf(NOTICE, at("2026-11-18T22:00"), rhythm(), { digest: "hourly" }).at)).toBe("2026-11-18 23:00");
  });

  it("does not wait for a digest that would come after its deadline", () => {
    const soon = { ...NOTICE, deadline: at("2026-11-18T21:40") };
    expect(dueOf(soon, now, rhythm(), { digest: "hourly" })).toEqual({ at: now, gathered: false });
    expect(dueOf({ ...NOTICE, deadline: at("2026-11-18T22:30") }, now, rhythm(), { digest: "hourly" })).toMatchObject({ gathered: true });
  });

  it("does not wait for the end of quiet hours that would come after its deadline", () => {
    const night = rhythm({ quiet: [NIGHT] });
    const until = (text: string, pace: Parameters<typeof dueOf>[3] = ONCE) => dueOf({ ...NOTICE, deadline: at(text) }, now, night, pace);
    expect(until("2026-11-19T06:59")).toEqual({ at: now, gathered: false });
    expect(until("2026-11-19T07:00")).toEqual({ at: now, gathered: false });
    expect(until("2026-11-19T07:01")).toEqual({ at: at("2026-11-19T07:00"), gathered: true });
    // The digest comes in quiet hours: what waits for it waits for their end.
    expect(until("2026-11-18T23:00", { digest: "hourly" })).toEqual({ at: now, gathered: false });
    // Too soon for the digest, and not for the end of quiet hours.
    expect(until("2026-11-19T10:00", { digest: "daily", at: 12 * 60 })).toEqual({ at: at("2026-11-19T07:00"), gathered: true });
  });
});

describe("quiet times of a whole week", () => {
  const WORK = ["mon", "tue", "wed", "thu", "fri"];
  it("are known for what they are, also where several make them, and over Sunday's midnight", () => {
    expect(isAlwaysQuiet([{ days: [], from: 0, to: 1440 }])).toBe(true);
    expect(isAlwaysQuiet([NIGHT, { days: [], from: 6 * 60, to: 20 * 60 }])).toBe(true);
    expect(isAlwaysQuiet([NIGHT, { days: WORK, from: 7 * 60, to: 20 * 60 }, { days: ["sat", "sun"], from: 0, to: 1440 }])).toBe(true);
  });

  it("are not those that leave a minute", () => {
    expect(isAlwaysQuiet([])).toBe(false);
    expect(isAlwaysQuiet([NIGHT])).toBe(false);
    expect(isAlwaysQuiet([NIGHT, { days: [], from: 7 * 60 + 1, to: 20 * 60 }])).toBe(false);
    expect(isAlwaysQuiet([NIGHT, { days: [], from: 7 * 60, to: 20 * 60 - 1 }])).toBe(false);
    expect(
      isAlwaysQuiet([
        { days: WORK, from: 0, to: 1440 },
        { days: ["sat"], from: 0, to: 1440 },
        { days: ["sun"], from: 1, to: 1440 },
      ]),
    ).toBe(false);
  });
});
