import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { exportDataset } from "../../src/evals/export.ts";
import { type Hidden, nothingHidden, redactor } from "../../src/evals/redact/redactor.ts";
import { transcriptOf } from "../../src/evals/redact/transcript.ts";
import type { Context } from "../../src/evals/reviewed-example.ts";
import { promptOf } from "../../src/evals/targets/chat.ts";
import { canonicalize, type Json } from "../../src/events/canonical.ts";
import { policyItemId, transcriptSha256 } from "../../src/events/ids.ts";
import { TEST_KEY } from "./collected.ts";
import { Script } from "./script.ts";

const POLICY = `
policy: pay
workspace: w
owner: role:lead
actions:
  bank/pay:
    arguments: { type: object, properties: { customer: {}, pin: {}, memo: {}, amount: {} } }
    reversibility: reversible
    risk: high
    fields:
      /customer: { class: personal }
      /pin: { class: secret }
`;

const TOOLS: Json = ["bank/pay", "note"].map((name) => ({ type: "function", function: { name, parameters: { type: "object", properties: {} } } }));

/** A call as OpenAI writes it. */
const call = (name: string, args: Json): Json => ({
  role: "assistant",
  content: null,
  tool_calls: [{ id: "c", type: "function", function: { name, arguments: JSON.stringify(args) } }],
});

/** A ledger whose policy classifies the customer and the pin of a payment. */
async function ledger() {
  const script = await Script.open();
  const at = { itemId: policyItemId("w", "pay"), actor: { kind: "authority", id: "ci" } };
  await script.append("policies", { ...at, kind: "policy", policyId: "pay", version: "1", document: POLICY });
  const propose = (key: string, args: object, said: readonly Json[], more: object = {}) => {
    const [messages, tools] = [canonicalize([{ role: "user", content: "Pay" }, ...said]), canonicalize(TOOLS)];
    return script.propose(key, args, {
      actions: [{ actionId: "a", tool: "bank/pay", args: canonicalize(args as Json), argsSha256: script.hash(args) }],
      run: { framework: "test", threadId: "one", ended: false },
      transcript: { messages, tools, sha256: transcriptSha256(messages, tools) },
      ...more,
    });
  };
  return { script, propose };
}

