import { createClient } from "../../src/index.ts"; // in a project of your own: from "countersign"

const { COUNTERSIGN_URL: url = "http://127.0.0.1:4680", AGENT_KEY = "", EXECUTOR_KEY = "" } = process.env;
const client = createClient({ url, apiKey: AGENT_KEY, executorKey: EXECUTOR_KEY });

// The same key is the same item: an agent that starts again asks nothing twice.
const item = await client.propose({
  idempotencyKey: "ticket-18423/refund",
  tool: "issue_refund",
  args: { order_id: "A-1001", customer_email: "jo@example.com", amount: 40, reason: "Arrived broken" },
  evidence: [{ label: "order", value: "A-1001" }],
  run: { framework: "my-agent", threadId: "thread-7", checkpointId: "cp-3" },
});
console.log(`proposed ${item.itemId}`);

const outcome = await item.outcome({ timeoutMs: 10 * 60_000 });
if ("grant" in outcome && outcome.grant !== null) {
  // Rejects unless this very start took effect: another copy may have been quicker, and only one may act.
  const run = await item.start().catch((error: Error) => console.log(`not started: ${error.message}`));
  if (run) {
    console.log(`refunding ${run.args.amount} with idempotency key ${run.effectKey}`);
    await run.succeed({ result: { refunded: run.args.amount }, externalRef: { system: "psp", id: "re_123" } });
  }
} else {
  console.log("nothing is left to run", outcome); // refused, expired, still pending, or done before
}
