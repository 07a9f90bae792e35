import { hash } from "node:crypto";
import canonicalizeModule from "canonicalize";
import { CountersignError } from "../errors.ts";
import { sorted } from "./sorted.ts";

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

// The package is typed as a CommonJS default.
const canonicalizeValue = canonicalizeModule as unknown as (value: unknown) => string | undefined;

/** Most levels of nesting in arguments and results. */
export const MAX_DEPTH = 64;

/** SHA-256 as 64 hex digits, over the UTF-8 bytes of a string or over bytes. */
export function sha256(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** RFC 8785 text of a JSON value. */
export function canonicalize(value: unknown): string {
  const ordered = sorted(value);
  const text = ordered === undefined ? canonicalizeValue(value) : JSON.stringify(ordered);
  if (text === undefined) throw new CountersignError("json_syntax", "The value has no JSON form");
  return text;
}

/**
 * Parses JSON so that one text can mean only one value: refuses duplicate keys, numbers that a double cannot hold exactly as written,
 * lone surrogates, nesting beyond MAX_DEPTH and texts over `maxBytes`. JSON.parse alone lets two different amounts share one hash.
 *
 * @throws CountersignError json_syntax, json_duplicate_key, json_number_lossy, json_lone_surrogate, json_too_deep, json_too_large; `field` is a JSON Pointer
 */
export function parseStrict(text: string, options: { maxBytes?: number; name?: string } = {}): Json {
  const name = options.name ?? "JSON";
  // Where a caller names a place in a body, that is the field; else it is the whole.
  const field = name.startsWith("/") ? name : "";
  if (options.maxBytes !== undefined && Buffer.byteLength(text) > options.maxBytes)
    throw new CountersignError("json_too_large", `${name} has ${Buffer.byteLength(text)} bytes, more than ${options.maxBytes}`, {
      field,
      fix: "keep large content elsewhere and pass a reference to it",
    });
  checkDepth(text, name);
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CountersignError("json_syntax", `${name} is not valid JSON: ${(cause as Error).message}`, {
      cause,
      field,
      fix: "send one JSON value: keys and texts in double quotes, no comma after the last entry, no comments",
    });
  }
  if (!isWrittenAsRead(text, value)) new Scan(text, name).value("");
  return value;
}

/**
 * Whether a text that is not nested too deep is what JavaScript would write of its value. Then each key stands once and each number as it is
 * read; half of a surrogate pair would be written as an escape, so that texts with escapes are left to the scan. Most texts in a ledger are so.
 */
function isWrittenAsRead(text: string, value: Json): boolean {
  return !text.includes("\\u") && JSON.stringify(value) === text;
}

/** RFC 8785 text of a JSON text after a strict parse. @throws as parseStrict */
export function canonicalText(text: string, options: { maxBytes?: number; name?: string } = {}): string {
  const canonical = canonicalize(parseStrict(text, options));
  if (canonical.length <= LONGEST_KNOWN) {
    if (known.size >= MOST_KNOWN) known.clear();
    known.add(canonical);
  }
  return canonical;
}

/** Canonical texts of late: in one process the same arguments are made canonical when they come in, and looked at again when they are judged. */
const known = new Set<string>();
const MOST_KNOWN = 1000;
const LONGEST_KNOWN = 4096;

/** Whether a JSON text is in its RFC 8785 form. @throws as parseStrict */
export function isCanonical(text: string, options: { maxBytes?: number; name?: string } = {}): boolean {
  const small = options.maxBytes === undefined || 3 * text.length <= options.maxBytes;
  return (small && known.has(text)) || canonicalText(text, options) === text;
}

/** Canonical text and hash of arguments that arrive as a value. Refuses what JSON cannot carry. @throws as parseStrict */
export function canonicalArgs(value: unknown, options: { maxBytes?: number; name?: string } = {}): { args: string; argsSha256: string } {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new CountersignError("json_syntax", `${options.name ?? "value"} cannot be written as JSON: ${(cause as Error).message}`, { cause });
  }
  if (text === undefined) throw new CountersignError("json_syntax", `${options.name ?? "value"} has no JSON form`);
  const args = canonicalText(text, options);
  return { args, argsSha256: sha256(args) };
}

/** Runs before JSON.parse, whose recursion a deep text would exhaust. */
function checkDepth(text: string, name: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > MAX_DEPTH)
        throw new CountersignError("json_too_deep", `${name} is nested deeper than ${MAX_DEPTH} levels`, {
          field: name.startsWith("/") ? name : "",
          fix: "send it flatter, or what lies deep as a text",
        });
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
}

/** Walks a text that JSON.parse has accepted, so syntax needs no second check. */
class Scan {
  private at = 0;
  private readonly text: string;
  private readonly name: string;
  constructor(text: string, name: string) {
    this.text = text;
    this.name = name;
  }

  value(path: string): void {
    this.space();
    const c = this.text[this.at];
    if (c === "{") this.object(path);
    else if (c === "[") this.array(path);
    else if (c === '"') this.string(path);
    else if (c === "t" || c === "n") this.at += 4;
    else if (c === "f") this.at += 5;
    else this.number(path);
    this.space();
  }

  private object(path: string): void {
    const keys = new Set<string>();
    this.at++;
    this.space();
    while (this.text[this.at] !== "}") {
      const key = this.string(path);
      if (keys.has(key))
        throw new CountersignError("json_duplicate_key", `${this.name} has the key ${JSON.stringify(key)} twice`, {
          field: pointer(path, key),
          fix: "send each key once",
        });
      keys.add(key);
      this.space();
      this.at++; // colon
      this.value(pointer(path, key));
      if (this.text[this.at] === ",") this.at++;
      this.space();
    }
    this.at++;
  }

  private array(path: string): void {
    this.at++;
    this.space();
    for (let index = 0; this.text[this.at] !== "]"; index++) {
      this.value(`${path}/${index}`);
      if (this.text[this.at] === ",") this.at++;
    }
    this.at++;
  }

  private string(path: string): string {
    const start = this.at++;
    let escaped = false;
    for (; this.text[this.at] !== '"'; this.at++) {
      if (this.text[this.at] === "\\") {
        escaped = true;
        this.at++;
      }
    }
    this.at++;
    const raw = this.text.slice(start, this.at);
    const value = escaped ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (!value.isWellFormed())
      throw new CountersignError("json_lone_surrogate", `${this.name} holds half of a surrogate pair`, { field: path, fix: "send valid Unicode text" });
    return value;
  }

  private number(path: string): void {
    const start = this.at;
    while (this.at < this.text.length && /[-+.eE0-9]/.test(this.text[this.at] as string)) this.at++;
    const source = this.text.slice(start, this.at);
    const value = Number(source);
    if (String(value) === source) return;
    if (!Number.isFinite(value) || decimal(source) !== decimal(String(value)))
      throw new CountersignError("json_number_lossy", `${this.name} holds ${source}, which does not survive as a JSON number (it would become ${value})`, {
        field: path,
        fix: "send it as a string",
      });
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }
}

/** The one form of a decimal number: its digits without outer zeros, and the exponent of the last. */
function decimal(source: string): string {
  const [, sign, whole = "", fraction = "", exponent = "0"] = /^(-?)(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return "0";
  return `${sign}${kept}e${Number(exponent) - fraction.length + (digits.length - kept.length)}`;
}

/** A JSON Pointer (RFC 6901) extended by one key. */
export function pointer(path: string, key: string): string {
  return `${path}/${/[~/]/.test(key) ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key}`;
}
