/** Largest sizes in bytes. Larger content is refused by name, never cut. */
export const LIMITS = {
  /** Arguments of one action, canonical. */
  args: 256 * 1024,
  /** The JSON Schema that comes with an action's arguments. */
  schema: 64 * 1024,
  /** Messages and tools of a transcript, together. */
  transcript: 512 * 1024,
  /** Result in a receipt. */
  result: 64 * 1024,
  /** A whole event, framed. */
  event: 900 * 1024,
} as const;
