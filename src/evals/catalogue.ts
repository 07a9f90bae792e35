import { glob, isGlob } from "../policy/conditions/regex.ts";
import type { FieldRule } from "./redact/treatment.ts";

/** What the policy documents in the log say of a tool's arguments, as far as an export needs it. */
export interface ToolFields {
  readonly rules: readonly FieldRule[];
  readonly isCosmetic: (path: string) => boolean;
}

/** What a version of a policy says of the fields of a tool, or of the tools that a glob names. */
export interface DescribedAction {
  readonly tool: string;
  readonly rules: readonly FieldRule[];
  readonly cosmetic: readonly string[];
}

/** A policy with its versions, the newest last; undefined where a version cannot be read. Plain data, so that it can be sent to a thread. */
export interface DescribedPolicy {
  readonly workspace: string;
  readonly versions: readonly (readonly DescribedAction[] | undefined)[];
}

/** The action catalogues of all workspaces. */
export class Catalogue {
  private readonly policies: readonly DescribedPolicy[];
  private readonly known = new Map<string, ToolFields>();
  /** What was asked for last: one row asks for one tool ten times over. */
  private last: { readonly workspace: string; readonly tool: string; readonly fields: ToolFields } | undefined;

  constructor(policies: readonly DescribedPolicy[]) {
    this.policies = policies;
  }

  /**
   * What is known of a tool: from each policy of the workspace its newest document that describes the tool. Where the newest document of a
   * policy cannot be read, nobody knows what it classifies: then everything is masked.
   */
  fieldsOf(workspace: string, tool: string): ToolFields {
    const { last } = this;
    if (last?.tool === tool && last.workspace === workspace) return last.fields;
    const fields = this.found(workspace, tool);
    this.last = { workspace, tool, fields };
    return fields;
  }

  private found(workspace: string, tool: string): ToolFields {
    const key = `${workspace}\0${tool}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const own = this.policies.filter((policy) => policy.workspace === workspace).map(({ versions }) => versions);
    const found = own.flatMap((versions) => versions.map((v) => (v ?? []).filter((d) => matches(d.tool, tool))).findLast((d) => d.length > 0) ?? []);
    const unknown: FieldRule[] = own.some((versions) => versions.at(-1) === undefined) ? [{ path: "", treatment: "mask" }] : [];
    const cosmetic = found.flatMap((d) => d.cosmetic);
    const fields: ToolFields = {
      rules: [...unknown, ...found.flatMap((d) => d.rules)],
      isCosmetic: (path) => cosmetic.some((c) => path === c || path.startsWith(`${c}/`)),
    };
    this.known.set(key, fields);
    return fields;
  }
}

function matches(name: string, tool: string): boolean {
  return isGlob(name) ? glob(name)(tool) !== false : name === tool;
}
