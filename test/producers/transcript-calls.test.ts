import { describe, expect, test } from "vitest";
import { canonicalize, sha256 } from "../../src/events/canonical.ts";
import { checkEvent } from "../../src/events/check.ts";
import { complete } from "../../src/events/draft.ts";
import { itemIdOf, newEventId, transcriptSha256 } from "../../src/events/ids.ts";
import { readTools, type Tools } from "../../src/producers/tools.ts";
import { callsOf, idempotencyKeyOf, type ProposalDraft, proposalsOf } from "../../src/producers/transcript-calls.ts";
import { type Run, readTranscripts } from "../../src/producers/transcripts.ts";
import { calling, line, result, user } from "./runs.ts";

function runOf(...messages: object[]): Run {
  return readTranscripts(line({ run_id: "r1", messages }), { file: "f.jsonl" })[0] as Run;
}

function eventOf(draft: ProposalDraft) {
  const event = complete("proposals", { ...draft, eventId: newEventId(), occurredAt: 1_700_000_000_000 });
  checkEvent("proposals", event);
  return event;
}

describe("calls", () => {
  test("every tool call is found with its place, its canonical arguments and its result", () => {
    const { calls, bad } = callsOf(
      runOf(user("hi"), calling(["c1", "look", '{"b": 1.0, "a": "x"}']), result("c1", "seen"), calling(["c2", "pay", {}]), result("c2", "paid")),
    );
    expect(bad).toEqual([]);
    expect(calls).toEqual([
      {
        runId: "r1",
        messageIndex: 1,
        callIndex: 0,
        toolCallId: "c1",
        tool: "look",
        args: '{"a":"x","b":1}',
        argsSha256: sha256('{"a":"x","b":1}'),
        recordedResult: "seen",
        ordinal: 0,
      },
      { runId: "r1", messageIndex: 3, callIndex: 0, toolCallId: "c2", tool: "pay", args: "{}", argsSha256: sha256("{}"), recordedResult: "paid", ordinal: 1 },
    ]);
  });

  test("a repeated tool-call id is another call, with the result of its own turn", () => {
    const { calls } = callsOf(
      runOf(calling(["c1", "pay", { n: 1 }]), result("c1", "first"), user("again"), calling(["c1", "pay", { n: 1 }]), result("c1", "second")),
    );
    expect(calls.map((c) => c.recordedResult)).toEqual(["first", "second"]);
    expect(new Set(calls.map(idempotencyKeyOf)).size).toBe(2);
  });

  test("calls of one message are told apart, results in any order, also where they share an id", () => {
    const { calls } = callsOf(runOf(calling(["a", "x", {}], ["b", "y", {}], ["a", "z", {}]), result("b", "B"), result("a", "A1"), result("a", "A2")));
    expect(calls.map((c) => [c.callIndex, c.tool, c.recordedResult])).toEqual([
      [0, "x", "A1"],
      [1, "y", "B"],
      [2, "z", "A2"],
    ]);
  });

  test("a result that comes only after the next call belongs to no earlier call", () => {
    const { calls } = callsOf(runOf(calling(["c1", "pay", { n: 1 }]), calling(["c2", "pay", { n: 2 }]), result("c1", "late"), result("c2", "own")));
    expect(calls.map((c) => c.recordedResult)).toEqual([undefined, "own"]);
  });

  test("words of the assistant between a call and its result do not part them", () => {
    const { calls } = callsOf(
      runOf(
        calling(["c1", "pay", {}]),
        { role: "assistant", content: "one moment" },
        result("c1", [
          { type: "text", text: "pa" },
          { type: "text", text: "id" },
        ]),
      ),
    );
    expect(calls[0]?.recordedResult).toBe("paid");
  });

  test.each([
    ["{", "is not valid JSON"],
    ['{"n":1,"n":2}', 'has the key "n" twice'],
    ['{"n":12345678901234567890}', "does not survive"],
    ["[1]", "must be a JSON object"],
    ["", "is not valid JSON"],
  ])("arguments that are no strict JSON object make a bad call with its reason: %s", (args, reason) => {
    const { calls, bad } = callsOf(runOf(calling(["c1", "pay", args], ["c2", "pay", { n: 2 }]), result("c1", "?"), result("c2", "paid")));
    expect(bad).toHaveLength(1);
    expect(bad[0]).toMatchObject({ runId: "r1", messageIndex: 0, callIndex: 0, tool: "pay" });
    expect(bad[0]?.reason).toContain(reason);
    expect(calls.map((c) => [c.callIndex, c.ordinal, c.recordedResult])).toEqual([[1, 1, "paid"]]);
  });

  test("arguments that are no text are a bad call, not an empty one", () => {
    const message = {
      role: "assistant",
      tool_calls: [
        { id: "c", function: { name: "pay", arguments: { n: 1 } } },
        { id: "d", function: { name: "pay" } },
      ],
    };
    expect(callsOf(runOf(message)).bad.map((b) => b.reason)).toEqual(["the arguments must be a JSON text", "the arguments must be a JSON text"]);
  });
});

