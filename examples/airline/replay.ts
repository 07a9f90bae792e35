import { canonicalArgs, canonicalize, parseStrict, sha256 } from "../../src/events/canonical.ts";
import { LIMITS } from "../../src/events/limits.ts";
import type { Call } from "../../src/producers/transcript-calls.ts";
import { RECORDED_ACTION_ID } from "../../src/producers/transcript-calls.ts";
import type { GoldAction } from "../../src/producers/transcripts.ts";
import { untilItem } from "../../src/projector/until.ts";
import type { Ledger } from "../../src/runtime.ts";
import { decideFromGold } from "./reviewer.ts";

const REVIEWER = { kind: "person", id: "scripted-reviewer", roles: ["support", "support-lead"] } as const;
const EXECUTOR = { kind: "executor", id: "replay", roles: [] } as const;
const WAIT = { timeoutMs: 120_000 };

/** Takes one proposed call to its end: the scripted reviewer decides where policy asks for a person, the executor `replay` does what was granted. */
export async function replayCall(ledger: Ledger, itemId: string, workspace: string, call: Call, gold: readonly GoldAction[]): Promise<void> {
  const judged = await untilItem(ledger, itemId, (v) => (v.life.verdict === null ? undefined : v), WAIT);
  if (judged.stage === "pending") await decide(ledger, itemId, workspace, call, gold);
  // Also what policy forbids is told so: its resume belongs to the item's events.
  const resumed = await untilItem(ledger, itemId, (v) => (v.life.resume === null ? undefined : v), WAIT);
  const grant = resumed.life.resume;
  if (resumed.stage !== "granted" || grant === null) return;
  const [action] = grant.actions;
  if (action === undefined) return;
  const receipt = {
    workspace,
    answers: { topic: "resumes", eventId: grant.id },
    actor: EXECUTOR,
    actionId: action.actionId,
    argsSha256: action.argsSha256,
  } as const;
  const started = await ledger.write("receipts", itemId, {
    ...receipt,
    kind: "started",
    lease: { id: `${grant.id}/1`, endsAt: ledger.now() + 120_000 },
    startedAt: ledger.now(),
  });
  // It acts only after it has read its own started back as effective.
  await ledger.waitFor([started.position], WAIT);
  const running = ledger.queries.item(itemId)?.life.resume?.group.running;
  if (running?.leaseId !== `${grant.id}/1`) return;
  const unchanged = action.argsSha256 === call.argsSha256;
  const done = await ledger.write("receipts", itemId, {
    ...receipt,
    kind: "succeeded",
    ...(unchanged ? resultOf(call.recordedResult) : {}),
    finishedAt: ledger.now(),
  });
  await ledger.waitFor([done.position], WAIT);
}

async function decide(ledger: Ledger, itemId: string, workspace: string, call: Call, gold: readonly GoldAction[]): Promise<void> {
  const view = ledger.queries.item(itemId);
  const verdict = view?.life.verdict;
  if (view === undefined || verdict == null || view.stage !== "pending") return;
  const decision = decideFromGold(call, gold);
  const { position } = await ledger.write("decisions", itemId, {
    workspace,
    answers: { topic: "verdicts", eventId: verdict.id },
    actor: REVIEWER,
    kind: decision.kind,
    scope: "action",
    seen: { cardSha256: verdict.terms.cardSha256 },
    edits: decision.kind === "edit" ? [{ actionId: RECORDED_ACTION_ID, ...canonicalArgs(decision.args, { maxBytes: LIMITS.args }) }] : [],
    reasonCodes: decision.kind === "reject" ? [...decision.reasonCodes] : decision.kind === "edit" ? ["wrong_arguments"] : [],
    message: decision.kind === "reject" ? decision.message : null,
  });
  await ledger.waitFor([position], WAIT);
}

/** The recorded result of a tool as a receipt carries it: JSON as it is, other text as a string, only a hash where it is too large. */
function resultOf(recorded: string | undefined): { result?: string; resultSha256?: string } {
  if (recorded === undefined) return {};
  const result = jsonOf(recorded);
  return Buffer.byteLength(result) <= LIMITS.result ? { result } : { resultSha256: sha256(result) };
}

function jsonOf(text: string): string {
  try {
    return canonicalize(parseStrict(text));
  } catch {
    return canonicalize(text.toWellFormed());
  }
}
