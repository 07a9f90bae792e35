import { RE2JS } from "re2js";
import { type Find, regex } from "../../events/regex.ts";

export type { Find } from "../../events/regex.ts";
export { MAX_REGEX_STEPS, MAX_REGEX_TEXT, regex, type Steps, take } from "../../events/regex.ts";

/** A glob over a whole text: * is any run of characters, ? is one. */
export function glob(pattern: string): Find {
  const source = [...pattern].map((c) => (c === "*" ? "[\\s\\S]*" : c === "?" ? "[\\s\\S]" : RE2JS.quote(c))).join("");
  return regex(`\\A(?:${source})\\z`);
}

/** Whether a name is a glob. */
export function isGlob(name: string): boolean {
  return /[*?]/.test(name);
}