describe("proposals", () => {
  const tools = readTools(JSON.stringify([{ name: "pay", parameters: { type: "object", required: ["n"] } }]), "tools.json");
  const messages = [
    user("pay one, then two"),
    { ...calling(["c1", "pay", { n: 1 }]), content: "I pay the first." },
    result("c1", "paid"),
    calling(["c1", "pay", { n: 2 }], ["c2", "look", {}]),
  ];
  const proposed = proposalsOf(runOf(...messages), { workspace: "w", agentId: "payer", tools });

  test("a call becomes a proposal with a pointer to its run and a key of run, message and call", () => {
    const event = eventOf((proposed[1] as { draft: ProposalDraft }).draft);
    expect(event).toMatchObject({
      itemId: itemIdOf("w", "payer", "r1#3.0"),
      idempotencyKey: "r1#3.0",
      ask: "review",
      actor: { kind: "agent", id: "payer", roles: [] },
      run: { framework: "openai-chat", threadId: "r1", checkpointId: "message-3", pauseRef: "c1", step: 2, ended: false },
      actions: [{ tool: "pay", args: '{"n":2}', argsSha256: sha256('{"n":2}'), argsSchema: '{"required":["n"],"type":"object"}' }],
    });
    expect(proposed.map((p) => (p.draft.run as { ended?: boolean }).ended)).toEqual([false, false, true]);
    expect(new Set(proposed.map((p) => p.draft.itemId)).size).toBe(3);
  });

  test("the transcript holds what the model had seen, not the call itself, and its hash covers messages and tools", () => {
    const { transcript } = eventOf((proposed[1] as { draft: ProposalDraft }).draft);
    expect(transcript?.messages).toBe(canonicalize(messages.slice(0, 3)));
    expect(transcript?.tools).toBe(tools.json);
    expect(transcript?.sha256).toBe(transcriptSha256(canonicalize(messages.slice(0, 3)), tools.json));
  });

  test("a tool that the tools file does not describe is proposed without a schema", () => {
    expect(eventOf((proposed[2] as { draft: ProposalDraft }).draft).actions[0]).toMatchObject({ tool: "look", argsSchema: null });
  });

  test("what the model wrote beside its call is kept as its intent", () => {
    expect(proposed.map((p) => p.draft.intent)).toEqual(["I pay the first.", undefined, undefined]);
  });

  test("reading the same run again gives the same items, and another agent or workspace others", () => {
    const items = (workspace: string, agentId: string) => proposalsOf(runOf(...messages), { workspace, agentId }).map((p) => p.draft.itemId);
    expect(items("w", "payer")).toEqual(proposed.map((p) => p.draft.itemId));
    expect(new Set([...items("w", "payer"), ...items("w", "other"), ...items("v", "payer")]).size).toBe(9);
  });

  test("messages that are too large for an event are left out with a uri, and the hash still covers them", () => {
    const long = [user("ü".repeat(300 * 1024)), calling(["c1", "pay", { n: 1 }])];
    const event = eventOf((proposalsOf(runOf(...long), { workspace: "w", agentId: "payer", tools })[0] as { draft: ProposalDraft }).draft);
    expect(event.transcript).toMatchObject({ messages: null, tools: tools.json, uri: "transcript:r1#messages-before-1" });
    expect(event.transcript?.sha256).toBe(transcriptSha256(canonicalize(long.slice(0, 1)), tools.json));
  });

  test("large arguments and a large schema make room in the event by leaving the transcript out", () => {
    const wide: Tools = { ...tools, schemas: new Map([["pay", JSON.stringify({ description: "s".repeat(200 * 1024) })]]) };
    const long = [user("m".repeat(480 * 1024)), calling(["c1", "pay", { n: "n".repeat(250 * 1024) }])];
    const [one] = proposalsOf(runOf(...long), { workspace: "w", agentId: "payer", tools: wide });
    expect(eventOf((one as { draft: ProposalDraft }).draft).transcript?.messages).toBeNull();
  });
});
