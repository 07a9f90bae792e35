import { CountersignError, messageOf } from "../errors.ts";
import { canonicalize } from "../events/canonical.ts";

/** The tools that an agent was offered. */
export interface Tools {
  /** The list as it was given, as canonical JSON. */
  readonly json: string;
  /** Names in the order given. */
  readonly names: readonly string[];
  /** JSON Schema of each tool's arguments, as canonical JSON; a tool without one is absent. */
  readonly schemas: ReadonlyMap<string, string>;
}

/**
 * Reads a tools file: a JSON array (or `{tools: […]}`) of tools in OpenAI function format, or of plain `{name, parameters}`.
 *
 * @throws CountersignError file_invalid
 */
export function readTools(text: string, file: string): Tools {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new CountersignError("file_invalid", `${file}: is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  return toolsOf(isObject(value) && value.tools !== undefined ? value.tools : value, file);
}

/** Tools from a parsed list. `at` says where it was read. @throws CountersignError file_invalid */
export function toolsOf(list: unknown, at: string): Tools {
  if (!Array.isArray(list)) throw bad(at, "tools must be a list", "");
  const schemas = new Map<string, string>();
  const names: string[] = [];
  for (const [i, entry] of list.entries()) {
    const tool = isObject(entry) && isObject(entry.function) ? entry.function : entry;
    if (!isObject(tool) || typeof tool.name !== "string" || tool.name === "") throw bad(at, `tool ${i + 1} has no name`, `/${i}/name`);
    if (names.includes(tool.name)) throw bad(at, `the tool ${tool.name} is described twice`, `/${i}/name`);
    names.push(tool.name);
    if (tool.parameters === undefined || tool.parameters === null) continue;
    if (!isObject(tool.parameters)) throw bad(at, `the parameters of ${tool.name} must be a JSON Schema object`, `/${i}/parameters`);
    schemas.set(tool.name, canonicalize(tool.parameters));
  }
  return { json: canonicalize(list), names, schemas };
}

function bad(at: string, what: string, field: string): CountersignError {
  const fix = 'give a list of {"type": "function", "function": {name, parameters}}, or of {name, parameters}';
  return new CountersignError("file_invalid", `${at}: ${what}`, { field, fix });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
