import { Webhook } from "standardwebhooks";
import { CountersignError } from "../../errors.ts";
import type { Message, Notice } from "../notice.ts";
import { ownerName, plainName, urlOf, type Words } from "../words.ts";
import type { Channel } from "./channel.ts";
import { post } from "./http.ts";

/** A signed webhook, as standardwebhooks.com says: a receiver checks the signature, and knows a second delivery by `webhook-id`. */
export function webhookChannel(name: string, options: { url: string; secret: string; link: string; timeoutMs: number }): Channel {
  const { url, secret, link, timeoutMs } = options;
  const signer = signerOf(name, secret);
  return {
    name,
    type: "webhook",
    secrets: [secret, secret.replace(/^whsec_/, "")],
    timeoutMs,
    async send(message, words, signal) {
      const at = new Date();
      const body = JSON.stringify(payloadOf(message, words, link, at));
      const headers = {
        "webhook-id": message.id,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
        "webhook-signature": signer.sign(message.id, at, body),
      };
      const { status } = await post(url, body, headers, signal);
      return `${status}`;
    },
  };
}

function signerOf(name: string, secret: string): Webhook {
  const text = secret.replace(/^whsec_/, "");
  const bytes = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64").length : 0;
  if (bytes < 24)
    throw new CountersignError("file_invalid", `channels.${name}.secret_env: its value must be whsec_ and at least 24 random bytes as base64`, {
      field: `/channels/${name}/secret_env`,
      fix: `make one with: echo "whsec_$(openssl rand -base64 32)"`,
    });
  return new Webhook(secret);
}

/** What a receiver gets. Names, counts and times; no argument, and no sentence that was made of arguments. */
function payloadOf({ action, notices }: Message, { subject }: Words, link: string, at: Date): object {
  const types = { notify: "countersign.notice", resolve: "countersign.resolved" };
  return { type: types[action], timestamp: at.toISOString(), data: { subject, notices: notices.map((notice) => viewOf(notice, link)) } };
}

function viewOf(notice: Notice, link: string): object {
  const { kind, workspace, owner, items, batchId, risk, tools, agent, deadline, step, page } = notice;
  return {
    kind,
    workspace: plainName(workspace, "unnamed"),
    owner: owner === null ? null : `${owner.startsWith("role:") ? "role" : "person"}:${ownerName(owner)}`,
    items,
    batchId,
    risk,
    tools: tools.map((tool) => plainName(tool, "an action")),
    agent: agent === null ? null : plainName(agent, "an agent"),
    deadline: deadline === null ? null : new Date(deadline).toISOString(),
    step,
    page,
    url: urlOf(notice, link),
  };
}
