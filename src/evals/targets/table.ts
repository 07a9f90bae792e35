import { CountersignError } from "../../errors.ts";
import { braintrust, langfuse, langsmith, mlflow, phoenix } from "./cases.ts";
import { huggingface } from "./huggingface.ts";
import { inspect } from "./inspect.ts";
import { jsonl, operations, parquet } from "./neutral.ts";
import { openaiDpo, openaiSft } from "./openai.ts";
import { policyTests } from "./policy-tests.ts";
import { promptfoo } from "./promptfoo.ts";
import type { Target } from "./target.ts";
import { trlKto, trlPreference, trlSft } from "./trl.ts";

/** Every target, in the order in which `list-targets` shows them. */
export const TARGETS: readonly Target[] = [
  jsonl,
  parquet,
  trlPreference,
  trlKto,
  trlSft,
  openaiSft,
  openaiDpo,
  langsmith,
  braintrust,
  langfuse,
  mlflow,
  phoenix,
  inspect,
  promptfoo,
  huggingface,
  policyTests,
  operations,
];

/** The target of a name. @throws CountersignError usage */
export function targetOf(name: string): Target {
  const target = TARGETS.find((t) => t.name === name);
  if (target !== undefined) return target;
  throw new CountersignError("usage", `There is no target ${JSON.stringify(name)}`, {
    field: "--target",
    value: name,
    fix: `name one of ${TARGETS.map((t) => t.name).join(", ")}`,
  });
}
