import { sha256 } from "../events/canonical.ts";
import type { EventOf } from "../events/types.generated.ts";
import { parsePolicy } from "../policy/document/document.ts";
import type { PublishedVersion } from "./case-check.ts";
import type { DescribedAction, DescribedPolicy } from "./catalogue.ts";
import type { Treatment } from "./redact/treatment.ts";
import type { PublishedDocument } from "./targets/target.ts";

/** What a class means where a field names no `export` of its own. */
const BY_CLASS: { readonly [name: string]: Treatment } = { secret: "drop", personal: "pseudonym" };

/** The policies in the log, as far as an export needs them. */
export interface PublishedPolicies {
  readonly described: readonly DescribedPolicy[];
  /** Every policy as it was last published. */
  readonly newest: readonly PublishedDocument[];
  /** Every version of every policy, oldest first. */
  readonly versions: readonly PublishedVersion[];
  /** Documents that this version cannot read: what they classify is not known. */
  readonly unreadable: readonly string[];
}

/** Reads the policy documents that were published before the end of the range. */
export function publishedPolicies(events: readonly EventOf["policies"][]): PublishedPolicies {
  const byPolicy = new Map<string, EventOf["policies"][]>();
  for (const event of events) {
    if (event.kind !== "policy" || event.document === null || event.actor.kind !== "authority") continue;
    const id = `${event.workspace}\0${event.policyId}`;
    byPolicy.set(id, [...(byPolicy.get(id) ?? []), event]);
  }
  // By event id: the order of the log, also where it was moved.
  const policies = [...byPolicy].map(([id, versions]) => ({ id, versions: versions.sort((a, b) => (a.eventId < b.eventId ? -1 : 1)) }));
  const unreadable = new Set<string>();
  const described = policies.map(({ versions }) => ({
    workspace: (versions[0] as EventOf["policies"]).workspace,
    versions: versions.map((event) => {
      const name = `${event.policyId}@${event.version ?? "?"}`;
      const actions = describedIn(event.document as string, name);
      if (actions === undefined) unreadable.add(name);
      return actions;
    }),
  }));
  const newest = policies
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ versions }) => {
      const { workspace, policyId, document } = versions.at(-1) as EventOf["policies"];
      return { workspace, policyId, text: document ?? "" };
    });
  const all = policies.flatMap(({ versions }) => versions.map(({ workspace, policyId, document }) => ({ workspace, policyId, text: document ?? "" })));
  return { described, newest, versions: all.map((version) => ({ ...version, sha256: sha256(version.text) })), unreadable: [...unreadable].sort() };
}

function describedIn(document: string, name: string): readonly DescribedAction[] | undefined {
  try {
    const { content } = parsePolicy(document, { file: name });
    return Object.entries(content.actions).map(([tool, action]) => {
      const fields = Object.entries(action.fields ?? {});
      return {
        tool,
        rules: fields.flatMap(([path, field]) => {
          const treatment = field.export ?? (field.class === undefined ? undefined : BY_CLASS[field.class]);
          return treatment === undefined ? [] : [{ path, treatment }];
        }),
        cosmetic: fields.filter(([, field]) => field.cosmetic === true).map(([path]) => path),
      };
    });
  } catch {
    return undefined;
  }
}
