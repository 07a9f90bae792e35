/** Small hand-written runs for the tests of importing. */

/** An assistant message that calls tools: [id, tool, arguments as a value or as the text to keep]. */
export function calling(...calls: [id: string, tool: string, args: unknown][]) {
  const tool_calls = calls.map(([id, name, args]) => ({
    id,
    type: "function",
    function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
  }));
  return { role: "assistant", content: null, tool_calls };
}

/** A tool message. */
export function result(id: string, content: unknown) {
  return { role: "tool", tool_call_id: id, content };
}

/** A user message. */
export function user(content: string) {
  return { role: "user", content };
}

/** A run in the file's own form, as one line. */
export function line(fields: object): string {
  return JSON.stringify(fields);
}
