import { expect, test } from "vitest";
import { simulate } from "./simulate.ts";

const SEED = Number(process.env.COUNTERSIGN_SEED ?? 1);

test.each(["memory", "files"] as const)("a history is the same every time its seed is run, with its log in %s", async (kind) => {
  for (let seed = SEED; seed < SEED + 3; seed++) {
    const [first, again] = [await simulate(seed, kind), await simulate(seed, kind)];
    expect(first.violation).toBeNull();
    expect(again.digest).toBe(first.digest);
    expect(again.trace.length).toBe(first.trace.length);
  }
});
