import { messageOf } from "../errors.ts";
import { canonicalize, type Json, parseStrict, sha256 } from "../events/canonical.ts";
import { changedPaths } from "../events/changed-paths.ts";
import { LIMITS } from "../events/limits.ts";
import type { Publishable } from "./document/publish.ts";
import { pointerKeys, valueAt } from "./pointer.ts";
import { shown } from "./problems.ts";

const MOST_CHANGES = 50;

/** The version in force that a publication would replace. */
export interface InForce {
  readonly ref: { readonly id: string; readonly version: string };
  readonly workspace: string;
  /** The document as it was written. */
  readonly written: Json;
}

/** The arguments under which a change of a document is approved. A reviewer reads `changes` first, so they follow from the two documents alone. */
export function publicationArgs({ ref, written }: InForce, after: Omit<Publishable, "workspace">): { [key: string]: Json } {
  const { policyId, version, document } = after;
  const changes = changesOf(written, parseStrict(document));
  const told = changes.length > MOST_CHANGES ? [...changes.slice(0, MOST_CHANGES), `and ${changes.length - MOST_CHANGES} more`] : changes;
  return { policy: policyId, version, sha256: after.sha256, replaces: ref.version, changes: told, document };
}

/** Each part that changes, with what it was and what it would be. */
function changesOf(before: Json, after: Json): string[] {
  const text = (value: Json, path: string) => {
    const found = valueAt(value, pointerKeys(path) ?? []);
    return found === undefined ? "nothing" : shown(found);
  };
  return changedPaths(before, after).map((path) => `${path}: ${text(before, path)} → ${text(after, path)}`);
}

/**
 * Why a proposed publication is not shown to anybody, or undefined: nobody known is its author, so that separation would keep nobody from approving it;
 * or its arguments are not those that follow from its document and the version in force, so that a reviewer would read something untrue.
 */
export function publicationFault(before: InForce | undefined, args: Json, author: string | null): string | undefined {
  if (author === null || /^(role|person):/.test(author))
    return "Nobody known is the author of this publication, so nobody could be kept from approving their own: use an agent key that names its owner (keys create --owner), or countersign policy publish --as";
  const { policy, document, sha256: hash } = typeof args === "object" && args !== null && !Array.isArray(args) ? args : {};
  if (before === undefined || policy !== before.ref.id)
    return `No version of policy ${shown(policy)} is in force in this workspace: the first is published with countersign policy publish`;
  if (typeof document !== "string" || hash !== sha256(document)) return "The document is not the one that its hash names";
  let expected: { [key: string]: Json };
  try {
    const after = parseStrict(document, { name: "it", maxBytes: LIMITS.args });
    const [id, workspace, version] = ["policy", "workspace", "version"].map((key) => valueAt(after, [key]));
    if (id !== before.ref.id || workspace !== before.workspace)
      return `The document is policy ${shown(id)} of workspace ${shown(workspace)}, not ${before.ref.id} of ${before.workspace}`;
    expected = publicationArgs(before, {
      policyId: before.ref.id,
      version: version === undefined ? hash.slice(0, 12) : String(version),
      sha256: hash,
      document,
    });
  } catch (error) {
    return `The document cannot be read as JSON, the form in which documents are published: ${messageOf(error).slice(0, 200)}`;
  }
  const wrong = [...new Set([...Object.keys(expected), ...Object.keys(args as object)])].find(
    (key) => canonicalize(valueAt(expected, [key]) ?? null) !== canonicalize(valueAt(args, [key]) ?? null),
  );
  if (wrong === undefined) return undefined;
  const [is, says] = [valueAt(expected, [wrong]), valueAt(args, [wrong])];
  return `/${wrong} is not what follows from the document and version ${before.ref.version}, which is in force: it says ${shown(says)}, and should say ${shown(is)}; propose it with countersign policy publish`;
}
