import { dirname, isAbsolute, join, normalize } from "node:path/posix";
import { CountersignError, messageOf } from "../../errors.ts";
import { type Json, parseStrict, sha256 } from "../../events/canonical.ts";
import { type Problem, policyInvalid, shown } from "../problems.ts";
import { parsePolicy } from "./document.ts";
import { compileSchema } from "./json-schema.ts";
import { readYaml, writePublished } from "./yaml.ts";

/** Reads a file named in a document; the path is already relative to where the document lies. Throws when it cannot. */
export type ReadFile = (path: string) => string;

/** What `PolicyPublished` carries. */
export interface Publishable {
  readonly policyId: string;
  readonly workspace: string;
  readonly version: string;
  /** JSON (which is YAML 1.2) with every file inlined. */
  readonly document: string;
  readonly sha256: string;
}

/**
 * The text under which a document is published: JSON in the order of the document, schema files inlined, comments gone. The same
 * content gives the same bytes, so a change of comments or layout publishes nothing.
 *
 * @throws CountersignError policy_invalid when the text is no YAML or a file cannot be read
 */
export function inlineFiles(text: string, file: string, readFile: ReadFile): string {
  const source = readYaml(text);
  if (source.problems.length > 0) throw policyInvalid(file, source.problems);
  const problems: Problem[] = [];
  const root = source.value;
  if (isObject(root) && isObject(root.actions))
    for (const [name, action] of Object.entries(root.actions)) {
      if (!isObject(action) || typeof action.arguments !== "string") continue;
      const path = ["actions", name, "arguments"];
      try {
        action.arguments = schemaFile(besides(file, action.arguments), readFile);
      } catch (error) {
        problems.push({ path, message: `${shown(action.arguments)} cannot be used: ${messageOf(error)}`, ...source.place(path) });
      }
    }
  if (problems.length > 0) throw policyInvalid(file, problems);
  return writePublished(root);
}

/** Whoever writes a policy reads no other files with it: what is inlined is published, and what is no JSON is quoted in errors. */
function besides(file: string, name: string): string {
  const inside = normalize(name.replaceAll("\\", "/"));
  if (isAbsolute(inside) || /^[a-z]:/i.test(inside) || inside === ".." || inside.startsWith("../"))
    throw new Error("a schema file lies in the folder of the document, or below it");
  return join(dirname(file.replaceAll("\\", "/")), inside);
}

function schemaFile(path: string, readFile: ReadFile): Json {
  const text = readFile(path);
  let schema: Json;
  try {
    schema = parseStrict(text, { name: "it", maxBytes: 256 * 1024 });
  } catch (error) {
    // The parser quotes what it read: that is for nobody who only sees the message.
    throw error instanceof CountersignError && error.code === "json_syntax" ? new Error("it is not valid JSON") : error;
  }
  compileSchema(schema);
  return schema;
}

/**
 * A document ready to be published. It is checked as it is written first, so that places in messages are those of the file.
 *
 * @throws CountersignError policy_invalid
 */
export function publishable(text: string, file: string, readFile: ReadFile): Publishable {
  parsePolicy(text, { file });
  const document = inlineFiles(text, file, readFile);
  const { id, workspace, version } = parsePolicy(document, { file: `${file} (with its files)` });
  return { policyId: id, workspace, version, document, sha256: sha256(document) };
}

function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
