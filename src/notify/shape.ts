import { z } from "zod";
import { readShape } from "../policy/document/document.ts";
import { custom, identifier, oneOf, owner, shape, text } from "../policy/document/shape-parts.ts";
import { days, timeOfDay, timeZone } from "../policy/document/shape-time.ts";
import { didYouMean, shown } from "../policy/problems.ts";
import { TIERS } from "../policy/tiers.ts";

/** Name of a variable of the environment. Secrets stand there and nowhere else. */
const variable = custom((value) =>
  typeof value === "string" && /^[A-Z_][A-Z0-9_]*$/.test(value)
    ? value
    : new Error(
        `must name a variable of the environment, in capitals, such as SLACK_TOKEN${typeof value === "string" && value.length > 20 ? "; a secret itself does not belong into this file" : `, not ${shown(value)}`}`,
      ),
);

/** An http address without anything secret in it, to the letter: to a receiver a slash at the end may make it another one. */
const address = custom(readHttp);

/** An http address that paths are put behind, without a slash at its end. */
const base = custom((value) => {
  const read = readHttp(value);
  return typeof read === "string" ? read.replace(/\/+$/, "") : read;
});

function readHttp(value: unknown): string | Error {
  return readAddress(value, ["http:", "https:"], "an http or https address such as https://hooks.example.com/countersign");
}

/** The address of a mail server. */
const smtp = custom((value) => readAddress(value, ["smtp:", "smtps:"], "the address of a mail server such as smtp://mail.example.com:587 or smtps://…:465"));

function readAddress(value: unknown, protocols: readonly string[], what: string): string | Error {
  const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !protocols.includes(url.protocol) || url.hostname === "") return new Error(`must be ${what}, not ${shown(value)}`);
  if (url.username !== "" || url.password !== "") return new Error("must hold no user and no password: name variables of the environment for them");
  return value as string;
}

const email = custom((value) =>
  typeof value === "string" && /^[^\s@<>,;]+@[^\s@<>,;]+$/.test(value) ? value : new Error(`must be an email address, not ${shown(value)}`),
);

/** Milliseconds that a channel has to answer. */
const timeout = custom((value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 60
    ? value * 1000
    : new Error(`must be a whole number of seconds from 1 to 60, not ${shown(value)}`),
);

const common = { timeout: timeout.optional() };

/** What each type of channel takes. */
const CHANNELS = {
  webhook: shape({ type: z.literal("webhook"), url: address, secret_env: variable, ...common }),
  slack: shape({
    type: z.literal("slack"),
    /** An incoming webhook, or a bot's token with the channel that it writes to. */
    webhook_env: variable.optional(),
    token_env: variable.optional(),
    channel: text.optional(),
    api: base.optional(),
    ...common,
  }),
  email: shape({
    type: z.literal("email"),
    smtp,
    from: email,
    to: z.array(email).min(1),
    user_env: variable.optional(),
    password_env: variable.optional(),
    tls: oneOf(["required", "none"]).optional(),
    ...common,
  }),
  pagerduty: shape({ type: z.literal("pagerduty"), routing_key_env: variable, url: base.optional(), ...common }),
  opsgenie: shape({ type: z.literal("opsgenie"), api_key_env: variable, url: base.optional(), ...common }),
};

type ChannelContents = { [T in keyof typeof CHANNELS]: z.output<(typeof CHANNELS)[T]> };

/** One channel as the file has it. */
export type ChannelContent = ChannelContents[keyof ChannelContents];

const TYPES = Object.keys(CHANNELS) as (keyof typeof CHANNELS)[];

const channel = z.unknown().transform((value, ctx): ChannelContent => {
  const fail = (path: PropertyKey[], message: string): never => {
    ctx.addIssue({ code: "custom", path, message });
    return z.NEVER;
  };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail([], `must be a set of keys, not ${shown(value)}`);
  const { type } = value as { type?: unknown };
  const known = TYPES.find((name) => name === type);
  if (known === undefined)
    return fail(["type"], `must be one of ${TYPES.join(", ")}, not ${shown(type)}${typeof type === "string" ? didYouMean(type, TYPES) : ""}`);
  const { data, problems } = readShape<ChannelContent>(CHANNELS[known] as z.ZodType<ChannelContent>, value);
  for (const { path, message } of problems) ctx.addIssue({ code: "custom", path: [...path], message });
  return data ?? z.NEVER;
});

const target = shape({ to: identifier, digest: oneOf(["none", "hourly", "daily"]).default("none"), at: timeOfDay.optional() });

const route = shape({
  /** Whom it is for; every other owner where it is left out. */
  owner: owner.optional(),
  workspace: identifier.optional(),
  notify: z.array(z.preprocess((value) => (typeof value === "string" ? { to: value } : value), target)).default([]),
  page: z.array(identifier).default([]),
  time_zone: timeZone.optional(),
  quiet: z.array(shape({ days: days.optional(), from: timeOfDay, to: timeOfDay })).default([]),
  through_quiet: z.array(oneOf(TIERS)).default(["critical"]),
});

/** The whole file. */
export const notifyShape = shape({
  /** Where reviewers open the console: items and batches are linked under it. */
  link: base,
  channels: z.record(identifier, channel),
  routes: z.array(route).min(1),
  slack: shape({
    signing_secret_env: variable,
    /** Slack's id of a user → the person of a reviewer key. */
    reviewers: z.record(text, text),
    /** Under which address Slack takes what becomes of a button. */
    responses: base.default("https://hooks.slack.com"),
  }).optional(),
});

/** The whole file, as it is written. */
export type NotifyContent = z.output<typeof notifyShape>;
