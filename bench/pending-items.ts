import { readFileSync } from "node:fs";
import { canonicalArgs } from "../src/events/canonical.ts";
import { cloudEventHeaders } from "../src/events/cloudevents.ts";
import type { Codec } from "../src/events/codec.ts";
import { complete, type Draft } from "../src/events/draft.ts";
import { itemIdOf, newEventId } from "../src/events/ids.ts";
import type { Topic } from "../src/events/topics.ts";
import type { ActionProposed, EventOf } from "../src/events/types.generated.ts";
import type { EventLog, NewRecord } from "../src/log/log.ts";
import { openLog } from "../src/log/open.ts";
import { loadCodec } from "../src/log/schemas.ts";
import { NOTHING_USED } from "../src/policy/budgets/usage.ts";
import { compilePolicy } from "../src/policy/compile.ts";
import { parsePolicy } from "../src/policy/document/document.ts";
import { publishable } from "../src/policy/document/publish.ts";
import { judge } from "../src/policy/judgement/judge.ts";

export const WORKSPACE = "support";
const AGENT = "bench";
/** Items whose events are appended together: one transaction and one fsync. */
const TOGETHER = 500;

/** Which items to write. */
export interface Items {
  readonly first: number;
  readonly count: number;
  /** Policy file by which they are judged here; without one they are left to the policy worker. */
  readonly judgedBy?: string;
  readonly onProgress?: (written: number) => void;
}

/** Appends items that wait for a person to an embedded log, through the log itself and with verdicts of the policy engine. */
export async function writePending(data: string, { first, count, judgedBy, onProgress }: Items): Promise<void> {
  const { log, registry } = await openLog(`sqlite:${data}`);
  try {
    const codec = await loadCodec(registry);
    const verdictOn = judgedBy === undefined ? undefined : judging(judgedBy);
    for (let at = first; at < first + count; at += TOGETHER) {
      const proposals = Array.from({ length: Math.min(TOGETHER, first + count - at) }, (_, i) => proposalOf(at + i));
      const verdicts = verdictOn === undefined ? [] : proposals.map(verdictOn);
      await append(log, [...proposals.map((event) => recordOf(codec, "proposals", event)), ...verdicts.map((event) => recordOf(codec, "verdicts", event))]);
      onProgress?.(at + proposals.length - first);
    }
  } finally {
    await log.close();
    await registry.close();
  }
}

/** Another process may be writing: then it is tried again. */
async function append(log: EventLog, records: readonly NewRecord[]): Promise<void> {
  for (;;) {
    try {
      await log.append(records);
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "log_busy") throw error;
    }
  }
}

function recordOf<T extends Topic>(codec: Codec, topic: T, event: EventOf[T]): NewRecord {
  return { topic, key: event.itemId, value: codec.encode(topic, event), headers: () => cloudEventHeaders(topic, event) };
}

function proposalOf(n: number): ActionProposed {
  const idempotencyKey = `pending-${n}`;
  const args = { order_id: `ORD-${n}`, customer_email: `customer-${n}@example.com`, amount: n % 90, currency: "USD", reason: "Lost parcel" };
  return complete("proposals", {
    eventId: newEventId(),
    itemId: itemIdOf(WORKSPACE, AGENT, idempotencyKey),
    workspace: WORKSPACE,
    occurredAt: Date.now(),
    actor: { kind: "agent", id: AGENT },
    ask: "review",
    idempotencyKey,
    agent: { id: AGENT },
    run: { framework: "bench", threadId: `thread-${n}`, ended: false },
    intent: "Make good for a lost parcel",
    actions: [{ actionId: "a1", tool: "issue_refund", ...canonicalArgs(args) }],
  } as Draft<ActionProposed>);
}

/** What the policy worker writes on a proposal. */
function judging(file: string): (proposal: ActionProposed) => EventOf["verdicts"] {
  const { document } = publishable(readFileSync(file, "utf8"), file, (path) => readFileSync(path, "utf8"));
  const policy = compilePolicy(parsePolicy(document, { file }));
  return (proposal) =>
    complete("verdicts", {
      ...judge([policy], { proposal, actions: proposal.actions, answers: "proposal", now: proposal.occurredAt, usage: NOTHING_USED }),
      eventId: newEventId(),
      itemId: proposal.itemId,
      workspace: proposal.workspace,
      occurredAt: proposal.occurredAt,
      answers: { topic: "proposals", eventId: proposal.eventId },
      actor: { kind: "policy", id: "policy-worker" },
    } as Draft<EventOf["verdicts"]>);
}
