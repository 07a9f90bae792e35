import { pointerKeys } from "../pointer.ts";
import { didYouMean, shown } from "../problems.ts";

/** A value in a template: {/path} or {/path|money}. */
export interface Slot {
  readonly pointer: string;
  readonly keys: readonly string[];
  readonly money: boolean;
}

/** A template, cut into plain text and slots. */
export type Template = readonly (string | Slot)[];

const FILTERS = ["money"];

/** Cuts a template. {{ and }} are braces. @throws Error with a sentence that says what is wrong */
export function parseTemplate(text: string): Template {
  const parts: (string | Slot)[] = [];
  let plain = "";
  for (let at = 0; at < text.length; at++) {
    const c = text[at] as string;
    if ((c === "{" || c === "}") && text[at + 1] === c) {
      plain += c;
      at++;
    } else if (c === "}") throw new Error(`has a } without its {; write }} for a brace: ${shown(text)}`);
    else if (c !== "{") plain += c;
    else {
      const end = text.indexOf("}", at);
      if (end < 0) throw new Error(`has a { without its }; write {{ for a brace: ${shown(text)}`);
      parts.push(plain, slot(text.slice(at + 1, end)));
      plain = "";
      at = end;
    }
  }
  return [...parts, plain].filter((part) => part !== "");
}

function slot(source: string): Slot {
  const bar = source.lastIndexOf("|");
  const pointer = (bar < 0 ? source : source.slice(0, bar)).trim();
  const filter = bar < 0 ? undefined : source.slice(bar + 1).trim();
  const keys = pointerKeys(pointer);
  if (keys === undefined || keys.length === 0)
    throw new Error(`needs a JSON Pointer such as {/amount}, not {${source}}${pointer === "" ? "" : `; did you mean {/${pointer}}?`}`);
  if (filter !== undefined && !FILTERS.includes(filter)) throw new Error(`knows no filter ${shown(filter)}${didYouMean(filter, FILTERS)}`);
  return { pointer, keys, money: filter === "money" };
}

/** The slots of a template. */
export function slotsOf(template: Template): Slot[] {
  return template.filter((part) => typeof part !== "string");
}
