const DAY = 86_400_000;
const TIME = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/;
const CALENDAR = /^P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?$/;

/** Longest timeout or window that a document may name, in milliseconds: a year. */
export const MAX_DURATION = 366 * DAY;

/**
 * Milliseconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as PT10M or P1DT12H. Years and months
 * have no fixed length and give undefined, as does everything else.
 */
export function durationMs(text: string): number | undefined {
  const match = TIME.exec(text);
  if (match === null || text.endsWith("T") || text === "P") return undefined;
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return Math.round((weeks * 7 + days) * DAY + hours * 3_600_000 + minutes * 60_000 + seconds * 1000);
}

/** Whether a text is an ISO 8601 duration of years, months, weeks and days, such as P7Y. */
export function isCalendarDuration(text: string): boolean {
  return CALENDAR.test(text);
}

/** A duration for people: "10 minutes", "4 hours", "1 hour 30 minutes". */
export function durationText(ms: number): string {
  const parts: string[] = [];
  let rest = ms;
  for (const [unit, size] of [
    ["day", DAY],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
  ] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? "" : "s"}`);
  }
  return parts.slice(0, 2).join(" ") || `${ms} ms`;
}
