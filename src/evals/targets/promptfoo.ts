import { stringify } from "yaml";
import { CASE_CLASSES, caseOf } from "./cases.ts";
import type { Made, Target } from "./target.ts";

/** Braces that promptfoo's templates would read as their own. */
function quoted(text: string): string {
  return /\{[{%#]/.test(text) ? `{% raw %}${text.replaceAll("{% endraw %}", "{% endraw % }")}{% endraw %}` : text;
}

/** What promptfoo runs: says whether the calls in a model's answer are those that people wanted. */
const ASSERT = `// Written by countersign export. Compares the tool calls of an answer with what people decided.
const canonical = (value) =>
  Array.isArray(value)
    ? value.map(canonical)
    : value && typeof value === "object"
      ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, canonical(value[key])]))
      : value;

const same = (a, b) => JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));

/** What a text says in JSON; what is no JSON stays a text, which is no call that anybody wanted. */
const read = (value) => {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

/** Calls in the forms that providers answer with: a list of calls, or a message that holds them. */
const callsOf = (output) => {
  const value = read(output);
  const list = Array.isArray(value) ? value : (value?.tool_calls ?? []);
  return list.map((call) => {
    const { name, arguments: args } = call?.function ?? call ?? {};
    return { name, arguments: read(args) };
  });
};

module.exports = (output, { vars }) => {
  const expected = JSON.parse(vars.expected);
  const calls = callsOf(output);
  if (expected.tool_calls) {
    const inOrder = (list) => (expected.any_order ? list.map((call) => JSON.stringify(canonical(call))).sort() : list);
    const pass = same(inOrder(calls), inOrder(expected.tool_calls));
    return { pass, score: pass ? 1 : 0, reason: pass ? "the calls that people wanted" : \`wanted \${JSON.stringify(expected.tool_calls)}\` };
  }
  if (expected.not_tool_calls) {
    const made = expected.not_tool_calls.filter((wrong) => calls.some((call) => same(call, wrong)));
    // Of a plan that was rejected as a whole nobody said which step is wrong.
    const wrong = expected.wrong_if === "all_called" ? made.length === expected.not_tool_calls.length : made.length > 0;
    const pass = made.length === 0 || !wrong;
    return { pass, score: pass ? 1 : 0, reason: pass ? "did not make the rejected call" : \`made what was rejected: \${JSON.stringify(made)}\` };
  }
  const pass = calls.length === 0;
  return { pass, score: pass ? 1 : 0, reason: pass ? "asked instead of acting" : "should have asked" };
};
`;

const CONFIG = `# Written by countersign export. Add your provider, with the tools of the test: tools: "{{tools}}".
description: What people decided about the agent's calls
prompts: ["{{messages}}"]
providers: [echo]
tests: file://tests.yaml
`;

/** Tests for promptfoo, with the assertion that compares calls. */
export const promptfoo: Target = {
  name: "promptfoo",
  summary: "promptfoo tests with an assertion on the calls, and a configuration to begin with",
  files: "tests.yaml, assert-call.cjs, promptfooconfig.yaml",
  takes: CASE_CLASSES,
  needsContext: false,
  text: (row) => stringify([row], { lineWidth: 0, aliasDuplicateObjects: false }),
  *rows({ example, labels }): Generator<Made> {
    for (const label of labels) {
      const found = caseOf({ example }, label);
      if (found === undefined) continue;
      const { id, kind, input, expected, metadata } = found;
      yield {
        file: "tests.yaml",
        row: {
          description: `${kind} ${example.presented.map((a) => a.tool).join(", ") || "answer"} (${id.slice(0, 12)})`,
          vars: {
            messages: quoted(JSON.stringify(input.messages ?? [{ role: "user", content: JSON.stringify(input) }])),
            tools: quoted(JSON.stringify(input.tools ?? [])),
            expected: quoted(JSON.stringify(expected)),
          },
          assert: [{ type: "javascript", value: "file://assert-call.cjs" }],
          metadata: { kind, ...metadata },
        },
      };
    }
  },
  extra: () => [
    { name: "assert-call.cjs", text: ASSERT },
    { name: "promptfooconfig.yaml", text: CONFIG },
  ],
};
