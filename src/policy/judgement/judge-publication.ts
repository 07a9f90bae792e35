import type { CompiledPolicy } from "../compiled.ts";
import { LAST_OWNER } from "../document/defaults.ts";
import { valueAt } from "../pointer.ts";
import { publicationFault } from "../publication.ts";
import { PUBLISH_TOOL } from "../publish-tool.ts";
import { plain } from "../render.ts";
import type { Surroundings } from "./assess.ts";
import { judgeAction } from "./judge-action.ts";
import { type Opinion, type Subject, undescribed } from "./opinion.ts";

/**
 * Whether a document may be published is for the version of it that is in force, though it be off or only watch: a mode must not unlock the
 * document. What would mislead whoever approves it is forbidden, so that nobody is shown it.
 */
export function judgePublication(policies: readonly CompiledPolicy[], subject: Subject, around: (policy: CompiledPolicy) => Surroundings): Opinion {
  const { args, agent } = subject.facts;
  const policy = policies.find(({ ref }) => ref.id === valueAt(args, ["policy"]));
  const action = policy?.find(PUBLISH_TOOL)[0];
  const fault = publicationFault(policy, args, agent.owner);
  if (policy !== undefined && action !== undefined && fault === undefined) return judgeAction(policy, action, subject, around(policy));
  const message = plain(fault ?? "No version of the policy is in force", 500);
  const opinion = undescribed(policy, subject, message, LAST_OWNER, { code: "event_invalid", message });
  return { ...opinion, route: "forbid", reversibility: action?.reversibility ?? opinion.reversibility, action: action ?? null };
}
