import { readFileSync } from "node:fs";
import { canonicalArgs, sha256 } from "../../src/events/canonical.ts";
import { checkEvent } from "../../src/events/check.ts";
import { complete, type Draft } from "../../src/events/draft.ts";
import { itemIdOf } from "../../src/events/ids.ts";
import type { ActionProposed, VerdictReached } from "../../src/events/types.generated.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import type { CompiledPolicy } from "../../src/policy/compiled.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import { judge } from "../../src/policy/judgement/judge.ts";
import type { JudgedAction, JudgeInput } from "../../src/policy/judgement/subjects.ts";
import type { VerdictBody } from "../../src/policy/judgement/verdict.ts";

export const NOW = 1_750_000_000_000;
/** A Monday morning in working hours; NOW is a Sunday. */
export const MONDAY = Date.UTC(2025, 5, 16, 8);
const EVENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const root = new URL("../../", import.meta.url);

export const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** A policy file of the repository, published and compiled as `up --policy` does it. */
export function policyFile(path: string): CompiledPolicy {
  return compilePolicy(parsePolicy(publishable(read(path), path, read).document, { file: path }));
}

/** A policy from YAML text; head lines that every document needs are added. */
export function policy(text: string): CompiledPolicy {
  return compilePolicy(parsePolicy(`${text.includes("policy:") ? "" : "policy: p\n"}workspace: w\nowner: role:boss\n${text}`, { file: "p.yaml" }));
}

/** What is wrong with a document, one line each, without the first. */
export function problems(text: string): string[] {
  try {
    parsePolicy(text, { file: "p.yaml" });
  } catch (error) {
    return (error as Error).message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

export interface Call {
  tool?: string;
  args?: unknown;
  confidence?: number;
  target?: unknown;
  evidence?: string[];
  workspace?: string;
  more?: Partial<Draft<ActionProposed>>;
}

/** A proposal of one call per entry. */
export function proposal(...calls: Call[]): ActionProposed {
  const [first = {}] = calls;
  const workspace = first.workspace ?? "w";
  return complete("proposals", {
    eventId: EVENT_ID,
    itemId: itemIdOf(workspace, "bot", "key"),
    workspace,
    occurredAt: NOW,
    actor: { kind: "agent", id: "bot" },
    idempotencyKey: "key",
    ask: "review",
    agent: { id: "bot", version: "3", model: "m" },
    evidence: (first.evidence ?? []).map((label) => ({ label, value: "seen" })),
    actions: calls.map((call, i) => {
      const target = call.target === undefined ? undefined : JSON.stringify(call.target);
      return {
        actionId: `a${i + 1}`,
        tool: call.tool ?? "act",
        ...canonicalArgs(call.args ?? {}),
        confidence: call.confidence,
        targetState: target === undefined ? undefined : { json: target, sha256: sha256(target), readAt: NOW },
      };
    }),
    ...first.more,
  } as Draft<ActionProposed>);
}

/** Judges, and makes sure that the verdict could be written to the log. */
export function verdict(
  policies: readonly CompiledPolicy[],
  proposed: ActionProposed,
  actions: readonly JudgedAction[] = proposed.actions,
  now: number = NOW,
): VerdictReached {
  return verdictOn(policies, { proposal: proposed, actions, answers: "proposal", now });
}

/** The same for everything that a judgement may read. */
export function verdictOn(policies: readonly CompiledPolicy[], input: JudgeInput): VerdictReached {
  return written(judge(policies, input), input.proposal);
}

function written(body: Draft<VerdictBody>, { itemId, workspace }: ActionProposed): VerdictReached {
  const event = complete("verdicts", {
    ...body,
    eventId: EVENT_ID,
    itemId,
    workspace,
    answers: { topic: "proposals", eventId: EVENT_ID },
    occurredAt: NOW,
    actor: { kind: "policy", id: "policy-worker" },
  } as Draft<VerdictReached>);
  checkEvent("verdicts", event);
  return event;
}

/** The verdict of one policy text on one call. */
export function judgeCall(text: string, call: Call): VerdictReached {
  return verdict([policy(text)], proposal(call));
}
