import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Draft } from "../../src/evals/build-example.ts";
import { patchOf } from "../../src/evals/diff.ts";
import { labelsOf, withheldOf } from "../../src/evals/labels.ts";
import { qualityOf } from "../../src/evals/quality.ts";
import type { ReviewedExample } from "../../src/evals/reviewed-example.ts";
import { DEFAULT_SPLIT_SEED, splitOf } from "../../src/evals/split.ts";
import { FunctionNames } from "../../src/evals/targets/function-names.ts";
import { canonicalize, type Json } from "../../src/events/canonical.ts";
import { collected } from "./collected.ts";
import { Script } from "./script.ts";
import { transcript } from "./story.ts";

describe("splits", () => {
  test("depend on workspace and thread alone, and change with the seed", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (seed, workspace, thread) => {
        expect(splitOf(seed, workspace, thread)).toBe(splitOf(seed, workspace, thread));
      }),
    );
    const threads = Array.from({ length: 500 }, (_, i) => `thread-${i}`);
    expect(threads.map((t) => splitOf("a", "w", t))).not.toEqual(threads.map((t) => splitOf("b", "w", t)));
  });

  test("are 80, 10 and 10 percent of many threads", () => {
    const counts = { train: 0, validation: 0, test: 0, holdout: 0 };
    for (let i = 0; i < 20_000; i++) counts[splitOf(DEFAULT_SPLIT_SEED, "w", `thread-${i}`)]++;
    for (const [split, share] of [
      ["train", 0.8],
      ["validation", 0.1],
      ["test", 0.1],
    ] as const)
      expect(counts[split] / 20_000).toBeCloseTo(share, 1);
    expect(counts.holdout).toBe(0);
  });

  test("no run straddles splits and no row changes its split, whatever else comes into the log and where the range begins", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4), fc.constantFrom("approve" as const, "reject" as const)), { minLength: 2, maxLength: 12 }),
        fc.nat(11),
        async (decisions, cut) => {
          const script = await Script.open();
          const before = new Map<string, string>();
          for (const [i, [thread, kind]] of decisions.entries()) {
            const p = await script.propose(`k${i}`, { i }, { run: { framework: "t", threadId: `run-${thread}`, ended: false } });
            await script.decide(await script.judge(p, "interrupt"), kind);
            if (i !== cut) continue;
            for (const row of (await collected({ log: script.log, codec: script.codec })).examples) before.set(row.id, row.split);
          }
          const rows = (await collected({ log: script.log, codec: script.codec })).examples;
          for (const row of rows) if (before.has(row.id)) expect(row.split).toBe(before.get(row.id));
          const perThread = new Map<string, Set<string>>();
          for (const row of rows) perThread.set(row.run?.threadId ?? "", (perThread.get(row.run?.threadId ?? "") ?? new Set()).add(row.split));
          for (const splits of perThread.values()) expect(splits.size).toBe(1);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("a holdout in time takes whole runs: those that began then or later", async () => {
    const script = await Script.open();
    const run = (threadId: string) => ({ run: { framework: "t", threadId, ended: false } });
    const first = await script.propose("a", { n: 1 }, run("old"));
    await script.decide(await script.judge(first, "interrupt"), "approve");
    const from = (await script.propose("b", { n: 2 }, run("new"))).event.occurredAt;
    await script.decide(await script.judge(await script.propose("c", { n: 3 }, run("new")), "interrupt"), "approve");
    await script.decide(await script.judge(await script.propose("d", { n: 4 }, run("old")), "interrupt"), "approve");
    const rows = (await collected({ log: script.log, codec: script.codec, holdoutFrom: from })).examples;
    expect(rows.map((r) => [r.run?.threadId, r.split === "holdout"]).sort()).toEqual([
      ["new", true],
      ["old", false],
      ["old", false],
    ]);
  });
});

