import { expect, test } from "vitest";
import { Spool } from "../../src/evals/spool.ts";

test.each([
  ["in memory", undefined],
  ["from a file", 1],
  ["partly from a file", 3_000_000],
])("lines come back as they were added, %s: also longer than what is read at once, and with signs of several bytes", (_, mostHeld) => {
  const lines = ["", "ü€😀".repeat(10), "x".repeat(5_000_000), ...Array.from({ length: 2000 }, (_, i) => `${i} ${"€".repeat(i % 1500)}`), "last"];
  const spool = new Spool(mostHeld);
  try {
    for (const line of lines) spool.add(line);
    const found = [...spool.read()];
    expect(found.length).toBe(lines.length);
    expect(found.every((line, i) => line === lines[i])).toBe(true);
  } finally {
    spool.close();
  }
});
