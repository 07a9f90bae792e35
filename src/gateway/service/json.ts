import type { Json } from "../../events/canonical.ts";

/** A JSON text as its value. Who writes straight to the log may send anything: what is no JSON is shown as it is. */
export function jsonOf(text: string | null): Json {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return text;
  }
}
