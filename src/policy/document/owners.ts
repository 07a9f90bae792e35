import type { PolicyContent } from "./shape.ts";

/** Everybody whom a document may ask to decide, the document's own owner first: owners and the ladders above them. */
export function ownersOf({ owner, actions, routes, questions, notices }: PolicyContent): string[] {
  const people = [...Object.values(actions), ...routes, questions, notices];
  return [...new Set([owner, ...people.flatMap((who) => [...(who?.owner === undefined ? [] : [who.owner]), ...(who?.ladder ?? []).map(({ to }) => to)])])];
}
