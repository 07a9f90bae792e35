import { DateTime } from "luxon";
import type { Message, Notice } from "./notice.ts";

/** What a message says, in plain text: each channel escapes it in its own way. */
export interface Words {
  readonly subject: string;
  readonly lines: readonly Line[];
}

/** One thing that waits. */
export interface Line {
  readonly text: string;
  /** Where it is decided; null where there is nothing to open. */
  readonly url: string | null;
}

/** Names as they are made by programs. Whatever else a tool or an agent calls itself may hold anything, a customer's name or a link too. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;

/** Most notices that one message lists. */
export const MOST_LISTED = 20;

/** A name that may be shown, or what stands for it. */
export function plainName(name: string, otherwise: string): string {
  return PLAIN.test(name) ? name : otherwise;
}

/** What a message says. `link` is the address of the console. */
export function wordsOf({ action, notices, zone }: Pick<Message, "action" | "notices" | "zone">, link: string): Words {
  const [first] = notices as [Notice];
  const listed = notices.slice(0, MOST_LISTED).map((notice) => ({ text: lineOf(notice, zone), url: urlOf(notice, link) }));
  const more = notices.length - listed.length;
  const lines = more > 0 ? [...listed, { text: `and ${more} more`, url: `${link}/queue` }] : listed;
  if (action === "resolve") return { subject: `Decided: ${headOf(first)}`, lines };
  if (notices.length === 1) return { subject: headOf(first), lines };
  return { subject: `${notices.length} things wait for ${ownerName(first.owner)}`, lines };
}

/** Where a notice is decided. */
export function urlOf({ batchId, items }: Notice, link: string): string | null {
  if (batchId !== null) return `${link}/batches/${encodeURIComponent(batchId)}`;
  return items[0] === undefined ? null : `${link}/items/${encodeURIComponent(items[0])}`;
}

/** An owner without its prefix. */
export function ownerName(owner: string | null): string {
  return owner === null ? "nobody" : plainName(owner.replace(/^(?:role|person):/, ""), "its owner");
}

function headOf(notice: Notice): string {
  const { kind, risk, items } = notice;
  if (kind === "test") return "Countersign: a test notice";
  const what = toolsOf(notice);
  const tier = risk === null ? "" : ` (${risk} risk)`;
  if (kind === "batch" && items.length === 1) return `1 of ${what} waits for ${ownerName(notice.owner)}, in its batch`;
  if (kind === "batch") return `${items.length} of ${what} wait together for ${ownerName(notice.owner)}`;
  if (kind === "doubt") return `Nobody knows how ${what} ended: ${ownerName(notice.owner)} settles it`;
  if (kind === "unstarted") return `No executor has started what clears up or undoes ${what}: ${ownerName(notice.owner)} sees to it`;
  if (kind === "held") return `The time for ${what} is over; it is held for ${ownerName(notice.owner)}${tier}`;
  const escalated = notice.step > 0 ? `Escalated, step ${notice.step}: ` : "";
  const wait = new Set(notice.tools).size > 1 ? "wait" : "waits";
  return `${escalated}${what} ${wait} for ${kind === "review" ? "the review of " : ""}${ownerName(notice.owner)}${tier}`;
}

function lineOf(notice: Notice, zone: string): string {
  const { kind, agent, deadline, items, batchId, workspace } = notice;
  if (kind === "test") return "This channel works. Nothing waits, and nothing has to be done.";
  const by = agent === null ? "" : ` · by ${plainName(agent, "an agent")}`;
  const until = deadline === null ? "" : ` · until ${momentIn(deadline, zone)}`;
  // As `batch show` and `show` take them.
  const item = batchId === null ? ` · item ${(items[0] ?? "").slice(0, 8)}` : ` · batch ${plainName(batchId, "").slice(0, 9)}`;
  return `${headOf(notice)}${by}${until}${item} · workspace ${plainName(workspace, "unnamed")}`;
}

function toolsOf({ tools, kind }: Notice): string {
  const [first, ...rest] = [...new Set(tools)];
  if (first === undefined) return kind === "batch" ? "several actions" : "a question or notice";
  const name = plainName(first, "an action");
  return rest.length === 0 ? name : `${name} and ${rest.length} more`;
}

/** 2026-11-21 18:30 Europe/Zurich */
function momentIn(at: number, zone: string): string {
  const local = DateTime.fromMillis(at, { zone });
  return local.isValid ? `${local.toFormat("yyyy-MM-dd HH:mm")} ${zone}` : "an unknown time";
}
