import { type Json, parseStrict } from "../events/canonical.ts";

/** Reads texts of one example: what was proposed, presented and decided is mostly one text, and then one value. */
export function reader(): (text: string) => Json {
  const known = new Map<string, Json>();
  return (text) => {
    let value = known.get(text);
    if (value === undefined) known.set(text, (value = parsed(text)));
    return value;
  };
}

/** The JSON value of a text. A text that a foreign producer wrote and that is no strict JSON stays a text, so that it stops no export. */
export function parsed(text: string): Json {
  try {
    return parseStrict(text);
  } catch {
    return text;
  }
}
