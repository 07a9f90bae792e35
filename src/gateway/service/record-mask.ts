import { canonicalize, type Json } from "../../events/canonical.ts";
import type { Classified } from "../../policy/catalogue.ts";
import { pointerKeys, valueAt } from "../../policy/pointer.ts";

/** Shortest value of a classified argument that is looked for in the rest of a record: shorter ones are ordinary words. */
const SHORTEST_KNOWN = 4;

/** Keys of a record whose texts are ids, hashes and words of ours: a hidden value that happens to be one of them must not break them. */
const OURS = new Set(
  "itemId eventId topic what status kind stage outcome execution review progress route risk gate reversibility channel severity class profile argsSha256 cardSha256 sha256 resultSha256 effectKey op code changed answers judges grant receipt verdict scope ask".split(
    " ",
  ),
);

/** Keys under which agents' and executors' own JSON lies: any name in it may be one of ours, and is theirs. */
const THEIRS = new Set(["args", "result", "state", "before", "after", "value"]);

/** Hides classified arguments in one record: the same value is the same `[personal 1]` wherever it stands, so that a reader still sees what changed. */
export interface RecordMask {
  /** The arguments of a tool without what is classified. */
  args(tool: string, value: Json): Json;
  /** Whether something of these arguments is hidden: their hash would let a guess be tested. */
  hides(tool: string, value: Json): boolean;
  /** Anything else, once all arguments have been seen: the hidden values in every text of it. */
  rest<T>(value: T): T;
}

/** Hides nothing. */
export const NO_MASK: RecordMask = { args: (_tool, value) => value, hides: () => false, rest: (value) => value };

/** A mask over what policies classify. */
export function recordMask(classified: (tool: string) => readonly Classified[]): RecordMask {
  const names = new Map<string, string>();
  const counts = { secret: 0, personal: 0 };
  const known = new Map<string, string>();

  function nameOf(value: Json, kind: Classified["class"]): string {
    const key = `${kind} ${canonicalize(value)}`;
    const name = names.get(key) ?? `[${kind} ${++counts[kind]}]`;
    names.set(key, name);
    learn(value, name);
    return name;
  }

  function learn(value: Json, name: string): void {
    if (typeof value === "string" || typeof value === "number") {
      const text = String(value);
      if (text.length >= SHORTEST_KNOWN && !known.has(text)) known.set(text, name);
    } else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) learn(part, name);
  }

  function text(given: string): string {
    let out = given;
    // The longest first: an address holds the name that stands in another field.
    for (const [value, name] of [...known].sort(([a], [b]) => b.length - a.length)) if (out.includes(value)) out = out.replaceAll(value, name);
    return out;
  }

  function rest(value: unknown, key: string, theirs: boolean): unknown {
    if (typeof value === "string") return !theirs && OURS.has(key) ? value : text(value);
    if (typeof value === "number") return theirs ? (known.get(String(value)) ?? value) : value;
    if (Array.isArray(value)) return value.map((part) => rest(part, key, theirs));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [theirs ? text(name) : name, rest(part, name, theirs || THEIRS.has(name))]));
  }

  return {
    args: (tool, value) =>
      classified(tool).reduce((document, { path, class: kind }) => replaced(document, pointerKeys(path) ?? [], (found) => nameOf(found, kind)), value),
    hides: (tool, value) => classified(tool).some(({ path }) => valueAt(value, pointerKeys(path) ?? []) !== undefined),
    rest: (value) => rest(value, "", false) as typeof value,
  };
}

/** A copy in which the value at a path is another one. What is not there stays away. */
function replaced(value: Json, keys: readonly string[], by: (found: Json) => Json): Json {
  const [key, ...others] = keys;
  if (key === undefined) return by(value);
  if (typeof value !== "object" || value === null || valueAt(value, [key]) === undefined) return value;
  if (Array.isArray(value)) return value.map((part, i) => (String(i) === key ? replaced(part, others, by) : part));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, name === key ? replaced(part, others, by) : part]));
}
