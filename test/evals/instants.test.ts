import { expect, test } from "vitest";
import { endOf } from "../../src/evals/ranges.ts";
import { collected } from "./collected.ts";
import { Script } from "./script.ts";

const T = 1_800_000_000_000;

test("an event is judged by its own time, wherever it lies in the log: what is too late takes no part, and the range ends before it", async () => {
  const script = await Script.open();
  const rejected = async (key: string, occurredAt: number) =>
    script.decide(await script.judge(await script.propose(key, { key }), "interrupt"), "reject", { occurredAt } as object);
  await rejected("late", T);
  await rejected("early", T - 1);
  const given = { log: script.log, codec: script.codec };
  const { examples, ranges, filters } = await collected({ ...given, before: T });
  expect(examples.map((row) => row.decision.decidedAt)).toEqual([T - 1]);
  expect(filters.before).toBe(new Date(T).toISOString());
  const { examples: rest } = await collected({ ...given, from: endOf({ ranges }) });
  expect(rest.map((row) => row.decision.decidedAt)).toContain(T);
});

test("a time that ends before it begins is refused, and one of no length is empty", async () => {
  const script = await Script.open();
  const given = { log: script.log, codec: script.codec };
  await expect(collected({ ...given, after: T, before: T - 1 })).rejects.toMatchObject({ code: "request_invalid", field: "/after" });
  expect((await collected({ ...given, after: T, before: T })).examples).toEqual([]);
});