describe("RFC 6902 patches", () => {
  const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
  test("make the final of the presented value", () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        expect(canonicalize(applied(before, patchOf(before, after)))).toBe(canonicalize(after));
      }),
      { numRuns: 500 },
    );
  });
  test("of equal values are empty", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(patchOf(value, structuredClone(value))).toEqual([]);
      }),
    );
  });
});

/** RFC 6902, as far as the exporter writes it; written anew so that it proves something. */
function applied(before: Json, operations: ReturnType<typeof patchOf>): Json {
  const root = { value: structuredClone(before) } as { value: Json };
  for (const operation of operations) {
    const keys = [
      "value",
      ...operation.path
        .split("/")
        .slice(1)
        .map((k) => k.replaceAll("~1", "/").replaceAll("~0", "~")),
    ];
    const last = keys.pop() as string;
    const parent = keys.reduce<Json>((at, key) => (at as { [key: string]: Json })[key] as Json, root as unknown as Json);
    if (operation.op === "remove") Array.isArray(parent) ? parent.splice(Number(last), 1) : delete (parent as { [key: string]: Json })[last];
    else if (Array.isArray(parent) && operation.op === "add") parent.splice(Number(last), 0, operation.value);
    else Object.defineProperty(parent, last, { value: operation.value, enumerable: true, configurable: true, writable: true });
  }
  return root.value;
}

describe("contradictions and duplicates", () => {
  async function twoOnTheSameCall(second: "approve" | "reject") {
    const script = await Script.open();
    for (const [key, kind] of [
      ["k1", "approve"],
      ["k2", second],
    ] as const)
      await script.decide(await script.judge(await script.propose(key, { n: 1 }, { transcript: transcript("Pay") }), "interrupt"), kind);
    return (await collected({ log: script.log, codec: script.codec })).examples;
  }

  test("people who decide otherwise on the same call in the same context make both examples disputed", async () => {
    expect((await twoOnTheSameCall("reject")).map((r) => [r.quality, r.labels])).toEqual(
      Array(2).fill([{ tier: "disputed", why: ["others_decided_otherwise"] }, []]),
    );
  });

  test("the same decision on the same call in the same context gives labels once", async () => {
    const rows = await twoOnTheSameCall("approve");
    expect(rows.map((r) => r.labels.length > 0).sort()).toEqual([false, true]);
    expect(rows.find((r) => r.duplicateOf !== null)?.duplicateOf).toBe(rows.find((r) => r.duplicateOf === null)?.id);
  });
});

