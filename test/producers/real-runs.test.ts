import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkEvent } from "../../src/events/check.ts";
import { complete } from "../../src/events/draft.ts";
import { newEventId } from "../../src/events/ids.ts";
import { argsError } from "../../src/ledger/args-schema.ts";
import { readTools } from "../../src/producers/tools.ts";
import { callsOf, proposalsOf } from "../../src/producers/transcript-calls.ts";
import { readTranscripts } from "../../src/producers/transcripts.ts";
import { sharedData } from "../shared-data.ts";

const data = sharedData("tau-bench-airline");
const read = (name: string) => readFileSync(`${data}/${name}`, "utf8");

describe.skipIf(data === null)("the recorded airline runs (skipped without ../shared/data)", () => {
  const runs = data === null ? [] : readTranscripts(read("runs.jsonl"), { file: "runs.jsonl" });
  const tools = readTools(data === null ? "[]" : read("tools.json"), "tools.json");

  test("100 runs hold 621 calls, none bad, each with its recorded result, though 40 repeat a tool-call id of their run", () => {
    const all = runs.map(callsOf);
    const calls = all.flatMap((c) => c.calls);
    expect([runs.length, calls.length, all.flatMap((c) => c.bad).length]).toEqual([100, 621, 0]);
    expect(calls.every((c) => c.recordedResult !== undefined)).toBe(true);
    expect(calls.length - new Set(calls.map((c) => `${c.runId} ${c.toolCallId}`)).size).toBe(40);
  });

  test("every call becomes a valid proposal of an item of its own, and its arguments pass the schema it carries", () => {
    const events = runs.flatMap((run) =>
      proposalsOf(run, { workspace: "airline", agentId: "gpt-4o", tools }).map(({ draft }) =>
        complete("proposals", { ...draft, eventId: newEventId(), occurredAt: 1 }),
      ),
    );
    for (const event of events) checkEvent("proposals", event);
    expect(new Set(events.map((e) => e.itemId)).size).toBe(621);
    const actions = events.flatMap((e) => e.actions);
    expect(actions.filter((a) => a.argsSchema === null || argsError(a.argsSchema, JSON.parse(a.args)) !== null)).toEqual([]);
  });

  test("the file as tau-bench publishes it gives the same calls and gold actions as the same runs in chat format", () => {
    const published = readTranscripts(read("original-format-sample.json"), { file: "original-format-sample.json" });
    expect(published.length).toBeGreaterThan(0);
    for (const run of published) {
      const same = runs.find((r) => r.taskId === run.taskId && r.trial === run.trial);
      const plain = (of: typeof run | undefined) => of && callsOf(of).calls.map(({ runId: _, ...call }) => call);
      expect(plain(run)).toEqual(plain(same));
      expect([run.goldActions, run.reward]).toEqual([same?.goldActions, same?.reward]);
    }
  });
});
