import type { Node, ParsedNode } from "yaml";
import { messageOf } from "../../errors.ts";
import { yaml } from "../../events/libraries.ts";
import type { Problem } from "../problems.ts";

/** Largest document, in UTF-16 units. */
const MAX_TEXT = 1024 * 1024;

/** A YAML text as a value, with the place of everything in it. */
export interface Source {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Line and column, from 1, of the key at a path, or of what encloses it. */
  place(path: readonly PropertyKey[]): { line: number; column: number };
}

/** Reads YAML 1.2 (and so JSON). Never throws: what is wrong comes back as problems. */
export function readYaml(text: string): Source {
  const nowhere = () => ({ line: 1, column: 1 });
  const failed = (message: string): Source => ({ value: undefined, problems: [{ path: [], message, line: 1, column: 1 }], place: nowhere });
  if (text.length > MAX_TEXT) return failed(`the document has ${text.length} characters, more than ${MAX_TEXT}`);
  const { isScalar, LineCounter, parseDocument, visit } = yaml();
  const lines = new LineCounter();
  try {
    const doc = parseDocument(text, { lineCounter: lines, version: "1.2", prettyErrors: false });
    const at = (offset: number) => {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    };
    const problems: Problem[] = [...doc.errors, ...doc.warnings].map((error) => ({ path: [], message: error.message, ...at(error.pos[0]) }));
    if (problems.length > 0) return { value: undefined, problems, place: nowhere };
    visit(doc, {
      Pair: (_, { key }) => {
        // An ordinary key in YAML 1.2. Inside a JSON Schema, where other keys pass as annotations, what was to be merged would silently be missing.
        if (isScalar(key) && key.value === "<<" && key.type === "PLAIN")
          problems.push({ path: [], message: "merge keys (<<) are not in YAML 1.2; write out what is to be merged", ...at(key.range?.[0] ?? 0) });
      },
      Scalar: (_, node) => {
        const { source, value } = node;
        // 12345678901234567890 would be compared as another number than the one that is written here.
        if (typeof value === "number" && source !== undefined && Number.isInteger(value) && !Number.isSafeInteger(value))
          problems.push({ path: [], message: `${source} is a number that does not survive; write it as a text`, ...at(node.range?.[0] ?? 0) });
        // Published documents are JSON, which would make null of it: another value than the one that is written here.
        if (typeof value === "number" && !Number.isFinite(value))
          problems.push({
            path: [],
            message: `${source ?? value} is no number that can be compared; write one that is finite, or a text in quotes`,
            ...at(node.range?.[0] ?? 0),
          });
      },
    });
    const value: unknown = doc.toJS();
    return { value, problems, place: (path) => at(offsetOf(doc.contents, path)) };
  } catch (error) {
    return failed(messageOf(error)); // nesting too deep for the parser, or aliases without end
  }
}

/**
 * The value of a document as it is published, which is JSON as `inlineFiles` writes it; undefined for any other text. The YAML parser gives the same
 * for it, and the places as well, but loading it takes longer than all else that has to be done with the documents in force.
 */
export function readPublished(text: string): unknown {
  if (!text.startsWith("{") || text.length > MAX_TEXT) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return writePublished(value) === text && isSafe(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A document's value as the text under which it is published. */
export function writePublished(value: unknown): string {
  return `${JSON.stringify(value ?? null, null, 2)}\n`;
}

function isSafe(value: unknown): boolean {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isSafe);
}

function offsetOf(root: ParsedNode | null, path: readonly PropertyKey[]): number {
  const { isAlias, isMap, isScalar, isSeq } = yaml();
  let node: Node | null | undefined = root;
  let offset = root?.range?.[0] ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === String(key));
      if (pair === undefined) return offset;
      offset = (pair.key as Node | null)?.range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = node.items[Number(key)] as Node | undefined;
      offset = node?.range?.[0] ?? offset;
    } else return offset;
    if (isAlias(node)) return offset; // the anchor may stand elsewhere: the place that uses it is the place to look at
  }
  return offset;
}
