import type { CompiledField, CompiledPolicy, Criterion } from "./compiled.ts";
import { DEFAULT_CLAIM } from "./document/defaults.ts";

/** How long a reviewer's claim lasts, in milliseconds: the shortest that the policies of a workspace say of these tools. */
export function claimMs(policies: readonly CompiledPolicy[], workspace: string, tools: readonly string[]): number {
  const found = policies
    .filter((policy) => policy.workspace === workspace && policy.mode !== "shadow")
    .flatMap((policy) => tools.flatMap((tool) => policy.find(tool)));
  return found.length === 0 ? DEFAULT_CLAIM : Math.min(...found.map((action) => action.claimMs));
}

/** Criteria that the policies of a workspace name for any of these tools, each once. */
export function rubricOf(policies: readonly CompiledPolicy[], workspace: string, tools: readonly string[]): readonly Criterion[] {
  const own = policies.filter((policy) => policy.workspace === workspace);
  const named = own.flatMap((policy) => tools.flatMap((tool) => policy.find(tool).flatMap((action) => action.rubric)));
  const byId = new Map<string, Criterion>();
  for (const criterion of named) if ((byId.get(criterion.id)?.label ?? null) === null) byId.set(criterion.id, criterion);
  return [...byId.values()];
}

/** An argument that policy classifies: nobody outside the review needs its value. */
export interface Classified {
  readonly path: string;
  readonly class: "secret" | "personal";
}

/** The arguments of a tool that any policy of the workspace classifies; the stricter class first. */
export function classifiedOf(policies: readonly CompiledPolicy[], workspace: string, tool: string): readonly Classified[] {
  const fields = policies.filter((policy) => policy.workspace === workspace).flatMap((policy) => policy.find(tool).flatMap((action) => action.fields));
  return (["secret", "personal"] as const).flatMap((kind) => fields.filter((field) => field[kind]).map(({ path }) => ({ path, class: kind })));
}

/** How often the clock may try a tool again whose end nobody knows: what every policy on it allows. */
export function retriesOf(policies: readonly CompiledPolicy[], workspace: string, tool: string): number {
  const found = policies.filter((policy) => policy.workspace === workspace).flatMap((policy) => policy.find(tool));
  return found.length === 0 ? 0 : Math.min(...found.map((action) => action.retries));
}

/** Whether a path is a secret field, lies in one or holds one. */
export function touchesSecret(fields: readonly CompiledField[], path: string): boolean {
  return fields.some((field) => field.secret && (`${path}/`.startsWith(`${field.path}/`) || `${field.path}/`.startsWith(`${path}/`)));
}
