import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Buckets } from "../../src/evals/buckets.ts";
import { exportDataset } from "../../src/evals/export.ts";
import { itemsOf, type PileSource } from "../../src/evals/pile.ts";
import { Temporary } from "../../src/evals/temporary.ts";
import type { LogRecord } from "../../src/log/log.ts";
import { TEST_KEY } from "./collected.ts";
import { story } from "./story.ts";

let temporary: string;
const before = process.env.TMPDIR;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "countersign-buckets-"));
  // Spilled records go to the folder for temporary files.
  process.env.TMPDIR = temporary;
});
afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(temporary, { recursive: true, force: true });
});

const spilled = () => readdirSync(temporary, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

/** One record as the fold sees it. */
interface Seen {
  readonly topic: string;
  readonly offset: number;
  readonly value: string;
}
const seen = ({ topic, offset, value }: LogRecord): Seen => ({ topic, offset, value: Buffer.from(value as Uint8Array).toString("hex") });

describe("buckets", () => {
  const record = fc.record({
    topic: fc.constantFrom("proposals" as const, "verdicts" as const, "decisions" as const),
    partition: fc.nat(2),
    item: fc.constantFrom("a", "b", "item-ü", "d".repeat(40)),
    value: fc.uint8Array({ maxLength: 300 }),
  });

  test("give every item its records in the order they were added, items by their first decision, whether they lie in memory or in files", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 60 }), fc.constantFrom(1, 100, 1000, 5000, 1e6), (records, mostHeld) => {
        const folder = new Temporary();
        const buckets = new Buckets(3, folder, mostHeld);
        const expected = new Map<string, { first: number; records: Seen[] }>();
        records.forEach(({ topic, partition, item, value }, offset) => {
          buckets.add({ topic, partition, offset } as LogRecord, item, value);
          const id = `${partition} ${item}`;
          const known = expected.get(id) ?? { first: Number.POSITIVE_INFINITY, records: [] };
          if (topic === "decisions") known.first = Math.min(known.first, offset);
          known.records.push(seen({ topic, offset, value } as LogRecord));
          expected.set(id, known);
        });
        for (const partition of [0, 1, 2]) {
          // Copied while they pass: what a bucket gives must stand until the next is asked for.
          const found = [];
          const source = buckets.hand(partition);
          const items = source === undefined ? [] : itemsOf(source, partition, "decisions");
          for (const { itemId, records: given } of items) found.push({ itemId, records: given.map(seen) });
          const due = [...expected].filter(([id]) => id.startsWith(`${partition} `)).map(([id, rest]) => ({ itemId: id.slice(2), ...rest }));
          due.sort((a, b) => (a.first === b.first ? (a.itemId < b.itemId ? -1 : 1) : a.first - b.first));
          expect(found).toEqual(due.map(({ itemId, records: given }) => ({ itemId, records: given })));
        }
        buckets.close();
        folder.close();
        expect(spilled()).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test("hold no more than they may: the rest lies in files that nobody else can read, until close", () => {
    const folder = new Temporary();
    const buckets = new Buckets(1, folder, 10_000);
    for (let offset = 0; offset < 100; offset++)
      buckets.add({ topic: "proposals", partition: 0, offset } as LogRecord, `item-${offset % 7}`, new Uint8Array(1000).fill(offset));
    const [file, ...more] = spilled();
    expect(more).toEqual([]);
    const { size, mode } = statSync(join(file?.parentPath as string, file?.name as string));
    expect(mode & 0o777).toBe(0o600);
    expect(size).toBeGreaterThan(90_000);
    const source = buckets.hand(0) as PileSource;
    expect([...itemsOf(source, 0, "proposals")].map(({ records }) => records.length)).toEqual([15, 15, 14, 14, 14, 14, 14]);
    // Only some of them: those keep their places.
    const some = [...itemsOf(source, 0, "proposals", (ordinal) => ordinal > 4)].map(({ itemId, ordinal }) => [itemId, ordinal]);
    expect(some).toEqual([
      ["item-5", 5],
      ["item-6", 6],
    ]);
    folder.close();
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe("a log that is larger than memory", () => {
  test.each(["jsonl", "huggingface", "operations"])("gives the same bytes of %s from files as from memory, and leaves none behind", async (target) => {
    const script = await story();
    const given = { log: script.log, codec: script.codec, key: TEST_KEY };
    const most: number[] = [];
    const small = await exportDataset(join(temporary, "small"), target, {
      ...given,
      mostHeld: 1,
      onProgress: () => most.push(spilled().length),
    });
    // Else nothing was spilled, and the test would prove nothing.
    expect(most.at(-1)).toBeGreaterThan(5);
    const large = await exportDataset(join(temporary, "large"), target, given);
    expect(small).toEqual(large);
    for (const { name } of large.files) expect(readFileSync(join(temporary, "small", name)).equals(readFileSync(join(temporary, "large", name)))).toBe(true);
    expect(readdirSync(temporary).sort()).toEqual(["large", "small"]);
  });

  test("is told with a way out where there is no room for its records", async () => {
    const script = await story();
    process.env.TMPDIR = join(temporary, "not there");
    const failed = exportDataset(join(temporary, "out"), "jsonl", { log: script.log, codec: script.codec, key: TEST_KEY, mostHeld: 1 });
    await expect(failed).rejects.toMatchObject({ code: "file_unreadable", fix: expect.stringContaining("TMPDIR") });
  });

  test("leaves no file behind when the export breaks off", async () => {
    const script = await story();
    const stop = new AbortController();
    const broken = exportDataset(join(temporary, "out"), "jsonl", {
      ...{ log: script.log, codec: script.codec, key: TEST_KEY, mostHeld: 1, signal: stop.signal },
      onProgress: () => stop.abort(new Error("enough")),
    });
    await expect(broken).rejects.toThrow("enough");
    expect(readdirSync(temporary)).toEqual([]);
  });
});
