import { z } from "zod";

/** A JSON object as it came. A clone by zod would drop the key `__proto__` and so change what is hashed. */
export const jsonObject = z
  .custom<Record<string, unknown>>((v) => typeof v === "object" && v !== null && !Array.isArray(v), "must be a JSON object")
  .meta({ type: "object", additionalProperties: true });

/** Any JSON value, as it came. */
export const jsonValue = z.unknown();

/** An id, key or name: ids are hashed with NUL between them, so a control character could make two of them one. */
export function name(max = 200) {
  return z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}]+$/u, "must not contain control characters");
}

/** Words of bounded length, which may have several lines. */
export function text(max: number) {
  return z.string().max(max);
}

/** An address that a person or a system can open: a console shows it as a link, so `javascript:` and the like must not come in. */
export const url = z
  .string()
  .max(2000)
  .regex(/^https?:\/\/[^\s\p{Cc}]+$/iu, "must be an absolute URL with http or https");

/** Where large content lies. Nobody opens it with a click. */
export const uri = z
  .string()
  .max(2000)
  .regex(/^(?!javascript:|data:|vbscript:)[a-z][a-z0-9+.-]*:[^\s\p{Cc}]+$/iu, "must be an absolute URI");

/** Milliseconds since the epoch, UTC. */
export const moment = z.int().min(0);

/** An item id: 32 hex digits. */
export const itemId = z.string().regex(/^[0-9a-f]{32}$/, "must be the 32 hex digits of an item");

/** An event id. */
export const eventId = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, "must be a UUID in lower case");

/** 64 hex digits. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits in lower case");

/** A record in another system. */
export const externalRef = z.strictObject({ system: name(), id: name(500), url: url.nullish() });

/** What an error says. */
export const eventError = z.strictObject({ code: name(100), message: text(4000) });

/** The state of a target when it was read. */
export const stateInput = z.strictObject({ state: jsonValue.refine((v) => v !== undefined, "is missing"), readAt: moment });
