import type { core, ZodType } from "zod";
import { type Json, sha256 } from "../../events/canonical.ts";
import { type Problem, policyInvalid, shown } from "../problems.ts";
import { checkContent } from "./check.ts";
import { type PolicyContent, policyShape, settled } from "./shape.ts";
import { readPublished, readYaml, type Source } from "./yaml.ts";

/** A policy document that has been checked. Durations are in milliseconds. */
export interface PolicyDocument {
  readonly id: string;
  readonly workspace: string;
  /** As the document names it, else the first 12 hex digits of `sha256`. */
  readonly version: string;
  /** Over the text. */
  readonly sha256: string;
  /** Name of the file, for messages. */
  readonly file: string;
  readonly content: PolicyContent;
  /** The value that was read, before defaults and units. */
  readonly written: Json;
}

/**
 * Reads a policy document (YAML 1.2, so JSON too) and checks all of it.
 *
 * @throws CountersignError policy_invalid: one error for all problems, each with file:line:column, what is wrong, the value and a suggestion
 */
export function parsePolicy(text: string, options: { file?: string } = {}): PolicyDocument {
  const file = options.file ?? "policy";
  const { document, problems } = checkPolicy(text, { file });
  if (document === undefined) throw policyInvalid(file, problems);
  return document;
}

/** The same without throwing: the document, or what is wrong with it. */
export function checkPolicy(text: string, options: { file?: string } = {}): { document?: PolicyDocument; problems: readonly Problem[] } {
  const file = options.file ?? "policy";
  const published = readPublished(text);
  if (published !== undefined) {
    const { document } = checkValue(published, { file, sha256: sha256(text) });
    if (document !== undefined) return { document, problems: [] };
  }
  const source = readYaml(text);
  if (source.problems.length > 0) return { problems: source.problems };
  const { document, problems } = checkValue(source.value, { file, sha256: sha256(text) });
  return document === undefined ? { problems: placed(problems, source) } : { document, problems };
}

/** The same for a document that is a value already: its problems have a path and no place. */
export function checkValue(value: unknown, from: { file: string; sha256: string }): { document?: PolicyDocument; problems: readonly Problem[] } {
  const { data: written, problems } = readShape(policyShape, value);
  const content = written && settled(written);
  const found = content === undefined || written === undefined ? problems : checkContent(content, written);
  if (content === undefined || found.length > 0) return { problems: found };
  return {
    document: {
      id: content.policy,
      workspace: content.workspace,
      version: content.version ?? from.sha256.slice(0, 12),
      ...from,
      content,
      written: value as Json,
    },
    problems: [],
  };
}

/** A value as a shape reads it, or what is wrong with it, in the words of this project. */
export function readShape<T>(shape: ZodType<T>, value: unknown): { data?: T; problems: readonly Problem[] } {
  const parsed = shape.safeParse(value);
  return parsed.success ? { data: parsed.data, problems: [] } : { problems: parsed.error.issues.flatMap((issue) => problemsOf(issue, value)) };
}

/** Problems with their places. The same problem twice in one place is one (an alias, or two checks that agree). */
export function placed(problems: readonly Problem[], source: Source): Problem[] {
  const out = new Map<string, Problem>();
  for (const problem of problems) {
    const place = source.place(problem.path);
    out.set(`${place.line}:${place.column}:${problem.message}`, { ...problem, ...place });
  }
  return [...out.values()];
}

function problemsOf(issue: core.$ZodIssue, root: unknown): Problem[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    const messages = issue.message.split("\n");
    return issue.keys.map((key, i) => ({ path: [...path, key], message: messages[i] ?? issue.message }));
  }
  if (issue.code === "invalid_key") return issue.issues.map((inner) => ({ path, message: `the key ${inner.message}` }));
  const value = path.reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined), root);
  if (issue.code === "custom") return [{ path, message: issue.message }];
  if (value === undefined) return [{ path, message: "is missing" }];
  return [{ path, message: `${wording(issue)}, not ${shown(value)}` }];
}

function wording(issue: core.$ZodIssue): string {
  if (issue.code === "invalid_type") return issue.message.startsWith("must") ? issue.message.replace(/, not .*$/s, "") : `must be ${article(issue.expected)}`;
  if (issue.code === "invalid_value") return `must be ${issue.values.map(String).join(" or ")}`;
  if (issue.code === "too_small") return "must not be empty";
  return issue.message;
}

function article(expected: string): string {
  return (
    ({ array: "a list", record: "a set of keys", boolean: "true or false", string: "a text", number: "a number" } as Record<string, string>)[expected] ??
    expected
  );
}
