import { canonicalize } from "../../src/events/canonical.ts";
import { policyItemId, transcriptSha256 } from "../../src/events/ids.ts";
import { Script } from "./script.ts";

const TOOLS = [
  {
    type: "function",
    function: { name: "bank/pay", description: "Pays", parameters: { type: "object", properties: { amount: { type: "number" }, to: { type: "string" } } } },
  },
];

const POLICY = `
policy: pay
workspace: w
version: "1"
owner: role:lead
actions:
  bank/pay:
    arguments: { type: object, properties: { amount: {}, to: {}, note: {}, pin: {} } }
    reversibility: reversible
    risk: high
    fields:
      /to: { label: Payee, class: personal }
      /pin: { label: PIN, class: secret }
      /note: { label: Note, cosmetic: true }
    rubric: [{ id: right_amount }, { id: tone }]
`;

/** What a model saw before it proposed. */
export function transcript(text: string, tools: unknown = TOOLS) {
  const messages = canonicalize([
    { role: "system", content: "You pay bills." },
    { role: "user", content: text },
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "c1", type: "function", function: { name: "bank/pay", arguments: '{"amount":1,"to":"Nobody Known"}' } }],
    },
    { role: "tool", tool_call_id: "c1", name: "bank/pay", content: "refused" },
  ]);
  const toolText = tools === null ? null : canonicalize(tools);
  return { messages, tools: toolText, sha256: transcriptSha256(messages, toolText) };
}

/** A ledger in which everything happens that a decision can become, the same bytes in every run. */
export async function story(): Promise<Script> {
  const script = await Script.open();
  await script.append("policies", {
    itemId: policyItemId("w", "pay"),
    actor: { kind: "authority", id: "ci" },
    kind: "policy",
    policyId: "pay",
    version: "1",
    document: POLICY,
  });
  const propose = (key: string, args: object, more: object = {}) =>
    script.propose(key, args, {
      run: { framework: "test", threadId: `thread-${key}`, step: 3, ended: false },
      transcript: transcript(`Pay the bill ${key}`),
      actions: [{ actionId: "a", tool: "bank/pay", args: canonicalize(args), argsSha256: script.hash(args), confidence: 0.5 }],
      ...more,
    });
  const run = async (of: Parameters<Script["resume"]>[0], outcome: "proceed" | "proceed_edited", args: object, end: "succeeded" | "failed" = "succeeded") => {
    const grant = await script.resume(of, outcome, args, {}, "bank/pay");
    await script.receipt(grant, "started");
    return script.receipt(grant, end, end === "failed" ? { error: { code: "closed", message: "the bank is closed" } } : {});
  };

  // An edit, material and cosmetic, that was executed.
  const edited = await script.judge(await propose("edit", { amount: 100, to: "Ada Example", note: "bill" }), "interrupt");
  const edit = await script.edit(
    edited,
    { amount: 10, to: "Ada Example", note: "the bill" },
    { reasonCodes: ["wrong_amount"], message: "One zero too many", scores: [{ criterion: "right_amount", score: 2 }] },
  );
  await run(await script.judge(edit, "batch", { risk: "medium" }), "proceed_edited", { amount: 10, to: "Ada Example", note: "the bill" });

  // A rejection that was tried again and approved.
  const no = await script.judge(await propose("no", { amount: 7, to: "Bob Example" }), "interrupt");
  await script.resume(await script.decide(no, "reject", { reasonCodes: ["not_due"], message: "Not before Friday" }), "refused");
  const again = await propose("again", { amount: 7, to: "Bob Example", note: "due" }, { retryOf: no.event.itemId });
  await run(await script.decide(await script.judge(again, "interrupt"), "approve", { review: { channel: "console", activeMs: 9000 } }), "proceed", {
    amount: 7,
    to: "Bob Example",
    note: "due",
  });

  // A glance, and an approval that failed.
  await run(
    await script.decide(await script.judge(await propose("glance", { amount: 1, to: "Cyd" }), "interrupt"), "approve", {
      review: { channel: "console", activeMs: 200 },
    }),
    "proceed",
    { amount: 1, to: "Cyd" },
  );
  await run(
    await script.decide(await script.judge(await propose("fails", { amount: 2, to: "Dee" }), "interrupt"), "approve"),
    "proceed",
    { amount: 2, to: "Dee" },
    "failed",
  );

  // An incident that was found afterwards: a grave one and a slight one.
  for (const severity of ["high", "low"] as const) {
    const args = { amount: 3, to: `Eve ${severity}` };
    const receipt = await run(await script.decide(await script.judge(await propose(severity, args), "interrupt"), "approve"), "proceed", args);
    await script.decide(receipt, "report", { seen: null, message: "Paid twice", incident: { severity, url: "https://tracker.example/1" } });
  }

  // A question, a rejection without transcript, one without tools, and two timeouts.
  const question = await propose("question", {}, { ask: "question", actions: [], question: "Which account?" });
  await script.resume(await script.decide(await script.judge(question, "interrupt"), "respond", { message: "The second" }), "responded");
  for (const [key, given] of [
    ["bare", null],
    ["toolless", transcript("Pay", null)],
  ] as const)
    await script.edit(await script.judge(await propose(key, { amount: 4, to: "Flo" }, { transcript: given }), "interrupt"), { amount: 5, to: "Flo" });
  const late = await script.judge(await propose("late", { amount: 6, to: "Gil" }), "interrupt", {
    expiresAt: 2,
    ladder: [{ step: 1, at: 1, to: "role:boss", page: false }],
  });
  const clock = { actor: { kind: "clock", id: "clock" }, seen: null } as const;
  await script.decide(late, "escalate", { ...clock, escalation: { step: 1, from: "role:lead", to: "role:boss" } });
  await script.decide(late, "expire", clock);

  // A call that should have been a question.
  const hasty = await script.judge(await propose("hasty", { amount: 8, to: "Hal" }), "interrupt");
  await script.resume(await script.decide(hasty, "respond", { message: "Ask for the invoice first" }), "responded");
  return script;
}
