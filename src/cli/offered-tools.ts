import { basename } from "node:path";
import { CountersignError } from "../errors.ts";
import type { Json } from "../events/canonical.ts";
import type { Annotations } from "../policy/document/action-defaults.ts";
import type { OfferedTool } from "../policy/init.ts";
import { toolsOf } from "../producers/tools.ts";
import { callsOf } from "../producers/transcript-calls.ts";
import { readTranscripts } from "../producers/transcripts.ts";
import { fileText } from "./args.ts";

type Entry = { readonly [key: string]: unknown };

const HINTS = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] as const;

/**
 * The tools of a file: OpenAI tools, the answer of an MCP server to `tools/list`, or recorded runs, of which the tools that were called are taken.
 *
 * @throws CountersignError usage, file_invalid
 */
export function offeredIn(file: string): OfferedTool[] {
  const text = fileText(file, "the tools");
  const value = jsonOf(text);
  const list = value === undefined ? undefined : listOf(value);
  if (list === undefined) return calledIn(text, file);
  const entries = list.map((entry): unknown => (isEntry(entry) && isEntry(entry.function) ? entry.function : entry));
  // An MCP server calls the schema inputSchema; the same checks hold for both.
  const named = entries.map((entry) => (isEntry(entry) && entry.inputSchema !== undefined ? { ...entry, parameters: entry.inputSchema } : entry));
  const { names, schemas } = toolsOf(named, basename(file));
  if (names.length === 0) throw new CountersignError("file_invalid", `${file} names no tool`, { field: file, fix: "give a list with at least one tool" });
  return names.map((name, i) => {
    const { description, annotations, parameters } = named[i] as Entry;
    return {
      name,
      description: typeof description === "string" ? description : undefined,
      // As it was written: its order is for people.
      schema: schemas.has(name) ? (parameters as Json) : undefined,
      annotations: isEntry(annotations) ? hintsOf(annotations) : undefined,
    };
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}

/** A list of tools, bare or as an answer holds it; undefined where the file holds something else. */
function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value))
    return value.some((entry) => isEntry(entry) && (typeof entry.name === "string" || isEntry(entry.function))) || value.length === 0 ? value : undefined;
  if (!isEntry(value)) return undefined;
  if (Array.isArray(value.tools)) return value.tools;
  return isEntry(value.result) && Array.isArray(value.result.tools) ? value.result.tools : undefined;
}

function hintsOf(annotations: Entry): Annotations | undefined {
  const known = HINTS.flatMap((hint) => (typeof annotations[hint] === "boolean" ? [[hint, annotations[hint]]] : []));
  return known.length === 0 ? undefined : (Object.fromEntries(known) as Annotations);
}

/** The tools that recorded runs called, by name. */
function calledIn(text: string, file: string): OfferedTool[] {
  const names = new Set(readTranscripts(text, { file: basename(file) }).flatMap((run) => callsOf(run).calls.map(({ tool }) => tool)));
  if (names.size === 0)
    throw new CountersignError("file_invalid", `${file} holds no call of a tool`, { field: file, fix: "give the tools themselves, or runs that call some" });
  return [...names].sort().map((name) => ({ name }));
}

/** The schemas of another file, for tools of which only the names are known. @throws CountersignError usage, file_invalid */
export function withSchemas(tools: readonly OfferedTool[], file: string): OfferedTool[] {
  const known = new Map(offeredIn(file).map(({ name, schema }) => [name, schema]));
  return tools.map((tool) => ({ ...tool, schema: tool.schema ?? known.get(tool.name) }));
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
