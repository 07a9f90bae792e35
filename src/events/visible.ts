/** Text of agents is untrusted: control, formatting and bidirectional characters would let it rewrite what a reader sees. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** What a reader cannot see, or cannot tell from a space, in any font. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]|(?! )\p{Zs}/gu;

/** Each of them has an escape of its own: as one sign for all, different texts would look the same. */
function escapedUnits(hidden: string): string {
  return hidden
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}

/** Text with escapes in the place of everything that steers a terminal or a browser. */
export function withoutHidden(text: string): string {
  return text.replace(HIDDEN, escapedUnits);
}

/** Text on one line without anything that steers a terminal. */
export function oneLine(text: string): string {
  return withoutHidden(text.replace(/[\r\n\t]+/g, " ")).trim();
}

/** A value as JSON that shows every character: two values that differ never read the same. */
export function exactJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent)
    .split("\n")
    .map((line) => line.replace(UNSEEN, escapedUnits))
    .join("\n");
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text for HTML and SVG, in content and in quoted attributes: nothing in it is markup. */
export function markup(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}

/** Text of untrusted origin, for HTML and SVG: nothing in it is markup, and nothing in it is invisible. */
export function esc(text: string | number): string {
  return markup(oneLine(String(text)));
}
