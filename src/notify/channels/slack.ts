import type { Message, Notice } from "../notice.ts";
import type { Words } from "../words.ts";
import { type Channel, SendFailed } from "./channel.ts";
import { type Answered, post } from "./http.ts";

/** Where the bot's messages go, or the address of an incoming webhook. */
export type SlackTarget = { readonly webhook: string } | { readonly api: string; readonly token: string; readonly channel: string };

/** Name of the button that rejects. Slack sends it back when it is pressed. */
export const REJECT = "countersign_reject";

/** Bytes that are read of an answer: Slack sends the whole message back in it. */
const MOST_ECHOED = 1024 * 1024;

/** Slack, as Block Kit. Approving is a link: nobody approves what a message does not show. */
export function slackChannel(name: string, options: { target: SlackTarget; reject: boolean; timeoutMs: number }): Channel {
  const { target, reject, timeoutMs } = options;
  return {
    name,
    type: "slack",
    secrets: "webhook" in target ? [target.webhook] : [target.token],
    timeoutMs,
    async send(message, words, signal) {
      const content = slackMessage(message, words, reject);
      if ("webhook" in target) {
        const { text } = await post(target.webhook, JSON.stringify(content), {}, signal);
        if (text.trim() !== "ok") throw new SendFailed(`Slack said ${text}`);
        return "ok";
      }
      const body = JSON.stringify({ channel: target.channel, unfurl_links: false, ...content });
      const answered = await post(`${target.api}/chat.postMessage`, body, { authorization: `Bearer ${target.token}` }, signal, MOST_ECHOED);
      return `ok ${timestampOf(answered)}`.trimEnd();
    },
  };
}

/** Slack answers 200 also where it took nothing. What it says it took is never sent again, however long the answer is. */
function timestampOf({ text, cut }: Answered): string {
  if (cut && /^\s*\{\s*"ok"\s*:\s*true\b/.test(text)) return "";
  let answer: { ok?: unknown; error?: unknown; ts?: unknown };
  try {
    answer = JSON.parse(text);
  } catch {
    throw new SendFailed("Slack answered something that is no JSON");
  }
  if (answer.ok !== true) throw new SendFailed(`Slack said ${String(answer.error ?? "no")}`);
  return String(answer.ts ?? "");
}

/** A message in Block Kit: at most 2 blocks a notice, of the 50 that Slack takes. */
export function slackMessage({ action, notices }: Message, { subject, lines }: Words, reject: boolean): { text: string; blocks: object[] } {
  const blocks: object[] = [{ type: "header", text: plain(subject, 150) }];
  for (const [i, { text, url }] of lines.entries()) {
    const notice = notices[i];
    blocks.push({ type: "section", text: plain(text, 2000) });
    if (action === "resolve" || url === null) continue;
    const open = { type: "button", text: plain("Open to decide", 75), url, action_id: `countersign_open_${i}` };
    const no = reject && notice !== undefined && rejectable(notice) ? [rejectButton(notice)] : [];
    blocks.push({ type: "actions", block_id: `countersign_${i}`, elements: [open, ...no] });
  }
  return { text: escaped(subject), blocks };
}

function rejectable({ kind, items, seen }: Notice): boolean {
  return (kind === "decide" || kind === "held") && items.length === 1 && seen !== null;
}

function rejectButton({ items, seen }: Notice): object {
  const confirm = {
    title: plain("Reject it?", 100),
    text: plain("Nothing runs, and the agent is told. To say why, open it instead.", 300),
    confirm: plain("Reject", 30),
    deny: plain("Cancel", 30),
    style: "danger",
  };
  const value = [items[0], seen?.verdict, seen?.cardSha256].join("/");
  return { type: "button", style: "danger", text: plain("Reject", 75), action_id: REJECT, value, confirm };
}

/** Plain text is never read as markup. */
function plain(text: string, most: number): object {
  return { type: "plain_text", text: text.length > most ? `${text.slice(0, most - 1)}…` : text, emoji: false };
}

/** The text that notifications on a phone show is markup. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
