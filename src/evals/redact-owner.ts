import type { Redaction } from "./redact/redactor.ts";

/** Roles stay, persons do not. */
export function ownerOf(owner: string | null, redaction: Redaction): string | null {
  return owner === null || owner.startsWith("role:") ? owner : redaction.person(owner.replace(/^person:/, ""));
}
