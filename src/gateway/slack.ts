import { CountersignError } from "../errors.ts";
import type { Key, Keys } from "../local/keys.ts";
import { REJECT } from "../notify/channels/slack.ts";
import type { SlackReviewers } from "../notify/config.ts";
import { type Interaction, pressId, readInteraction, readTarget, slackFault } from "../notify/slack-request.ts";
import { decisionRequest } from "../producers/wire/requests.ts";
import { identityOf } from "./auth.ts";
import { decide } from "./service/decide.ts";
import type { GatewayLedger } from "./service/ledger.ts";
import { parseValue } from "./service/parse.ts";

/** What rejecting in Slack needs. */
export interface SlackOptions extends SlackReviewers {
  readonly keys: Pick<Keys, "listKeys">;
  /** Hears of faults. */
  readonly report: (line: string, error: unknown) => void;
}

/** What Slack is told about a button that was pressed: in the message itself, or to the person alone. */
interface Told {
  readonly text: string;
  readonly done: boolean;
}

/** Slack waits three seconds for us, and for this we make it wait. */
const ANSWER_MS = 2_000;

/**
 * Answers a button that was pressed in Slack: rejects the item, as the reviewer that the configuration names for the Slack user, with the
 * roles of that reviewer's keys of now. Nothing else can be done from there, and whatever is not certain is refused.
 *
 * @throws CountersignError unauthenticated, request_invalid
 */
export async function slackInteraction(ledger: GatewayLedger, options: SlackOptions, { headers, body }: { headers: Headers; body: Uint8Array }): Promise<void> {
  const signed = { timestamp: headers.get("x-slack-request-timestamp") ?? undefined, signature: headers.get("x-slack-signature") ?? undefined };
  const fault = slackFault(options.signingSecret, signed, body, ledger.now());
  if (fault !== null)
    throw new CountersignError("unauthenticated", `The request is not taken for Slack's: ${fault}`, {
      field: "x-slack-signature",
      fix: "check signing_secret_env in the file of --notify, and this machine's clock",
    });
  const pressed = readInteraction(new TextDecoder().decode(body));
  if (pressed === undefined) throw new CountersignError("request_invalid", "payload: it is no interaction of Slack", { field: "payload" });
  // A button that is a link is reported as well, once it was opened.
  const action = pressed.type === "block_actions" ? pressed.actions.find(({ action_id: id }) => id === REJECT) : undefined;
  if (action === undefined) return;
  const told = await reject(ledger, options, pressed, action);
  await answer(options, pressed, action, told);
}

type Action = Interaction["actions"][number];

async function reject(ledger: GatewayLedger, { reviewers, keys, report }: SlackOptions, { user }: Interaction, action: Action): Promise<Told> {
  const refused = (text: string): Told => ({ text, done: false });
  const target = readTarget(action.value);
  if (target === undefined) return refused("This button is not one that this server made. Nothing was decided.");
  const person = reviewers.get(user.id);
  if (person === undefined) return refused("You are no reviewer here: nobody has mapped your Slack user to one. Nothing was decided.");
  const workspace = ledger.queries.item(target.itemId)?.item.workspace;
  const key = workspace == null ? undefined : rightsOf(keys.listKeys(), person, workspace, ledger.now());
  if (key === undefined) return refused(`${person} has no valid reviewer key where this item is. Nothing was decided.`);
  const { itemId, verdict, cardSha256 } = target;
  try {
    const request = parseValue(decisionRequest, {
      kind: "reject",
      eventId: pressId(Number(action.action_ts ?? 0) * 1000 || ledger.now(), itemId, verdict, user.id, action.action_ts ?? ""),
      verdict,
      seen: { cardSha256 },
      // No message: nobody gave a reason, and what looked like one would stand in the datasets as one.
      review: { channel: "chat" },
    });
    await decide({ ledger, identity: identityOf(key) }, itemId, request);
    return { text: `Rejected by ${person}. Nothing runs.`, done: true };
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === "internal") report("a rejection from Slack failed", error);
    return refused(
      error instanceof CountersignError && error.code !== "internal" ? `Not rejected. ${error.message}.` : "Not rejected: something went wrong here.",
    );
  }
}

/** The rights of a person in a workspace: those of all their reviewer keys that are valid now. */
function rightsOf(keys: readonly Key[], person: string, workspace: string, now: number): Key | undefined {
  const valid = keys.filter(
    (key) => key.scope === "reviewer" && key.id === person && key.workspace === workspace && key.revokedAt === null && (key.expiresAt ?? Infinity) > now,
  );
  const [first] = valid;
  return first === undefined ? undefined : { ...first, roles: [...new Set(valid.flatMap(({ roles }) => roles))] };
}

/** Tells Slack. The decision stands whether or not this arrives. */
async function answer({ responses, report }: SlackOptions, { response_url: url, message }: Interaction, action: Action, { text, done }: Told): Promise<void> {
  // A signed request may still name any address: only Slack's is spoken to.
  if (url === undefined || !url.startsWith(`${responses}/`)) return;
  const blocks = message?.blocks.map((block) =>
    block.block_id !== undefined && block.block_id === action.block_id ? { type: "context", elements: [{ type: "plain_text", text, emoji: false }] } : block,
  );
  const body =
    done && blocks !== undefined
      ? { replace_original: true, text, blocks }
      : { replace_original: false, response_type: done ? "in_channel" : "ephemeral", text };
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    await fetch(url, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" }, redirect: "manual", signal });
  } catch (error) {
    report("Slack could not be told what became of a rejection", error);
  }
}
