import type { Json } from "../events/canonical.ts";
import type { EventOf } from "../events/types.generated.ts";
import { parsed } from "./parsed.ts";
import type { Redaction } from "./redact/redactor.ts";
import { ownerOf } from "./redact-owner.ts";

/** What policy looked at beside the calls, for a test that is to judge the same again. */
export interface Judged {
  /** When policy judged, in milliseconds since the epoch. */
  readonly at: number;
  readonly owner: string | null;
  readonly onBehalfOf: string | null;
  readonly origin: { readonly system: string; readonly id: string } | null;
  readonly run: Pick<NonNullable<EventOf["proposals"]["run"]>, "framework" | "frameworkVersion" | "threadId" | "step" | "costUsd" | "ended"> | null;
  /** Labels of the evidence that says something. */
  readonly evidence: readonly string[];
  /** By action, the state of what it acts on. */
  readonly targets: { readonly [actionId: string]: Json };
  readonly confidenceSource: "logprobs" | "self_rating" | "other" | null;
  /** Ids of the rules and budgets that took hold, and whether policy failed to judge. */
  readonly matched: readonly string[];
  readonly failed: boolean;
  /** Whether redaction has changed the state of a target. */
  readonly hidden: boolean;
}

/** What policy looked at when it reached a verdict. */
export function judgedOf(proposal: EventOf["proposals"], verdict: EventOf["verdicts"]): Judged {
  const { agent, onBehalfOf, origin, run, evidence, actions } = proposal;
  const source = actions.map((a) => a.confidenceSource).find((s) => s !== null && s !== "unrecognized");
  return {
    at: verdict.occurredAt,
    owner: agent.owner,
    onBehalfOf: onBehalfOf?.id ?? null,
    origin: origin && { system: origin.system, id: origin.id },
    run,
    evidence: [...new Set(evidence.filter(({ value, url }) => isSaying(value) || isSaying(url)).map(({ label }) => label))],
    targets: Object.fromEntries(actions.flatMap(({ actionId, targetState }) => (targetState === null ? [] : [[actionId, parsed(targetState.json)]]))),
    confidenceSource: (source as Judged["confidenceSource"]) ?? null,
    matched: verdict.matched.map(({ rule }) => rule),
    failed: verdict.error !== null,
    hidden: false,
  };
}

/** What policy looked at, with what must not leave hidden. Classified arguments are known to the redaction by then. */
export function redactedJudged(judged: Judged, redaction: Redaction): Judged {
  const targets = Object.fromEntries(Object.entries(judged.targets).map(([id, state]) => [id, redaction.value(state)]));
  return {
    ...judged,
    owner: ownerOf(judged.owner, redaction),
    onBehalfOf: judged.onBehalfOf && redaction.person(judged.onBehalfOf),
    origin: judged.origin && { ...judged.origin, id: redaction.text(judged.origin.id) },
    run: judged.run && { ...judged.run, threadId: redaction.text(judged.run.threadId) },
    evidence: judged.evidence.map((label) => redaction.text(label)),
    targets,
    hidden: Object.entries(targets).some(([id, state]) => state !== judged.targets[id]),
  };
}

/** As policy asks it: a label with nothing behind it is no evidence. */
function isSaying(text: string | null): boolean {
  return text !== null && /[\p{L}\p{N}\p{P}\p{S}]/u.test(text);
}
