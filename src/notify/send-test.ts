import { messageOf } from "../errors.ts";
import { type Channel, safeText } from "./channels/channel.ts";
import { messageId, testNotice } from "./notice.ts";
import { wordsOf } from "./words.ts";

const PAGERS: ReadonlySet<string> = new Set(["pagerduty", "opsgenie"]);

/** Sends a harmless notice, which pages are resolved of at once, and says what came back. Never throws. */
export async function sendTest(channel: Channel, link: string, now: number): Promise<{ ok: boolean; answer: string }> {
  const notice = testNotice(now);
  const answers: string[] = [];
  try {
    for (const action of PAGERS.has(channel.type) ? (["notify", "resolve"] as const) : (["notify"] as const)) {
      const message = { id: messageId(channel.name, action, notice.key), action, notices: [notice], zone: "UTC" };
      answers.push(await channel.send(message, wordsOf(message, link), AbortSignal.timeout(channel.timeoutMs)));
    }
    return { ok: true, answer: safeText(answers.join(", resolved: "), channel.secrets) };
  } catch (error) {
    return { ok: false, answer: safeText(messageOf(error), channel.secrets) };
  }
}
