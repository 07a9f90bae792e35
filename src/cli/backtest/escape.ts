import { oneLine } from "../text.ts";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text of untrusted origin, for HTML and SVG, in content and in quoted attributes: nothing in it is markup, and nothing in it is invisible. */
export function esc(text: string | number): string {
  return oneLine(String(text)).replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}
