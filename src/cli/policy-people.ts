import { parsePolicy } from "../policy/document/document.ts";
import { ownersOf } from "../policy/document/owners.ts";

/** Whom the policies of each workspace ask to decide. A document that cannot be read counts with nobody: the judge says what is wrong with it. */
export function ownersByWorkspace(policies: readonly { readonly workspace: string; readonly document: string }[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const { workspace, document } of policies) out.set(workspace, [...new Set([...(out.get(workspace) ?? []), ...ownersIn(document)])]);
  return out;
}

function ownersIn(document: string): string[] {
  try {
    return ownersOf(parsePolicy(document).content);
  } catch {
    return [];
  }
}

/** The role that an owner names, null for a person. */
export function roleOf(owner: string): string | null {
  if (owner.startsWith("person:")) return null;
  return owner.startsWith("role:") ? owner.slice(5) : owner;
}
