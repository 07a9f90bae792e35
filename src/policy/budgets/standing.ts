import { canonicalize, type Json, parseStrict } from "../../events/canonical.ts";
import { add, compare, type Decimal, decimalOf, ZERO } from "../../events/decimal.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { pointerKeys } from "../pointer.ts";

/** What a standing approval covers: proposals of one agent whose every step uses one of these tools. */
export interface StandingScope {
  readonly agent: string;
  readonly tools: readonly string[];
  /** Only in this run. */
  readonly thread?: string;
  /** Where the amount of a step lies, by its tool; needed where the approval is bounded by an amount. */
  readonly amountPaths?: { readonly [tool: string]: string };
}

/** A proposal, as far as standing approvals read it. */
export interface Alike {
  readonly agent: string;
  readonly thread: string | null;
  readonly actions: readonly { readonly tool: string; readonly args: string }[];
}

/** The scope as the event keeps it. */
export function scopeText(scope: StandingScope): string {
  return canonicalize(scope as unknown as Json);
}

/** The scope in an event; undefined where this version cannot read it: it then covers nothing. */
export function readScope(text: string): StandingScope | undefined {
  try {
    const value = parseStrict(text) as Partial<StandingScope> | null;
    if (typeof value !== "object" || value === null || typeof value.agent !== "string" || !Array.isArray(value.tools)) return undefined;
    const { agent, tools, thread, amountPaths, ...others } = value;
    if (Object.keys(others).length > 0 || (thread !== undefined && typeof thread !== "string")) return undefined;
    return { agent, tools, ...(thread !== undefined && { thread }), ...(amountPaths !== undefined && { amountPaths }) };
  } catch {
    return undefined;
  }
}

/** Whether a proposal is alike. */
export function coversAlike(scope: StandingScope, { agent, thread, actions }: Alike): boolean {
  return (
    scope.agent === agent && (scope.thread === undefined || scope.thread === thread) && actions.length > 0 && actions.every((a) => scope.tools.includes(a.tool))
  );
}

/** What one item takes of a standing approval. */
export interface Use {
  /** Each step of a plan counts: five of them are five actions that nobody looks at. */
  readonly actions: number;
  /** Undefined where an argument does not tell. */
  readonly amount: Decimal | undefined;
}

/** What a proposal takes of a standing approval; the amount only tells where the scope says where it lies. */
export function useOf(scope: StandingScope | undefined, actions: Alike["actions"]): Use {
  return { actions: actions.length, amount: scope === undefined ? undefined : amountOf(scope, actions) };
}

/** What a proposal takes of the amount; undefined where an argument does not tell. */
function amountOf(scope: StandingScope, actions: Alike["actions"]): Decimal | undefined {
  let sum = ZERO;
  for (const { tool, args } of actions) {
    const keys = pointerKeys(scope.amountPaths?.[tool] ?? "");
    if (keys === undefined || keys.length === 0) return undefined;
    let at: unknown = JSON.parse(args);
    for (const key of keys) at = typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
    const amount = decimalOf(at);
    // A negative amount would make room for more.
    if (amount === undefined || compare(amount, ZERO) < 0) return undefined;
    sum = add(sum, amount);
  }
  return sum;
}

/** Whether uses stay within the bounds of a standing approval. An amount that cannot be told is never within one. */
export function within(bounds: { readonly max: number; readonly amount: string | null }, uses: readonly Use[]): boolean {
  if (actionsOf(uses) > bounds.max) return false;
  if (bounds.amount === null) return true;
  const most = decimalOf(bounds.amount);
  let sum = ZERO;
  for (const { amount } of uses) {
    if (amount === undefined) return false;
    sum = add(sum, amount);
  }
  return most !== undefined && compare(sum, most) <= 0;
}

/** Actions in all. */
export function actionsOf(uses: readonly Use[]): number {
  return uses.reduce((sum, { actions }) => sum + actions, 0);
}

/** Where a tool's amount lies, as the policies of a workspace say; undefined where they do not, or contradict each other. */
export function amountPathOf(policies: readonly CompiledPolicy[], workspace: string, tool: string): string | undefined {
  const paths = new Set(policies.filter((p) => p.workspace === workspace).flatMap((p) => p.find(tool).map((action) => action.unit?.path)));
  return paths.size === 1 ? [...paths][0] : undefined;
}
