import { type Json, pointer } from "../events/canonical.ts";

/** One operation of an RFC 6902 patch. */
export type PatchOperation = { readonly op: "add" | "replace"; readonly path: string; readonly value: Json } | { readonly op: "remove"; readonly path: string };

/** A field that an edit changed. */
export interface FieldChange {
  readonly actionId: string;
  readonly path: string;
  /** cosmetic: the catalogue says so of this field, or the two texts differ in white space or letter case only. */
  readonly kind: "material" | "cosmetic";
  /** Null where the field was added, or removed. */
  readonly before: Json;
  readonly after: Json;
}

/** The RFC 6902 patch that makes `after` of `before`. Applied in order; lists are compared place by place, so that paths stay comparable. */
export function patchOf(before: Json, after: Json, path = ""): PatchOperation[] {
  if (isObject(before) && isObject(after)) {
    const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
    const kept = Object.keys(after).flatMap((key) => {
      const at = pointer(path, key);
      return Object.hasOwn(before, key) ? patchOf(before[key] as Json, after[key] as Json, at) : [{ op: "add" as const, path: at, value: after[key] as Json }];
    });
    return [...removed.map((key) => ({ op: "remove" as const, path: pointer(path, key) })), ...kept];
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const shared = Math.min(before.length, after.length);
    const operations = before.slice(0, shared).flatMap((value, i) => patchOf(value, after[i] as Json, `${path}/${i}`));
    // From the end, so that the places before stay what they are.
    for (let i = before.length - 1; i >= shared; i--) operations.push({ op: "remove", path: `${path}/${i}` });
    for (let i = shared; i < after.length; i++) operations.push({ op: "add", path: `${path}/${i}`, value: after[i] as Json });
    return operations;
  }
  return same(before, after) ? [] : [{ op: "replace", path, value: after }];
}

/** The fields that a patch changes, with what stood there. `isCosmetic` answers for the paths of the action catalogue. */
export function changesOf(actionId: string, before: Json, operations: readonly PatchOperation[], isCosmetic: (path: string) => boolean): FieldChange[] {
  return operations.map((operation) => {
    const was = operation.op === "add" ? null : (at(before, operation.path) ?? null);
    const is = operation.op === "remove" ? null : operation.value;
    const cosmetic = isCosmetic(operation.path) || (typeof was === "string" && typeof is === "string" && folded(was) === folded(is));
    return { actionId, after: is, before: was, kind: cosmetic ? "cosmetic" : "material", path: operation.path };
  });
}

function folded(text: string): string {
  return text.normalize("NFKC").replace(/\s+/g, " ").trim().toLowerCase();
}

function at(value: Json, path: string): Json | undefined {
  let here: Json | undefined = value;
  for (const key of path.split("/").slice(1)) {
    if (typeof here !== "object" || here === null) return undefined;
    const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
    here = Array.isArray(here) ? here[Number(name)] : Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}

function same(a: Json, b: Json): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
