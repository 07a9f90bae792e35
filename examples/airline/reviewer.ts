import { canonicalize } from "../../src/events/canonical.ts";
import type { GoldAction } from "../../src/producers/transcripts.ts";

/** What the scripted reviewer decides. */
export type GoldDecision =
  | { readonly kind: "approve" }
  | { readonly kind: "edit"; readonly args: Readonly<Record<string, unknown>> }
  | { readonly kind: "reject"; readonly reasonCodes: readonly string[]; readonly message: string };

/**
 * Decides a proposed call as somebody would who knows the right calls: approves what equals one of them, edits to the first right call of
 * the same tool when only the arguments differ, rejects otherwise. Equality is that of canonical JSON. A right call is not used up: it
 * answers every call that it fits.
 */
export function decideFromGold(call: { readonly tool: string; readonly args: string }, goldActions: readonly GoldAction[]): GoldDecision {
  const sameTool = goldActions.filter((gold) => gold.name === call.tool);
  if (sameTool.some((gold) => canonicalize(gold.arguments) === call.args)) return { kind: "approve" };
  const [first] = sameTool;
  if (first) return { kind: "edit", args: first.arguments };
  return {
    kind: "reject",
    reasonCodes: ["not_wanted"],
    message: `${call.tool} is not what this customer's case needs. Do not call it again; go on with what is right for the case.`,
  };
}
