import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { CountersignError, messageOf } from "../errors.ts";
import { type Json, parseStrict } from "../events/canonical.ts";
import { durationMs, MAX_DURATION } from "../policy/duration.ts";
import type { Io } from "./io.ts";

/** JSON from the command line: as it is, `@FILE`, or `-` for stdin. @throws CountersignError usage, json_* */
export async function jsonArgument(io: Io, text: string, name: string): Promise<Json> {
  const json = await textArgument(io, text, name);
  try {
    return parseStrict(json, { name });
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const { code, message, cause, field = "", fix } = error;
    throw new CountersignError(code, message, { cause, field: field === "" ? name : `${name} ${field}`, ...(fix !== undefined && { fix }) });
  }
}

/** Text from the command line: as it is, `@FILE`, or `-` for stdin. @throws CountersignError usage */
export async function textArgument(io: Io, text: string, name: string): Promise<string> {
  if (text === "-") {
    let out = "";
    for await (const chunk of io.stdin) out += String(chunk);
    return out;
  }
  return text.startsWith("@") ? fileText(text.slice(1), name) : text;
}

/** A file that the user named. @throws CountersignError usage */
export function fileText(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CountersignError("usage", `${name} ${path} cannot be read: ${fileFault(cause)}`, { cause, field: name, fix: "check the path" });
  }
}

/** What keeps a file from being read, without the name of the file once more. */
function fileFault(cause: unknown): string {
  const known: Readonly<Record<string, string>> = { ENOENT: "there is no such file", EISDIR: "it is a folder", EACCES: "it may not be read" };
  return known[String((cause as { code?: unknown }).code)] ?? messageOf(cause);
}

/** The same as an object. @throws CountersignError usage */
export async function objectArgument(io: Io, text: string, name: string): Promise<{ [key: string]: Json }> {
  const value = await jsonArgument(io, text, name);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CountersignError("usage", `${name} must be a JSON object, but it is ${text.slice(0, 60)}`, {
      field: name,
      fix: `write it as ${name} '{"name": "value"}'`,
    });
  return value;
}

/** `system:id`, where the id may hold colons; an http URL after a space is its url. @throws InvalidArgumentError */
export function refArgument(text: string): { system: string; id: string; url?: string } {
  const [ref = "", url] = text.split(/ +(?=https?:\/\/)/);
  const at = ref.indexOf(":");
  if (at < 1 || at === ref.length - 1) throw new InvalidArgumentError("It must be SYSTEM:ID, such as crm:acct-17.");
  return { system: ref.slice(0, at), id: ref.slice(at + 1), ...(url !== undefined && { url }) };
}

/** A whole number in a range. */
export function intArgument(least: number, most: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (!/^\d+$/.test(text) || n < least || n > most) throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return n;
  };
}

/** One more of an option that may be repeated; commas separate as well. */
export function listArgument(text: string, before: readonly string[] | undefined): string[] {
  return [
    ...(before ?? []),
    ...text
      .split(",")
      .map((s) => s.trim())
      .filter((s) => s !== ""),
  ];
}

/** One more of an option that may be repeated, as it is. */
export function moreArgument(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** Help text with examples under it. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ countersign ${line}`).join("\n")}`;
}

/** Milliseconds of an ISO 8601 duration such as PT1H or P1D. */
export function durationArgument(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms <= 0 || ms > MAX_DURATION)
    throw new InvalidArgumentError("It must be an ISO 8601 duration of at most a year, such as PT30M, PT2H or P1D.");
  return ms;
}

/** Milliseconds since the epoch of an ISO 8601 date or instant; undefined where the text is neither. */
export function instantMs(text: string): number | undefined {
  const [date] = /^\d{4}-\d{2}-\d{2}/.exec(text) ?? [];
  // Date.parse takes February 31 for March 3.
  if (date === undefined || new Date(`${date}T00:00:00Z`).toJSON()?.startsWith(date) !== true) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
