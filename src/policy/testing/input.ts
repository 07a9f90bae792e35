import { canonicalArgs, canonicalize, type Json, sha256 } from "../../events/canonical.ts";
import { complete, type Draft } from "../../events/draft.ts";
import { itemIdOf } from "../../events/ids.ts";
import type { ActionProposed } from "../../events/types.generated.ts";
import type { UsageReader } from "../budgets/usage.ts";
import type { CompiledPolicy } from "../compiled.ts";
import type { JudgeInput } from "../judgement/subjects.ts";
import type { PolicyCase } from "./case-shape.ts";
import { usageOf } from "./earlier.ts";

/** When a case that names no time is judged: a Tuesday in working hours, so that results do not depend on when a test runs. */
export const DEFAULT_AT = Date.parse("2026-01-06T10:00:00Z");

/** The same event id in every case: a verdict on a case depends on the case alone. */
const EVENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057";

/** What a case describes, without what it expects. */
export type Described = Omit<PolicyCase, "name" | "expect">;

/**
 * The proposal that a case describes, ready to judge. `policies`: those that are to judge it, whose meters count what came earlier.
 *
 * @throws CountersignError json_* where arguments are no JSON that survives
 */
export function inputOf(described: Described, workspace: string, policies: readonly CompiledPolicy[] = []): JudgeInput {
  const now = described.at ?? DEFAULT_AT;
  const proposal = proposalOf(described, described.workspace ?? workspace, now);
  const used = described.budgets ?? {};
  // A budget of the document goes by its own id; in a join of several documents also as "policy/budget".
  const before = usageOf(policies, described.earlier ?? [], proposal, now);
  const usage: UsageReader = (question) => {
    const { id } = question;
    const amount = used[id] ?? used[id.slice(id.indexOf("/") + 1)];
    return amount === undefined ? before(question) : { count: Math.floor(Number(amount)), sum: amount };
  };
  return { proposal, actions: proposal.actions, answers: "proposal", now, usage };
}

function proposalOf(described: Described, workspace: string, now: number): ActionProposed {
  const { ask, agent, origin, run, on_behalf_of } = described;
  const id = agent?.id ?? "agent";
  return complete("proposals", {
    eventId: EVENT_ID,
    itemId: itemIdOf(workspace, id, "case"),
    workspace,
    occurredAt: now,
    actor: { kind: "agent", id },
    idempotencyKey: "case",
    ask,
    agent: { id, version: agent?.version, model: agent?.model, owner: agent?.owner },
    onBehalfOf: on_behalf_of === undefined ? undefined : { id: on_behalf_of },
    origin: origin === undefined ? undefined : { system: origin.system, id: origin.id },
    run:
      run === undefined
        ? undefined
        : {
            framework: run.framework ?? "test",
            frameworkVersion: run.framework_version,
            threadId: run.thread ?? "t1",
            step: run.step,
            costUsd: run.cost_usd === undefined ? undefined : String(run.cost_usd),
            ended: run.ended,
          },
    question: ask === "review" ? undefined : "Is this all right?",
    requestedTimeoutMs: described.timeout,
    evidence: (described.evidence ?? []).map((label) => ({ label, value: "given" })),
    actions: ask === "review" ? stepsOf(described).map((step, i) => actionOf(step, `a${i + 1}`, now)) : [],
  } as Draft<ActionProposed>);
}

interface Step {
  readonly action: string;
  readonly args?: Json | undefined;
  readonly target?: Json | undefined;
  readonly confidence?: number | undefined;
  readonly source?: PolicyCase["confidence_source"];
}

function stepsOf({ action, args, plan, target, confidence, confidence_source: source }: Described): Step[] {
  if (plan === undefined) return [{ action: action ?? "", args, target, confidence, source }];
  return plan.map((step) => ({ target, confidence, ...step, source }));
}

function actionOf({ action, args, target, confidence, source }: Step, actionId: string, now: number) {
  const state = target === undefined ? undefined : canonicalize(target);
  return {
    actionId,
    tool: action,
    ...canonicalArgs(args ?? {}),
    confidence,
    confidenceSource: confidence === undefined ? undefined : (source ?? "other"),
    targetState: state === undefined ? undefined : { json: state, sha256: sha256(state), readAt: now },
  };
}
