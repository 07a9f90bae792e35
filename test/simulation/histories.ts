import { expect, test } from "vitest";
import { coverageTable, missing } from "./coverage.ts";
import { type Kind, type Simulated, simulate } from "./simulate.ts";

/** COUNTERSIGN_FULL=1 runs all of them, 4,000 in memory and 1,000 on files; without it CI runs the first ones of each part. */
const FULL = process.env.COUNTERSIGN_FULL !== undefined;
/** COUNTERSIGN_SEED repeats a history: alone, or with COUNTERSIGN_HISTORIES as the first of so many. */
const SEED = process.env.COUNTERSIGN_SEED;
const ASKED = process.env.COUNTERSIGN_HISTORIES ?? (SEED === undefined ? undefined : "1");

/** With fewer histories than this what they cover is not held against the table. */
const ENOUGH = 200;

/** The end of a failed history, and how to see all of it. */
function told({ seed, violation, trace }: Simulated, kind: Kind): string {
  return `history ${seed} (${kind}): ${violation}
Run it again: COUNTERSIGN_SEED=${seed} npx vitest run test/simulation/${kind}-1.test.ts; with COUNTERSIGN_TRACE=1 the whole of it is printed.
${trace.slice(process.env.COUNTERSIGN_TRACE === undefined ? -40 : 0).join("\n")}`;
}

/** One part of the histories: so many from a seed on. They are spread over files, which run beside each other. */
export function testHistories(kind: Kind, first: number, { inCi, inAll }: { inCi: number; inAll: number }): void {
  const from = Number(SEED ?? first);
  const count = Number(ASKED ?? (FULL ? inAll : inCi));
  const where = kind === "memory" ? "with a log in memory" : "on the embedded log with its files, where a restart opens them again,";
  test(`${count} histories from ${from} on ${where} keep every rule`, { timeout: 1_800_000 }, async () => {
    const counts: { [what: string]: number } = {};
    const covered = new Map<string, number>();
    const before = process.cpuUsage();
    for (let seed = from; seed < from + count; seed++) {
      const result = await simulate(seed, kind);
      if (result.violation !== null) expect.fail(told(result, kind));
      for (const [what, n] of Object.entries(result.counts)) {
        counts[what] = (counts[what] ?? 0) + n;
        if (n > 0) covered.set(what, (covered.get(what) ?? 0) + 1);
      }
    }
    const { user, system } = process.cpuUsage(before);
    console.log(
      `${kind}: seeds ${from} to ${from + count - 1}, ${counts.items} items, ${counts.acts} executions, ${counts.restarts} restarts, ${((user + system) / 1e6).toFixed(0)} s of CPU`,
    );
    if (count < ENOUGH) return console.log(`not checked with fewer than ${ENOUGH} histories: how many show what`);
    if (kind === "memory") console.log(coverageTable(covered, count));
    expect(missing(covered, count)).toEqual([]);
  });
}
