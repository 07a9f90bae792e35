import { stringify } from "yaml";
import type { Judged } from "../judged.ts";
import type { Label } from "../labels.ts";
import type { ReviewedExample } from "../reviewed-example.ts";
import type { Made, Refusal, Target } from "./target.ts";

type PolicyTest = Extract<Label, { class: "policy_test" }>;

/** Folder and name of the tests of a policy. */
function baseOf(workspace: string, policyId: string): string {
  return `${workspace.replace(/[^\w.-]/g, "_")}/${policyId}`;
}

function headOf(file: string): string {
  return `policy: ./${file.replace(/^.*\//, "").replace(/\.policytest\.yaml$/, ".yaml")}\ncases:\n`;
}

function textOf(row: object): string {
  const lines = stringify([row], { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd().split("\n");
  return lines.map((line) => `  ${line}\n`).join("");
}

/** The case of a decision: everything that policy looked at, as far as a case can say it. */
function caseOf({ id, workspace, agent, presented }: ReviewedExample, { decided, calls }: PolicyTest, judged: Judged): object {
  const { run, origin, targets } = judged;
  const confidenceOf = (actionId: string) => presented.find((a) => a.actionId === actionId)?.confidence ?? null;
  const step = ({ actionId, tool, args }: PolicyTest["calls"][number]) => ({
    action: tool,
    args,
    ...(targets[actionId] !== undefined && { target: targets[actionId] }),
    ...(confidenceOf(actionId) !== null && { confidence: confidenceOf(actionId) }),
  });
  const [only, second] = calls;
  return {
    name: `${decided === "edit" ? "edited" : "rejected"}: ${calls.map((c) => c.tool).join(", ")} (${id.slice(0, 12)})`,
    ...(only !== undefined && second === undefined ? step(only) : { plan: calls.map(step) }),
    ...(judged.confidenceSource !== null && { confidence_source: judged.confidenceSource }),
    agent: {
      id: agent.id,
      ...(agent.version !== null && { version: agent.version }),
      ...(agent.model !== null && { model: agent.model }),
      ...(judged.owner !== null && { owner: judged.owner }),
    },
    ...(judged.onBehalfOf !== null && { on_behalf_of: judged.onBehalfOf }),
    ...(judged.evidence.length > 0 && { evidence: judged.evidence }),
    ...(origin !== null && { origin }),
    ...(run !== null && {
      run: {
        ...(run.step !== null && { step: run.step }),
        ...(run.costUsd !== null && { cost_usd: run.costUsd }),
        framework: run.framework,
        ...(run.frameworkVersion !== null && { framework_version: run.frameworkVersion }),
        thread: run.threadId,
        ...(run.ended && { ended: true }),
      },
    }),
    at: new Date(judged.at).toISOString(),
    workspace,
    expect: { route: { not: "allow" } },
  };
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
  needsJudged: true,
  head: headOf,
  text: textOf,
  *rows({ example, labels, judged, check }): Generator<Made> {
    for (const label of labels) {
      if (label.class !== "policy_test") continue;
      const refused = (reason: Refusal): Made => ({ refused: reason, class: "policy_test" });
      if (example.policy === null || judged === null) {
        yield refused("no_policy");
        continue;
      }
      if (!label.calls.every(({ args }) => typeof args === "object" && args !== null && !Array.isArray(args))) {
        yield refused("arguments_not_an_object");
        continue;
      }
      const file = `${baseOf(example.workspace, example.policy.id)}.policytest.yaml`;
      const row = caseOf(example, label, judged);
      const fault = check.faultOf(`${headOf(file)}${textOf(row)}`, example, judged);
      yield fault === null ? { file, row } : refused(fault);
    }
  },
  extra: ({ files, documents }) =>
    documents
      .map(({ workspace, policyId, text }) => ({ name: `${baseOf(workspace, policyId)}.yaml`, text }))
      .filter(({ name }) => files.includes(name.replace(/\.yaml$/, ".policytest.yaml"))),
};