async function exported(script: Script, target: string) {
  const folder = mkdtempSync(join(tmpdir(), "countersign-classified-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const manifest = await exportDataset(folder, target, { log: script.log, codec: script.codec, key: TEST_KEY });
  const rows = manifest.files.filter(({ name, rows: n }) => name.endsWith(".jsonl") && name !== "rejected-rows.jsonl" && n > 0);
  return { manifest, text: rows.map(({ name }) => readFileSync(join(folder, name), "utf8")).join("") };
}

describe("a row and the retry in it", () => {
  test("hide what is classified in either, in both sides of the pair and in every text", async () => {
    const { script, propose } = await ledger();
    const said: Json[] = [{ role: "user", content: "Take the account of Wolfgang Xylander-Nuys" }];
    const no = await script.judge(
      await propose("no", { customer: "Account QZX-99181-A", amount: 7 }, said, { intent: "pay Wolfgang Xylander-Nuys" }),
      "interrupt",
    );
    await script.resume(await script.decide(no, "reject", { message: "Take Wolfgang Xylander-Nuys" }), "refused");
    const args = { customer: "Wolfgang Xylander-Nuys", amount: 7, memo: "not Account QZX-99181-A, nor Quincunx Fabricius" };
    const again = await propose("again", args, [...said, call("bank/pay", { customer: "Quincunx Fabricius" })], { retryOf: no.event.itemId });
    const yes = await script.decide(await script.judge(again, "interrupt"), "approve", { review: { channel: "console", activeMs: 9000 } });
    const grant = await script.resume(yes, "proceed", args, {}, "bank/pay");
    await script.receipt(grant, "started");
    await script.receipt(grant, "succeeded");
    const pairs = await exported(script, "trl-preference");
    expect(pairs.manifest.rows).toBe(1);
    expect(pairs.text).not.toMatch(/Wolfgang|QZX|Quincunx/);
    const memo = JSON.parse(pairs.text).chosen[0].tool_calls[0].function.arguments.memo as string;
    expect(memo).toMatch(/^not value-[0-9a-f]{12}, nor value-[0-9a-f]{12}$/);
    const rows = (await exported(script, "jsonl")).text;
    expect(rows).not.toMatch(/Wolfgang|Quincunx/);
    expect(rows.split("\n").find((row) => row.includes('"reject"'))).not.toContain("QZX");
  });
});

describe("a transcript", () => {
  test.each(["jsonl", "trl-kto", "promptfoo"])("hides in an earlier call what only a later one classifies (%s)", async (target) => {
    const { script, propose } = await ledger();
    const said = [
      call("note", { text: "about Quincunx Fabricius please" }),
      { role: "tool", tool_call_id: "c", content: "ok" },
      call("bank/pay", { customer: "Quincunx Fabricius" }),
    ];
    await script.decide(await script.judge(await propose("k", { amount: 1 }, said), "interrupt"), "reject", { message: "no" });
    const { manifest, text } = await exported(script, target);
    expect(manifest.rows).toBeGreaterThan(0);
    expect(text).not.toContain("Quincunx");
    if (target !== "promptfoo") expect(text).toMatch(/about value-[0-9a-f]{12} please/);
  });

  const PIN = { pin: "hunter2-secret", customer: "Ada" };
  const CALLS: readonly (readonly [string, Json])[] = [
    ["a tool call of the AI SDK", { role: "assistant", content: [{ type: "tool-call", toolCallId: "1", toolName: "bank/pay", input: PIN }] }],
    ["a tool call of the AI SDK before version 5", { role: "assistant", content: [{ type: "tool-call", toolCallId: "1", toolName: "bank/pay", args: PIN }] }],
    ["a part of the AI SDK's user interface", { role: "assistant", parts: [{ type: "tool-bank/pay", toolCallId: "1", state: "input-available", input: PIN }] }],
    ["a dynamic part of the AI SDK", { role: "assistant", parts: [{ type: "dynamic-tool", toolName: "bank/pay", toolCallId: "1", rawInput: PIN }] }],
    ["an invocation of the AI SDK", { role: "assistant", content: "", toolInvocations: [{ toolName: "bank/pay", toolCallId: "1", args: PIN }] }],
    ["a part of Gemini", { role: "user", parts: [{ functionCall: { name: "bank/pay", args: PIN } }] }],
    ["a block of Bedrock", { role: "assistant", content: [{ toolUse: { toolUseId: "1", name: "bank/pay", input: PIN } }] }],
    ["a block of Anthropic", { role: "assistant", content: [{ type: "tool_use", id: "1", name: "bank/pay", input: PIN }] }],
    ["a function call of OpenAI before tools", { role: "assistant", content: null, function_call: { name: "bank/pay", arguments: JSON.stringify(PIN) } }],
  ];
  const OTHERS: readonly (readonly [string, Json])[] = [
    ["an item of OpenAI's responses", { type: "function_call", name: "bank/pay", call_id: "1", arguments: JSON.stringify(PIN) }],
    ["a call of Cohere", { role: "assistant", content: "", tool_calls: [{ name: "bank/pay", parameters: PIN }] }],
    ["a part of pydantic-ai", { kind: "response", parts: [{ part_kind: "tool-call", tool_name: "bank/pay", args: JSON.stringify(PIN) }] }],
    ["a selection of LlamaIndex", { role: "assistant", content: "", tool_calls: [{ tool_name: "bank/pay", tool_kwargs: PIN }] }],
    ["a call inside of what a step was given", { name: "step", input: { messages: [{ tool_calls: [{ name: "bank/pay", args: PIN }] }] } }],
  ];
  const rulesOf = (tool: string) =>
    tool === "bank/pay"
      ? ([
          { path: "/pin", treatment: "drop" },
          { path: "/customer", treatment: "mask" },
        ] as const)
      : [];

  test.each([...CALLS, ...OTHERS])("treats the arguments in %s by the classes of the tool", (_, message) => {
    const redaction = redactor("strict", "k", nothingHidden())("w");
    const transcript = transcriptOf([{ role: "user", content: "my pin is hunter2-secret" }, message], rulesOf);
    transcript.learn(redaction);
    const out = JSON.stringify(transcript.redacted(redaction));
    expect(out).not.toMatch(/hunter2|Ada/);
    expect(out).toContain("[masked]");
  });

  const contextOf = (messages: object): Context => ({ status: "complete", sha256: null, uri: null, messages: messages as Json, tools: TOOLS });

  test.each(CALLS)("in which stands %s is no chat of OpenAI's form, and is refused rather than misread", (_, message) => {
    expect(promptOf(contextOf([{ role: "user", content: "Pay" }, message]), ["bank/pay"], { args: "object", name: (name) => name })).toEqual({
      refused: "transcript_format",
    });
  });

  test("with other parts, or with a call of OpenAI's older form that is null, is taken", () => {
    const messages = [
      {
        role: "user",
        content: [
          { type: "text", text: "Pay" },
          { type: "image_url", image_url: { url: "https://x.example/1.png" } },
        ],
      },
      { role: "assistant", content: "Yes", function_call: null },
    ];
    expect(promptOf(contextOf(messages), ["bank/pay"], { args: "object", name: (name) => name })).toMatchObject({
      messages: [{ role: "user" }, { role: "assistant" }],
    });
  });
});

describe("a short value of a classified field", () => {
  const hiddenBy = (pin: Json) => {
    const hidden: Hidden = nothingHidden();
    const redaction = redactor("strict", "k", hidden)("w");
    redaction.learn({ pin }, [{ path: "/pin", treatment: "mask" }]);
    return { hidden, redaction };
  };

  test.each<[Json, string, string]>([
    ["737", "the cvv is 737, for Eve", "the cvv is [masked], for Eve"],
    [737, "cvv=737.", "cvv=[masked]."],
    ["737", "cvv_737 order 97371, 737.50 and 1.737", "cvv_[masked] order 97371, 737.50 and 1.737"],
    ["007", "[007,12]", "[[masked],12]"],
    [" 737 ", "737", "[masked]"],
    ["Eve", "Eve's Evening, steve; EVE", "[masked]'s Evening, steve; EVE"],
    ["Eve", '{"said":"Hi\\nEve, Hi\\u00a0Eve"}', '{"said":"Hi\\n[masked], Hi\\u00a0[masked]"}'],
    ["Eve", "?to=Jo%20Eve&x=1", "?to=Jo%20[masked]&x=1"],
    ["Zoë", '{"said":"Zo\\u00eb and Zoë"}', '{"said":"[masked] and [masked]"}'],
    ["a.c", "abc a.c", "abc [masked]"],
    ["李明", "请付款给李明先生", "请付款给[masked]先生"],
  ])("%j is hidden where it stands as a whole word or number: %s", (value, text, after) => {
    expect(hiddenBy(value).redaction.text(text)).toBe(after);
  });

  test("is hidden where it is a whole JSON value, also a number", () => {
    const { redaction } = hiddenBy("737");
    expect(redaction.value({ code: "737", n: 737, amount: 737.5, others: [7370, "1737"] })).toEqual({
      code: "[masked]",
      n: "[masked]",
      amount: 737.5,
      others: [7370, "1737"],
    });
  });

  test("of one or two characters, or a common word, is hidden in its field only, and counted", () => {
    for (const value of ["7", "73", 12, "Al", "the", "USD"]) {
      const { hidden, redaction } = hiddenBy(value);
      expect(redaction.text(`Pay ${value} to Al`)).toBe(`Pay ${value} to Al`);
      expect(hidden.onlyInField).toBe(1);
    }
    expect(hiddenBy("737").hidden.onlyInField).toBe(0);
  });

  test("leaves in no file of a strict export, and the manifest counts those that were not looked for", async () => {
    const { script, propose } = await ledger();
    const args = { customer: "Eve", pin: "737", amount: 7370 };
    const said: Json[] = [{ role: "user", content: "the cvv is 737, for Eve" }, call("bank/pay", { customer: "Al" })];
    const edited = await script.judge(await propose("k", args, said), "interrupt");
    await script.edit(edited, { ...args, amount: 1 }, { message: "cvv 737 of Eve is fine" });
    const { manifest, text } = await exported(script, "trl-preference");
    expect(manifest.rows).toBe(1);
    expect(text).not.toMatch(/\b737\b|\bEve\b/);
    expect(text).toContain("7370");
    expect(manifest.redaction.hidden.onlyInField).toBe(1);
  });
});
