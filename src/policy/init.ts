import { Document, isMap, type YAMLMap } from "yaml";
import { CountersignError } from "../errors.ts";
import type { Json } from "../events/canonical.ts";
import { isGlob } from "./conditions/regex.ts";
import type { Annotations } from "./document/action-defaults.ts";
import { compileSchema } from "./document/json-schema.ts";
import { requiredNames } from "./document/schema-fields.ts";
import { isReserved } from "./publish-tool.ts";

/** A tool as an agent is offered it. */
export interface OfferedTool {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON Schema of its arguments. */
  readonly schema?: Json | undefined;
  readonly annotations?: Annotations | undefined;
}

/** Whose document it is. */
export interface Head {
  readonly policy: string;
  readonly workspace: string;
  readonly owner: string;
}

/** Arguments that a headline shows. */
const MOST_SHOWN = 3;
/** Columns of a comment. */
const COLUMNS = 110;

const PREFACE = ` A starting point that gates everything: each tool waits for a person, as something that cannot be undone.
 Trust is earned: say per action what is true of it (reversibility, execution, effects), then lower its risk, or let a grant
 lower it for what a backtest shows to be safe. A tool that is not described here waits for a person as well.`;

/**
 * A starting document for tools: every one of them is irreversible, high and has a hard gate, whatever its server says of it.
 *
 * @throws CountersignError file_invalid where a tool has a name that no catalogue can hold
 */
export function startingPolicy(tools: readonly OfferedTool[], { policy, workspace, owner }: Head): string {
  const notes = new Map<string, string>();
  const actions = Object.fromEntries(
    tools.map((tool) => {
      const wrong = misnamed(tool.name);
      if (wrong !== undefined)
        throw new CountersignError("file_invalid", `The tool ${JSON.stringify(tool.name)} ${wrong}`, {
          field: tool.name,
          fix: "leave it out, or give the tool another name",
        });
      const { usable, fault } = schemaOf(tool);
      notes.set(tool.name, [...(tool.description === undefined ? [] : wrapped(tool.description)), ...(fault === undefined ? [] : wrapped(fault))].join("\n"));
      return [tool.name, actionOf(tool, usable)];
    }),
  );
  const document = new Document({ policy, workspace, owner, mode: "enforce", actions }, { aliasDuplicateObjects: false });
  document.commentBefore = PREFACE;
  const entries = document.get("actions") as YAMLMap<{ value: string; commentBefore?: string; spaceBefore?: boolean }, YAMLMap>;
  for (const [i, { key, value }] of entries.items.entries()) {
    key.spaceBefore = i > 0;
    const note = notes.get(key.value);
    if (note !== undefined && note !== "") key.commentBefore = note;
    for (const part of value?.items ?? []) {
      const name = (part.key as { value: string }).value;
      if (isMap(part.value) && name !== "arguments") part.value.flow = true;
    }
    const decisions = value?.get("decisions", true) as { flow?: boolean } | undefined;
    if (decisions !== undefined) decisions.flow = true;
  }
  return document.toString({ lineWidth: 140 });
}

/** Why a catalogue cannot hold a tool of this name. */
function misnamed(name: string): string | undefined {
  if (isReserved(name)) return "is one of Countersign itself";
  if (isGlob(name)) return "would be read as a glob";
  return name === "__proto__" ? "has a name that no catalogue can hold" : undefined;
}

function actionOf({ name, annotations }: OfferedTool, schema: Json | undefined): object {
  return {
    ...(schema !== undefined && { arguments: schema }),
    reversibility: "irreversible",
    execution: "blind",
    ...(annotations !== undefined && { annotations }),
    risk: "high",
    gate: { kind: "hard" },
    card: { headline: headline(name, schema) },
    decisions: ["approve", "edit", "reject"],
    timeout: "PT30M",
  };
}

/** A schema that a policy can hold; undefined with the reason where it cannot. */
function schemaOf({ schema }: OfferedTool): { usable?: Json; fault?: string } {
  if (schema === undefined) return { fault: "It was offered without a schema: nothing of its arguments is checked." };
  try {
    compileSchema(schema);
    return { usable: schema };
  } catch (error) {
    return { fault: `Its schema is left out, because it cannot be used: ${(error as Error).message}` };
  }
}

/** The tool with its first arguments, the required ones before the others. */
function headline(name: string, schema: Json | undefined): string {
  const properties = typeof schema === "object" && schema !== null && !Array.isArray(schema) ? schema.properties : undefined;
  const known = typeof properties === "object" && properties !== null && !Array.isArray(properties) ? Object.keys(properties) : [];
  const required = requiredNames(schema);
  const shown = [...known.filter((key) => required.includes(key)), ...known.filter((key) => !required.includes(key))].filter((key) => /^[\w-]+$/.test(key));
  const slots = shown.slice(0, MOST_SHOWN).map((key) => `${key} {/${key}}`);
  return [name.replaceAll("{", "{{").replaceAll("}", "}}"), ...slots].join(", ").replace(", ", slots.length === 0 ? ", " : ": ");
}

/** A comment in lines; nothing in it can end it. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .split(/ +/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < COLUMNS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(` ${word}`);
  }
  return lines.slice(0, 6);
}
