import { expect, test } from "vitest";
import { CountersignError } from "../../src/errors.ts";
import { readTranscripts } from "../../src/producers/transcripts.ts";
import { calling, line, result, user } from "./runs.ts";

const messages = [user("pay bill 7"), calling(["c1", "pay", { bill: 7 }]), result("c1", "paid")];

function refusal(text: string): CountersignError {
  try {
    readTranscripts(text, { file: "in/runs.jsonl" });
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}

test("JSON Lines of runs are read, blank lines and a byte order mark aside", () => {
  const text = `\uFEFF${line({ run_id: "a", messages, reward: 0.5 })}\n\n${line({ id: "b", messages, agent: "payer" })}\r\n`;
  const runs = readTranscripts(text, { file: "runs.jsonl" });
  expect(runs.map((r) => [r.runId, r.agent, r.reward, r.source])).toEqual([
    ["a", undefined, 0.5, "runs.jsonl:1"],
    ["b", "payer", undefined, "runs.jsonl:3"],
  ]);
  expect(runs[0]?.messages).toEqual(messages);
});

test("a JSON array and a single run over several lines are read as well", () => {
  const list = JSON.stringify(
    [
      { run_id: "a", messages },
      { run_id: "b", messages },
    ],
    null,
    2,
  );
  expect(readTranscripts(list, { file: "f.json" }).map((r) => r.runId)).toEqual(["a", "b"]);
  expect(readTranscripts(JSON.stringify({ run_id: "a", messages }, null, 2), { file: "f.json" }).map((r) => r.runId)).toEqual(["a"]);
});

test("a tau-bench trajectory file is read as it is published", () => {
  const task = { user_id: "u1", actions: [{ name: "pay", kwargs: { bill: 8 } }], instruction: "pay bill 8", outputs: [] };
  const [run] = readTranscripts(JSON.stringify([{ task_id: 3, trial: 1, reward: 1.0, info: { task, source: "user" }, traj: messages }]), { file: "t.json" });
  expect(run).toMatchObject({ runId: "task-3-trial-1", taskId: "3", trial: 1, reward: 1, messages, goldActions: [{ name: "pay", arguments: { bill: 8 } }] });
});

test("a run takes its id from run_id, then id, then task and trial, then file and line", () => {
  const text = [{ run_id: "r", id: "i", task_id: 1, trial: 2 }, { id: 12, task_id: 1, trial: 3 }, { task_id: "x", trial: 0 }, { task_id: 5 }].map((ids) =>
    line({ ...ids, messages }),
  );
  expect(readTranscripts(text.join("\n"), { file: "some/dir/day1.jsonl" }).map((r) => r.runId)).toEqual(["r", "12", "task-x-trial-0", "day1.jsonl:4"]);
});

test("gold actions are read from gold_actions, and a run without them has none", () => {
  const gold_actions = [{ name: "pay", arguments: { bill: 8 } }];
  const runs = readTranscripts([line({ run_id: "a", messages, gold_actions }), line({ run_id: "b", messages })].join("\n"), { file: "f" });
  expect(runs.map((r) => r.goldActions)).toEqual([gold_actions, undefined]);
});

test("tools that lie in the run itself are read with it", () => {
  const tools = [{ type: "function", function: { name: "pay", parameters: { type: "object" } } }];
  expect(readTranscripts(line({ messages, tools }), { file: "f" })[0]?.tools?.schemas.get("pay")).toBe('{"type":"object"}');
});

test("a line that is no JSON is refused with file and line, and no run of the file is returned", () => {
  const error = refusal(`${line({ messages })}\n{"messages": [}\n`);
  expect(error.code).toBe("file_invalid");
  expect(error.message).toMatch(/^in\/runs\.jsonl:2: is not valid JSON/);
});

test.each([
  [line({ run_id: "a" }), "/messages", "in/runs.jsonl:1: /messages must be a list of chat messages, not missing"],
  [line({ messages: "hi" }), "/messages", "/messages must be a list of chat messages, not a string"],
  [line({ traj: null }), "/traj", "/traj must be a list of chat messages, not null"],
  ["[[]]", "", "in/runs.jsonl, run 1: must be an object, not a list"],
  [line({ messages: ["hi"] }), "/messages/0", "/messages/0 must be a message with a role"],
  [line({ messages: [{ role: "assistant", tool_calls: {} }] }), "/messages/0/tool_calls", "must be a list, not an object"],
  [line({ messages: [{ role: "assistant", tool_calls: [{ id: "x" }] }] }), "/messages/0/tool_calls/0", "must name the tool"],
  [line({ messages: [{ role: "assistant", function_call: { name: "pay", arguments: "{}" } }] }), "/messages/0/function_call", "the old form of a call"],
  ['{"messages":[{"role":"user","content":"\\ud800"}]}', "/messages/0", "cannot be kept as JSON"],
  [line({ messages, gold_actions: [{ name: "pay" }] }), "/gold_actions/0", "must be {name, arguments}"],
  [line({ messages, info: { task: { actions: [{ name: "pay", arguments: {} }] } } }), "/info/task/actions/0", "must be {name, kwargs}"],
  [line({ messages, run_id: "" }), "/run_id", "must be a string that is not empty"],
  ["\n \n", undefined, "in/runs.jsonl: holds no runs"],
])("a file of another shape is refused with the field and what is expected: %s", (text, field, message) => {
  const error = refusal(text);
  expect(error.code).toBe("file_invalid");
  expect(error.field).toBe(field);
  expect(error.message).toContain(message);
});

test("two runs with one id in a file are refused, because their calls would become the same items", () => {
  const error = refusal(`${line({ run_id: "a", messages })}\n${line({ run_id: "a", messages })}`);
  expect(error.message).toBe('in/runs.jsonl:2: the run id "a" is already used at in/runs.jsonl:1');
  expect(error.fix).toBeDefined();
});