describe("quality and labels", () => {
  const action = { actionId: "a", tool: "pay", args: { n: 1 }, argsSha256: "x", schemaSha256: null, confidence: null };
  const example = (kind: string, more: object = {}, outcome = "executed"): ReviewedExample & Draft =>
    ({
      ask: "review",
      presented: [action],
      final: kind === "reject" ? null : [action],
      question: null,
      decision: { kind, reasonCodes: [], message: null },
      review: { activeMs: null, batch: null, others: [] },
      rejudged: null,
      dropped: [],
      overtaken: false,
      repeats: null,
      outcome: { class: outcome, outcome: outcome === "executed" ? "succeeded" : null, incidents: [] },
      ...more,
    }) as unknown as ReviewedExample & Draft;
  const review = (more: object) => ({ review: { activeMs: null, batch: null, others: [], ...more } });
  const batch = { id: "b", size: 9, position: 1 };

  test.each([
    ["an edit that was executed", example("edit"), "gold"],
    ["an edit that somebody edited again", example("edit", { overtaken: true }), "disputed"],
    ["an edit that policy forbade", example("edit", { rejudged: { route: "forbid" } }), "disputed"],
    ["an approval that was looked at", example("approve", review({ activeMs: 9000 })), "gold"],
    ["an approval by two", example("approve", review({ others: [{ kind: "approve", reviewer: "x" }] })), "gold"],
    ["an approval of which nothing is known", example("approve"), "silver"],
    ["an approval at a glance", example("approve", review({ activeMs: 400 })), "bronze"],
    ["an approval in a batch", example("approve", review({ batch })), "bronze"],
    ["an approval in a batch that was looked at", example("approve", review({ batch, activeMs: 5000 })), "gold"],
    ["an approval that failed", example("approve", {}, "failed"), "bronze"],
    ["an approval that is not executed yet", example("approve", {}, "open"), "silver"],
    ["a rejection with a reason", example("reject", { decision: { kind: "reject", reasonCodes: ["x"], message: null } }), "gold"],
    ["a rejection without one", example("reject"), "silver"],
  ])("%s is %s", (_, given, tier) => expect(qualityOf(given, false).tier).toBe(tier));

  test("a decision becomes exactly what the label map says", () => {
    const classes = (given: ReviewedExample, tier: string, retry: object | null = null) =>
      labelsOf({ ...given, quality: { tier, why: [] } } as unknown as ReviewedExample, retry as never).map((l) => l.class);
    expect(classes(example("edit"), "gold")).toEqual(["preference", "sft", "kto_positive", "kto_negative", "policy_test", "regression"]);
    expect(classes(example("reject"), "gold")).toEqual(["kto_negative", "should_not_call", "policy_test"]);
    expect(classes(example("reject"), "gold", [action])).toEqual(["kto_negative", "should_not_call", "policy_test", "preference"]);
    expect(classes(example("approve"), "silver")).toEqual(["sft", "kto_positive", "regression"]);
    expect(classes(example("approve"), "bronze")).toEqual(["kto_positive"]);
    expect(classes(example("respond", { decision: { kind: "respond", message: "The second" } }), "silver")).toEqual(["should_have_asked"]);
    expect(classes(example("respond", { ask: "question", decision: { kind: "respond", message: "The second" } }), "silver")).toEqual([]);
    expect(classes(example("acknowledge"), "silver")).toEqual([]);
    for (const kind of ["edit", "reject", "approve"]) expect(classes(example(kind), "disputed")).toEqual([]);
  });

  test("what a decision of its kind would have become and this one did not is named with the reason", () => {
    const withheld = (given: ReviewedExample, tier: string, incidents: object[] = []) =>
      withheldOf({ ...given, outcome: { ...given.outcome, incidents }, quality: { tier, why: [] } } as unknown as ReviewedExample, null).map(
        ({ class: of, reason }) => `${of} ${reason}`,
      );
    expect(withheld(example("approve"), "silver")).toEqual([]);
    expect(withheld(example("approve"), "bronze")).toEqual(["sft quality", "regression quality"]);
    expect(withheld(example("approve"), "disputed")).toEqual(["sft disputed", "kto_positive disputed", "regression disputed"]);
    expect(withheld(example("approve"), "gold", [{ severity: "critical" }])).toEqual(["sft incident", "kto_positive incident", "regression incident"]);
    expect(withheld(example("reject"), "disputed")).toEqual(["kto_negative disputed", "should_not_call disputed", "policy_test disputed"]);
    expect(withheld(example("edit"), "disputed")).toHaveLength(6);
    expect(withheld(example("respond", { ask: "question", decision: { kind: "respond", message: "x" } }), "disputed")).toEqual([]);
  });
});

test("function names are mapped so that no two meet, and only where an API would refuse them", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.oneof(fc.string(), fc.constantFrom("a.b", "a_b", "a/b", "a b", "x".repeat(80), "x".repeat(81))), { minLength: 1 }),
      (tools) => {
        const names = new FunctionNames();
        const mapped = tools.map((tool) => names.accepted(tool));
        expect(new Set(mapped).size).toBe(tools.length);
        for (const [i, name] of mapped.entries()) {
          expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          const table = names.table();
          expect(Object.hasOwn(table, name) ? table[name] : name).toBe(tools[i]);
        }
      },
    ),
  );
});
