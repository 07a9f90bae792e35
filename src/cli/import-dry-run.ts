import { CountersignError } from "../errors.ts";
import type { ActionProposed, EventOf } from "../events/types.generated.ts";
import type { CompiledPolicy } from "../policy/compiled.ts";
import type { JudgedCall } from "../producers/review-load.ts";
import type { ProposedCall } from "../producers/transcript-calls.ts";
import type { Cli } from "./io.ts";
import { readPolicies } from "./publish.ts";
import { learnFor, openExisting, whereOf } from "./where.ts";

/** The documents to judge with: files, or those in force on the log; and the workspace that they are for. @throws CountersignError policy_missing, usage */
export async function policiesFor(
  cli: Cli,
  options: { policy?: string[]; workspace?: string; log?: string; data?: string },
): Promise<{ policies: CompiledPolicy[]; workspace: string }> {
  const [{ compilePolicy }, { parsePolicy }] = await Promise.all([import("../policy/compile.ts"), import("../policy/document/document.ts")]);
  const files = options.policy ?? [];
  const documents = files.length > 0 ? readPolicies(files).map((p) => p.document) : await documentsInForce(cli, options);
  const policies = documents.map((document) => compilePolicy(parsePolicy(document)));
  const workspaces = [...new Set(policies.map((p) => p.workspace))];
  const workspace = options.workspace ?? (workspaces.length === 1 ? (workspaces[0] as string) : "default");
  if (!workspaces.includes(workspace))
    throw new CountersignError(
      "policy_missing",
      `No policy is for the workspace ${workspace}${workspaces.length > 0 ? `; there are some for ${workspaces.join(", ")}` : ""}`,
      {
        field: "--workspace",
        fix: "name the documents with --policy, or a workspace that has some with --workspace",
      },
    );
  return { policies, workspace };
}

/** The last document of each policy on the log. */
async function documentsInForce(cli: Cli, options: { log?: string; data?: string }): Promise<string[]> {
  const opened = await openExisting(whereOf(cli.io, options).log);
  try {
    const { loadCodec } = await import("../log/schemas.ts");
    const codec = await loadCodec(opened.registry);
    const last = new Map<string, string>();
    for await (const batch of opened.log.read({}, { topics: ["policies"], until: "heads", signal: cli.io.signal })) {
      await learnFor(batch.records, opened, codec);
      for (const record of batch.records) {
        const decoded = codec.decode("policies", record.value);
        const event = decoded.ok ? (decoded.event as EventOf["policies"]) : undefined;
        if (event?.kind === "policy" && event.document !== null && event.itemId === record.key) last.set(event.itemId, event.document);
      }
    }
    return [...last.values()];
  } finally {
    await opened.registry.close();
    await opened.log.close();
  }
}

/** What policy would have said of each call. Writes nothing. */
export async function judgeCalls(policies: readonly CompiledPolicy[], proposals: readonly ProposedCall[], now: number): Promise<JudgedCall[]> {
  const [{ judge }, { complete }, { newEventId }] = await Promise.all([
    import("../policy/judgement/judge.ts"),
    import("../events/draft.ts"),
    import("../events/ids.ts"),
  ]);
  return proposals.map(({ call, draft }) => {
    const proposal = complete("proposals", { ...draft, eventId: newEventId(), occurredAt: now }) as ActionProposed;
    const { route, owner, risk, because } = judge(policies, { proposal, actions: proposal.actions, answers: "proposal", now });
    return { runId: call.runId, tool: call.tool, verdict: { route, owner: owner ?? null, risk, because: because ?? [] } };
  });
}
