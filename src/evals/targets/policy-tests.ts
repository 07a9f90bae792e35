import { stringify } from "yaml";
import type { Made, Target } from "./target.ts";

/** Folder and name of the tests of a policy. */
function baseOf(workspace: string, policyId: string): string {
  return `${workspace.replace(/[^\w.-]/g, "_")}/${policyId}`;
}

/**
 * Policy tests: what people rejected or had to edit must not run by itself. Beside each test file lies the policy as it was last published,
 * so that `countersign policy test` runs the folder as it is.
 */
export const policyTests: Target = {
  name: "policy-tests",
  summary: "policy tests that `policy test` runs as they are: what people rejected or edited must not flow",
  files: "<workspace>/<policy>.policytest.yaml, <workspace>/<policy>.yaml",
  takes: ["policy_test"],
  needsContext: false,
  head: (file) => `policy: ./${file.replace(/^.*\//, "").replace(/\.policytest\.yaml$/, ".yaml")}\ncases:\n`,
  text: (row) =>
    stringify([row], { lineWidth: 0, aliasDuplicateObjects: false })
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}\n`)
      .join(""),
  *rows({ example, labels }): Generator<Made> {
    for (const label of labels) {
      if (label.class !== "policy_test") continue;
      if (example.policy === null) {
        yield { refused: "no_policy", class: "policy_test" };
        continue;
      }
      if (!label.calls.every(({ args }) => typeof args === "object" && args !== null && !Array.isArray(args))) {
        yield { refused: "arguments_not_an_object", class: "policy_test" };
        continue;
      }
      const [only, second] = label.calls;
      const step = ({ tool, args }: (typeof label.calls)[number]) => ({ action: tool, args });
      const { id, version, model } = example.agent;
      const confidence = example.presented.map((a) => a.confidence).find((c) => c !== null);
      yield {
        file: `${baseOf(example.workspace, example.policy.id)}.policytest.yaml`,
        row: {
          name: `${label.decided === "edit" ? "edited" : "rejected"}: ${label.calls.map((c) => c.tool).join(", ")} (${example.id.slice(0, 12)})`,
          ...(only !== undefined && second === undefined ? step(only) : { plan: label.calls.map(step) }),
          agent: { id, ...(version !== null && { version }), ...(model !== null && { model }) },
          ...(confidence !== undefined && confidence !== null && { confidence }),
          ...(example.evidence.length > 0 && { evidence: [...new Set(example.evidence.map((e) => e.label))] }),
          ...(example.run?.step != null && { run: { step: example.run.step, thread: example.run.threadId } }),
          expect: { route: { not: "allow" } },
        },
      };
    }
  },
  extra: ({ files, documents }) =>
    documents
      .map(({ workspace, policyId, text }) => ({ name: `${baseOf(workspace, policyId)}.yaml`, text }))
      .filter(({ name }) => files.includes(name.replace(/\.yaml$/, ".policytest.yaml"))),
};
