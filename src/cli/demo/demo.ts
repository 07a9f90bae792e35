import { existsSync, globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parsePolicy } from "../../policy/document/document.ts";
import type { Publishable } from "../../policy/document/publish.ts";
import { countInterruptions, sumOf } from "../../projector/interruptions.ts";
import { type Cli, SELF } from "../io.ts";
import { readPolicies } from "../publish.ts";
import { ratioText } from "../render/interruptions.ts";
import type { Companion, Running } from "../up/running.ts";
import { runAgent } from "./agent.ts";
import { runExecutor } from "./executor.ts";
import { type DemoKeys, demoKeys } from "./keys.ts";
import { narrate } from "./narrate.ts";
import { DEMO_BATCH, DEMO_WORKSPACE, type Pace } from "./setting.ts";

const PACE: Pace = { proposeMs: 4000, executeMs: 1500 };

/** The demo: sample policies, keys, an agent and an executor beside a running server. */
export function demo(cli: Cli, data: string, pace: Pace = PACE): Companion {
  const policies = samplePolicies();
  return {
    policies,
    async start(running) {
      const keys = demoKeys(running.keys, data, rolesIn(policies));
      greet(cli, running, keys);
      const quiet = narrate(cli, running.ledger);
      const stops = [runExecutor(cli, running, keys.executor, pace), runAgent(cli, running, keys.agent, pace)];
      return async () => {
        quiet();
        await Promise.all(stops.map((stop) => stop()));
        cli.say(`Owners were called with ${ratioText(sumOf(countInterruptions(running.ledger, { workspace: DEMO_WORKSPACE })))}: ${SELF} stats interruptions`);
      };
    },
  };
}

/** The documents of the package, and of the examples where they are there, all for the workspace of the demo. */
export function samplePolicies(): Publishable[] {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  // The starter speaks of the same tools as the others: in one workspace it would only raise what they say.
  const found = [...globSync(`${root}policies/*.yaml`), ...globSync(`${root}examples/*/policy.yaml`)];
  const files = found.filter((file) => existsSync(file) && !file.endsWith("starter.yaml")).sort();
  return readPolicies(files).map(({ document, policyId }) => {
    const text = `${JSON.stringify({ ...(JSON.parse(document) as object), workspace: DEMO_WORKSPACE, batch: DEMO_BATCH }, null, 2)}\n`;
    const { version, sha256 } = parsePolicy(text, { file: policyId });
    return { policyId, workspace: DEMO_WORKSPACE, version, document: text, sha256 };
  });
}

/** Every role that a document names: the demo's reviewer has them all. */
export function rolesIn(policies: readonly Publishable[]): string[] {
  return [...new Set(policies.flatMap((p) => [...p.document.matchAll(/"role:([^"]+)"/g)].map((m) => m[1] as string)))].sort();
}

function greet(cli: Cli, { url, data }: Running, keys: DemoKeys): void {
  const { bold, cyan } = cli.colors;
  const elsewhere = url.replace("localhost", "127.0.0.1") === "http://127.0.0.1:4680" ? [] : [`  export COUNTERSIGN_URL=${url}`];
  const lines = [
    "",
    bold("A demo agent proposes work. What is harmless flows, what is risky waits for you."),
    "In a second terminal, in this folder, type:",
    "",
    ...[...elsewhere, `  export COUNTERSIGN_API_KEY=${keys.reviewer}`, `  ${SELF} queue`].map((line) => cyan(line)),
    "",
    "Then look at one of them, and decide:",
    "",
    ...[`  ${SELF} show ID`, `  ${SELF} decide ID --approve`, `  ${SELF} decide ID --reject --message "Ask the customer first"`].map((line) => cyan(line)),
    "",
    "What is of medium risk is gathered and decided together:",
    "",
    ...[`  ${SELF} batches`, `  ${SELF} batch show ID`].map((line) => cyan(line)),
    "",
    "To propose something yourself, use the agent's key (the executor's key, for receipts, lies beside it",
    `in ${data}/demo-keys.json):`,
    "",
    ...[`  COUNTERSIGN_API_KEY=${keys.agent} \\`, `    ${SELF} propose --tool get_order --args '{"order_id": "A-1"}'`].map((line) => cyan(line)),
    "",
    "Ctrl-C stops it. The next start goes on with the same ledger.",
    "",
  ];
  cli.say(lines.join("\n"));
}
