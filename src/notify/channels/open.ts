import { CountersignError } from "../../errors.ts";
import type { NotifyConfig, Secrets } from "../config.ts";
import type { ChannelContent } from "../shape.ts";
import { type Channel, DEFAULT_TIMEOUT_MS } from "./channel.ts";
import { emailChannel } from "./email.ts";
import { opsgenieChannel, pagerdutyChannel } from "./pager.ts";
import { slackChannel } from "./slack.ts";
import { webhookChannel } from "./webhook.ts";

/** Every channel of a configuration, by name. Nothing is connected yet. @throws CountersignError file_invalid for a secret that cannot be one */
export function openChannels({ channels, link, slack }: NotifyConfig): ReadonlyMap<string, Channel> {
  return new Map([...channels].map(([name, { content, secrets }]) => [name, open(name, content, secrets, { link, reject: slack !== undefined })]));
}

/** An incoming webhook's address is a secret, so that only the environment has it. */
function addressOf(name: string, url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  throw new CountersignError("file_invalid", `channels.${name}.webhook_env: its value is no http address`, {
    field: `/channels/${name}/webhook_env`,
    fix: "set the variable to the address that Slack shows for the incoming webhook",
  });
}

function open(name: string, content: ChannelContent, secrets: Secrets, { link, reject }: { link: string; reject: boolean }): Channel {
  const timeoutMs = content.timeout ?? DEFAULT_TIMEOUT_MS;
  const secret = (key: string) => secrets[key] ?? "";
  switch (content.type) {
    case "webhook":
      return webhookChannel(name, { url: content.url, secret: secret("secret"), link, timeoutMs });
    case "slack": {
      const { api = "https://slack.com/api", channel = "" } = content;
      const target = content.webhook_env === undefined ? { api, channel, token: secret("token") } : { webhook: addressOf(name, secret("webhook")) };
      return slackChannel(name, { target, reject, timeoutMs });
    }
    case "email": {
      const { smtp: server, from, to, tls = "required" } = content;
      const login = content.user_env === undefined ? undefined : { user: secret("user"), pass: secret("password") };
      return emailChannel(name, { server, from, to, login, tls, timeoutMs });
    }
    case "pagerduty":
      return pagerdutyChannel(name, { url: content.url ?? "https://events.pagerduty.com", secret: secret("routing_key"), link, timeoutMs });
    case "opsgenie":
      return opsgenieChannel(name, { url: content.url ?? "https://api.opsgenie.com", secret: secret("api_key"), link, timeoutMs });
  }
}
