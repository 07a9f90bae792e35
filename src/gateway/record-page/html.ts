import { esc, exactJson, markup } from "../../events/visible.ts";

/** A piece of HTML that is safe as it stands. */
export type Html = string & { readonly html: true };

/** HTML of our own words. */
export const raw = (html: string): Html => html as Html;

/** Anything as text: nothing in it is markup or invisible. */
export const text = (value: string | number | null): Html => raw(value === null ? "–" : esc(value));

/** An id, a hash or a pointer, which may break anywhere. */
export const code = (value: string | null): Html => raw(value === null ? "–" : `<code>${esc(value)}</code>`);

/** Several pieces, one after the other; nothing of what is null. */
export const join = (parts: readonly (Html | null)[], between = ""): Html => raw(parts.filter((part) => part !== null).join(between));

/** A JSON value with every character visible, on lines of its own where it is an object. */
export function json(value: unknown): Html {
  return raw(value === undefined ? "–" : `<code class="json">${markup(exactJson(value, 2))}</code>`);
}

/** The address of a record in another system, as a link only where a browser opens a page with it. */
export function link(url: string | null): Html | null {
  if (url === null) return null;
  return raw(/^https?:\/\//i.test(url) ? `<a href="${esc(url)}" rel="noreferrer noopener">${esc(url)}</a>` : esc(url));
}

/** A record in another system. */
export function refHtml(ref: { readonly system: string; readonly id: string; readonly url: string | null } | null): Html | null {
  return ref === null ? null : join([text(`${ref.system} ${ref.id}`), link(ref.url)], " ");
}

/** A moment (UTC). A producer may write one that no calendar has. */
export function moment(at: number | null): Html {
  if (at === null) return raw("–");
  const date = new Date(at);
  return Number.isNaN(date.getTime())
    ? text(`${at} ms`)
    : raw(
        `<time>${date
          .toISOString()
          .replace("T", " ")
          .replace("Z", "")
          .replace(/\.000$/, "")}</time>`,
      );
}

/** Names and values, those that are null left out. */
export function facts(pairs: readonly (readonly [string, Html | null])[]): Html {
  const rows = pairs.flatMap(([name, value]) => (value === null || value === "" ? [] : [`<div><dt>${esc(name)}</dt><dd>${value}</dd></div>`]));
  return raw(rows.length === 0 ? "" : `<dl>${rows.join("")}</dl>`);
}

/** A table whose head is repeated on every printed page. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly (Html | null)[])[],
  of: { readonly name?: string; readonly dim?: readonly boolean[] } = {},
): Html {
  const head = heads.map((name) => `<th scope="col">${esc(name)}</th>`).join("");
  const body = rows.map((cells, i) => `<tr${of.dim?.[i] ? ' class="dim"' : ""}>${cells.map((cell) => `<td>${cell ?? ""}</td>`).join("")}</tr>`);
  return raw(`<div class="wide"><table class="${of.name ?? "plain"}"><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`);
}

/** A section with its title; nothing where there is no content. */
export function section(title: string, ...content: readonly (Html | null)[]): Html {
  const inside = join(content, "\n");
  return raw(inside === "" ? "" : `<section>\n<h2>${esc(title)}</h2>\n${inside}\n</section>\n`);
}
