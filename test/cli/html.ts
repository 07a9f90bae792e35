import { expect } from "vitest";

const VOID = new Set(["meta", "!doctype", "rect", "path", "line"]);

/** Makes sure that a page is well formed (every tag closed, every attribute quoted), runs no script and fetches nothing. */
export function checkPage(html: string): void {
  const open: string[] = [];
  const text = html.replace(/<style>[^<]*<\/style>/, "");
  for (const [tag, slash, name = "", rest = ""] of text.matchAll(/<(\/?)([a-zA-Z!][a-zA-Z0-9]*)([^<>]*)>/g)) {
    if (slash === "/") expect([tag, open.pop()]).toEqual([tag, name]);
    else if (!VOID.has(name.toLowerCase()) || !(rest.endsWith("/") || ["meta", "!doctype"].includes(name.toLowerCase()))) {
      if (!rest.endsWith("/")) open.push(name);
    }
    if (name.toLowerCase() !== "!doctype") expect(rest.replace(/\/$/, "").replace(/\s+[a-zA-Z-]+[0-9]?="[^"]*"/g, "")).toBe("");
  }
  expect(open).toEqual([]);
  // What is left of the brackets once all tags are gone would be markup that was not meant.
  expect(text.replace(/<\/?[a-zA-Z!][^<>]*>/g, "")).not.toMatch(/[<>]/);
  const tags = (text.match(/<[a-zA-Z!][^<>]*>/g) ?? []).join("\n");
  expect(tags).not.toMatch(/<(script|link|img|iframe|object|embed|base|form)\b|\son[a-z]+=|\s(src|srcset|style)=/i);
  expect(html).not.toMatch(/@import|url\(/i);
  expect(html).toContain("default-src 'none'");
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
}
