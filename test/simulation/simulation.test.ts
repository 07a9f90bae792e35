import { expect, test } from "vitest";
import { type Kind, type Simulated, simulate } from "./simulate.ts";

/** COUNTERSIGN_SEED repeats a history: alone, or with COUNTERSIGN_HISTORIES as the first of so many. */
const SEED = Number(process.env.COUNTERSIGN_SEED ?? 1);
const ASKED = process.env.COUNTERSIGN_HISTORIES;
const many = (ci: number) => (ASKED === undefined ? (process.env.COUNTERSIGN_SEED === undefined ? ci : 1) : Number(ASKED));

/** What must occur among this many histories, so that nothing broken means something. */
const MUST_OCCUR = [
  ...["approve", "reject", "edit", "claim", "release", "respond", "acknowledge", "escalate", "expire", "withdraw", "settle", "clear", "report"].map(
    (kind) => `decisions ${kind} effective`,
  ),
  ...["proceed", "proceed_edited", "refused", "responded", "acknowledged", "expired", "forbidden", "withdrawn", "withheld", "roll_back"].map(
    (outcome) => `resumes ${outcome} effective`,
  ),
  ...["started", "renewed", "succeeded", "failed", "unknown", "lapsed", "revoked", "compensated"].map((kind) => `receipts ${kind} effective`),
  ...["approve", "reject", "edit", "claim", "settle", "expire", "escalate"].map((kind) => `decisions ${kind} superseded`),
  ...["started", "succeeded", "unknown", "lapsed", "revoked"].map((kind) => `receipts ${kind} superseded`),
  ...["policies halt effective", "policies lift effective", "verdicts garbage", "acts"],
];

/** The end of a failed history, and how to see all of it. */
function told({ seed, violation, trace }: Simulated, kind: Kind): string {
  return `history ${seed} (${kind}): ${violation}
Run it again: COUNTERSIGN_SEED=${seed} npx vitest run test/simulation/simulation.test.ts -t ${kind}; with COUNTERSIGN_TRACE=1 the whole of it is printed.
${trace.slice(process.env.COUNTERSIGN_TRACE === undefined ? -40 : 0).join("\n")}`;
}

async function run(kind: Kind, first: number, count: number): Promise<void> {
  const counts: { [what: string]: number } = {};
  const before = process.cpuUsage();
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulate(seed, kind);
    if (result.violation !== null) expect.fail(told(result, kind));
    for (const [what, n] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + n;
  }
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${kind}: seeds ${first} to ${first + count - 1}, ${counts.items} items, ${counts.acts} executions, ${((user + system) / 1e6).toFixed(0)} s of CPU`,
  );
  if (count < 1000) return console.log("not checked with fewer than 1,000 histories: that everything occurs");
  expect(MUST_OCCUR.filter((what) => !counts[what])).toEqual([]);
}

test("a history is the same every time its seed is run", async () => {
  const [first, again] = [await simulate(SEED), await simulate(SEED)];
  expect(again.digest).toBe(first.digest);
  expect(again.trace.length).toBe(first.trace.length);
  const files = await simulate(SEED, "files");
  expect(files.violation).toBeNull();
});

test(`memory: ${many(1000)} histories with a log in memory keep every rule`, { timeout: 1_800_000 }, () => run("memory", SEED, many(1000)));

test(`files: ${many(250)} histories on the embedded log with its files keep every rule`, { timeout: 1_800_000 }, () => run("files", SEED, many(250)));
