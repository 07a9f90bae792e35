import { afterAll, describe, expect, test } from "vitest";
import { BUGS } from "./bugs.ts";
import { plant } from "./planting.ts";

/** Histories that a bug may take to be seen. */
const MOST = Number(process.env.COUNTERSIGN_HISTORIES ?? 400);
const SEED = Number(process.env.COUNTERSIGN_SEED ?? 1);

describe("a bug planted in a worker, in the gateway or in the projector breaks the invariant that it should", () => {
  const report: string[] = [];
  afterAll(() => console.log(report.join("\n")));

  test.each(Object.entries(BUGS))("%s", { timeout: 600_000 }, async (name, bug) => {
    const takeOut = plant(bug);
    try {
      const { simulate } = await import("./simulate.ts");
      for (let seed = SEED; seed < SEED + MOST; seed++) {
        const { violation } = await simulate(seed, bug.kind);
        if (violation === null) continue;
        report.push(`${name}: history ${seed}: ${violation.split("\n")[0]}`);
        expect(violation, `history ${seed}`).toMatch(new RegExp(`^(${[bug.breaks].flat().join("|")}): `));
        return;
      }
    } finally {
      takeOut();
    }
    expect.fail(`not seen in ${MOST} histories`);
  });
});
