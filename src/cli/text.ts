import { exactJson, oneLine, withoutHidden } from "../events/visible.ts";

export { exactJson, oneLine };

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const MARK = /[\p{Mn}\p{Me}]/u;

/** Sentences one after the other, each with its full stop. */
export function sentences(texts: readonly string[]): string {
  return texts.map((text) => (/[.!?…]$/.test(text) ? text : `${text}.`)).join(" ");
}

/** Text without anything that steers a terminal; its lines stay. */
export function safeLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/).map((line) => withoutHidden(line.replaceAll("\t", "  ")));
}

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const c of text) width += c < "\u0300" ? 1 : MARK.test(c) ? 0 : WIDE.test(c) ? 2 : 1;
  return width;
}

/** Cuts to a number of columns, with … at the end of what is longer. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [out, width] = ["", 0];
  for (const c of text) {
    width += widthOf(c);
    if (width > columns - 1) break;
    out += c;
  }
  return `${out}…`;
}

/** Pads with spaces on the right. */
export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

/** Breaks one line into lines of at most so many columns, at spaces where there are any. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/ +/)) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) <= columns) {
      line += ` ${word}`;
      continue;
    }
    if (line !== "") lines.push(line);
    let rest = word;
    while (widthOf(rest) > columns) {
      const part = cutAt(rest, columns);
      lines.push(part);
      rest = rest.slice(part.length);
    }
    line = rest;
  }
  if (line !== "" || lines.length === 0) lines.push(line);
  return lines;
}

/** Breaks a line without changing it: put together again, the parts are the line. After a space where there is one, else anywhere. */
export function breakExact(text: string, first: number, others: number): string[] {
  const parts: string[] = [];
  let rest = text;
  for (let columns = first; widthOf(rest) > columns; columns = others) {
    const most = cutAt(rest, columns);
    const space = most.lastIndexOf(" ") + 1;
    const part = space > columns / 2 ? most.slice(0, space) : most;
    parts.push(part);
    rest = rest.slice(part.length);
  }
  return [...parts, rest];
}

function cutAt(text: string, columns: number): string {
  let [out, width] = ["", 0];
  for (const c of text) {
    width += widthOf(c);
    if (width > columns && out !== "") break;
    out += c;
  }
  return out;
}

/** Text of untrusted origin in lines, all behind the same indentation. */
export function block(text: string, columns: number, indent: number): string[] {
  const space = " ".repeat(indent);
  return wrap(oneLine(text), columns - indent).map((line) => space + line);
}

/** A duration in words of at most two units: 45 s, 9 min, 3 h 20 min, 2 d 4 h. */
export function span(ms: number): string {
  const s = Math.floor(Math.abs(ms) / 1000);
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`;
  return h % 24 === 0 ? `${Math.floor(h / 24)} d` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** What is left until a deadline. */
export function timeLeft(deadline: number | null, now: number): string {
  if (deadline === null) return "no deadline";
  return deadline >= now ? `${span(deadline - now)} left` : `overdue by ${span(now - deadline)}`;
}

/** A moment, for people: 2026-11-21 12:14:05 UTC. */
export function moment(at: number): string {
  if (!isTime(at)) return `${at} ms`;
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** 1 item, 2 items. */
export function plural(n: number, word: string, many = `${word}s`): string {
  return `${n} ${n === 1 ? word : many}`;
}

/** An id, shortened for people: enough to be given back to a command. */
export function shortId(itemId: string): string {
  return /^[0-9a-f]{32}$/.test(itemId) ? itemId.slice(0, 8) : itemId;
}

/** The time of day (UTC); a producer may write a moment that no calendar has. */
export function timeOfDay(at: number): string {
  return isTime(at) ? new Date(at).toISOString().slice(11, 19) : "--:--:--";
}

function isTime(at: number): boolean {
  return !Number.isNaN(new Date(at).getTime());
}
