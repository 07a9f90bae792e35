import type { EventOf } from "../events/types.generated.ts";
import { parsePolicy } from "../policy/document.ts";
import { glob, isGlob } from "../policy/regex.ts";
import type { FieldRule, Treatment } from "./redact/treatment.ts";
import type { PublishedDocument } from "./targets/target.ts";

/** What the policy documents in the log say of a tool's arguments, as far as an export needs it. */
export interface ToolFields {
  readonly rules: readonly FieldRule[];
  readonly isCosmetic: (path: string) => boolean;
}

/** What a class means where a field names no `export` of its own. */
const BY_CLASS: { readonly [name: string]: Treatment } = { secret: "drop", personal: "pseudonym" };

interface Described {
  readonly matches: (tool: string) => boolean;
  readonly rules: readonly FieldRule[];
  readonly cosmetic: readonly string[];
}

/** The action catalogues of all workspaces, from the policy documents that were published before the end of the range. */
export class Catalogue {
  /** By workspace and policy id, the newest by event id last: the order of the log, also where it was moved. */
  private readonly documents = new Map<string, { eventId: string; text: string; described: readonly Described[] | undefined }[]>();
  private readonly known = new Map<string, ToolFields>();
  /** Documents that this version cannot read: what they classify is not known. */
  readonly unreadable = new Set<string>();

  add(event: EventOf["policies"]): void {
    if (event.kind !== "policy" || event.document === null || event.actor.kind !== "authority") return;
    const name = `${event.policyId}@${event.version ?? "?"}`;
    const described = this.described(event.document, name);
    const id = `${event.workspace}\0${event.policyId}`;
    const versions = this.documents.get(id) ?? [];
    versions.push({ eventId: event.eventId, text: event.document, described });
    this.documents.set(
      id,
      versions.sort((a, b) => (a.eventId < b.eventId ? -1 : 1)),
    );
    this.known.clear();
  }

  /**
   * What is known of a tool: from each policy of the workspace its newest document that describes the tool. Where the newest document of a
   * policy cannot be read, nobody knows what it classifies: then everything is masked.
   */
  fieldsOf(workspace: string, tool: string): ToolFields {
    const key = `${workspace}\0${tool}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const own = [...this.documents].filter(([id]) => id.startsWith(`${workspace}\0`)).map(([, versions]) => versions);
    const found = own.flatMap((versions) => versions.map((v) => (v.described ?? []).filter((d) => d.matches(tool))).findLast((d) => d.length > 0) ?? []);
    const unknown: FieldRule[] = own.some((versions) => versions.at(-1)?.described === undefined) ? [{ path: "", treatment: "mask" }] : [];
    const cosmetic = found.flatMap((d) => d.cosmetic);
    const fields: ToolFields = {
      rules: [...unknown, ...found.flatMap((d) => d.rules)],
      isCosmetic: (path) => cosmetic.some((c) => path === c || path.startsWith(`${c}/`)),
    };
    this.known.set(key, fields);
    return fields;
  }

  /** Every policy as it was last published. */
  newest(): PublishedDocument[] {
    const all = [...this.documents].map(([id, versions]) => {
      const [workspace = "", policyId = ""] = id.split("\0");
      return { workspace, policyId, text: versions.at(-1)?.text ?? "" };
    });
    return all.sort((a, b) => (`${a.workspace}\0${a.policyId}` < `${b.workspace}\0${b.policyId}` ? -1 : 1));
  }

  private described(document: string, name: string): readonly Described[] | undefined {
    try {
      const { content } = parsePolicy(document, { file: name });
      return Object.entries(content.actions).map(([tool, action]) => {
        const pattern = isGlob(tool) ? glob(tool) : undefined;
        const fields = Object.entries(action.fields ?? {});
        return {
          matches: pattern === undefined ? (given: string) => given === tool : (given: string) => pattern(given) !== false,
          rules: fields.flatMap(([path, field]) => {
            const treatment = field.export ?? (field.class === undefined ? undefined : BY_CLASS[field.class]);
            return treatment === undefined ? [] : [{ path, treatment }];
          }),
          cosmetic: fields.filter(([, field]) => field.cosmetic === true).map(([path]) => path),
        };
      });
    } catch {
      this.unreadable.add(name);
      return undefined;
    }
  }
}
