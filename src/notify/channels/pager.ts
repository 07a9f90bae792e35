import type { Message, Notice } from "../notice.ts";
import { ownerName, plainName, urlOf, type Words } from "../words.ts";
import { type Channel, SendFailed } from "./channel.ts";
import { post } from "./http.ts";

const SEVERITY = { low: "info", medium: "warning", high: "error", critical: "critical" } as const;
const PRIORITY = { low: "P4", medium: "P3", high: "P2", critical: "P1" } as const;

/** What both pagers need. */
interface PagerOptions {
  readonly url: string;
  readonly secret: string;
  readonly link: string;
  readonly timeoutMs: number;
}

/** PagerDuty's Events API v2. The same item, verdict and step are one incident; it is resolved once that is decided. */
export function pagerdutyChannel(name: string, { url, secret, link, timeoutMs }: PagerOptions): Channel {
  return {
    name,
    type: "pagerduty",
    secrets: [secret],
    timeoutMs,
    async send({ action, notices }, { subject }, signal) {
      const [notice] = notices as [Notice];
      const target = urlOf(notice, link);
      const event = {
        routing_key: secret,
        event_action: action === "resolve" ? "resolve" : "trigger",
        dedup_key: dedupKey(notice),
        ...(action === "resolve"
          ? {}
          : { payload: payloadOf(notice, subject), ...(target === null ? {} : { links: [{ href: target, text: "Open to decide" }] }) }),
      };
      const { status, text } = await post(`${url}/v2/enqueue`, JSON.stringify(event), {}, signal);
      // An address that is somebody else's may answer 200 to anything.
      if (status !== 202 && !/"status"\s*:\s*"success"/.test(text)) throw new SendFailed(`answered ${status}, but not as PagerDuty does: ${text}`);
      return `${status}`;
    },
  };
}

function payloadOf(notice: Notice, summary: string): object {
  return {
    summary: summary.slice(0, 1024),
    source: "countersign",
    severity: SEVERITY[notice.risk ?? "critical"],
    component: "approvals",
    custom_details: detailsOf(notice),
  };
}

/** The alert API of Opsgenie, which Jira Service Management and others speak as well. */
export function opsgenieChannel(name: string, { url, secret, link, timeoutMs }: PagerOptions): Channel {
  const headers = { authorization: `GenieKey ${secret}` };
  return {
    name,
    type: "opsgenie",
    secrets: [secret],
    timeoutMs,
    async send(message, words, signal) {
      const [notice] = message.notices as [Notice];
      const alias = dedupKey(notice);
      const [path, body] =
        message.action === "resolve"
          ? [`/v2/alerts/${encodeURIComponent(alias)}/close?identifierType=alias`, { source: "countersign", note: words.subject }]
          : ["/v2/alerts", alertOf(message, words, link)];
      const { status, text } = await post(`${url}${path}`, JSON.stringify(body), headers, signal);
      if (status !== 202) throw new SendFailed(`answered ${status}, but not as Opsgenie does: ${text}`);
      return `${status}`;
    },
  };
}

function alertOf({ notices }: Message, { subject, lines }: Words, link: string): object {
  const [notice] = notices as [Notice];
  const target = urlOf(notice, link);
  return {
    message: subject.slice(0, 130),
    alias: dedupKey(notice),
    description: [...lines.map(({ text }) => text), ...(target === null ? [] : [target])].join("\n"),
    priority: PRIORITY[notice.risk ?? "critical"],
    source: "countersign",
    tags: ["countersign"],
    details: detailsOf(notice),
  };
}

/** One incident for an item, its verdict and the step of the ladder: at most 255 characters. */
export function dedupKey({ key }: Notice): string {
  return `countersign/${key}`.slice(0, 255);
}

/** Details as texts: Opsgenie takes nothing else. */
function detailsOf({ workspace, owner, items, tools, agent, deadline, step }: Notice): Record<string, string> {
  return {
    workspace: plainName(workspace, "unnamed"),
    owner: ownerName(owner),
    item: items[0] ?? "",
    tools: tools.map((tool) => plainName(tool, "an action")).join(", "),
    agent: agent === null ? "" : plainName(agent, "an agent"),
    deadline: deadline === null ? "" : new Date(deadline).toISOString(),
    step: String(step),
  };
}
