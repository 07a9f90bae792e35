import type { CountersignError } from "../errors.ts";
import { placed, readShape } from "../policy/document/document.ts";
import { readYaml } from "../policy/document/yaml.ts";
import { didYouMean, documentInvalid, type Problem } from "../policy/problems.ts";
import { isAlwaysQuiet, type Pace, type Quiet, type Rhythm } from "./schedule.ts";
import { type ChannelContent, type NotifyContent, notifyShape } from "./shape.ts";

/** Where one owner's notices go. */
export interface Route {
  /** undefined: whoever no other route is for. */
  readonly owner: string | undefined;
  readonly workspace: string | undefined;
  readonly notify: readonly { readonly channel: string; readonly pace: Pace }[];
  /** Channels that page. */
  readonly page: readonly string[];
  readonly rhythm: Rhythm;
}

/** How notices are sent. */
export interface NotifyConfig {
  /** Address of the console, without a slash at its end. */
  readonly link: string;
  /** Channels by name; `secrets` by the name of their key, such as `secret`. */
  readonly channels: ReadonlyMap<string, { readonly content: ChannelContent; readonly secrets: Secrets }>;
  readonly routes: readonly Route[];
  /** What Slack needs to be answered; undefined where nobody may reject there. */
  readonly slack: SlackReviewers | undefined;
}

/** Values of the environment by the key that names their variable, without `_env`. */
export type Secrets = Readonly<Record<string, string>>;

/** Who rejects in Slack. */
export interface SlackReviewers {
  readonly signingSecret: string;
  /** Slack's id of a user → the person of a reviewer key. */
  readonly reviewers: ReadonlyMap<string, string>;
  /** Address under which Slack takes answers, without a slash at its end. */
  readonly responses: string;
}

const PAGERS: ReadonlySet<string> = new Set(["pagerduty", "opsgenie", "webhook"]);
const TELLERS: ReadonlySet<string> = new Set(["slack", "email", "webhook"]);
const EIGHT = 480;

/**
 * Reads the file that `--notify` names (YAML 1.2) and takes the secrets that it names out of the environment.
 *
 * @throws CountersignError file_invalid: one error for all problems, each with file:line:column
 */
export function parseNotify(source: string, { file, env }: { file: string; env: Readonly<Record<string, string | undefined>> }): NotifyConfig {
  const yaml = readYaml(source);
  if (yaml.problems.length > 0) throw invalid(file, yaml.problems);
  const { data, problems } = readShape(notifyShape, yaml.value);
  if (data === undefined) throw invalid(file, placed(problems, yaml));
  const found = [...check(data), ...missing(data, env)];
  if (found.length > 0) throw invalid(file, placed(found, yaml));
  return {
    link: data.link,
    channels: new Map(Object.entries(data.channels).map(([name, content]) => [name, { content, secrets: secretsOf(content, env) }])),
    routes: data.routes.map(routeOf),
    slack:
      data.slack === undefined
        ? undefined
        : {
            signingSecret: (env[data.slack.signing_secret_env] as string).trim(),
            reviewers: new Map(Object.entries(data.slack.reviewers)),
            responses: data.slack.responses,
          },
  };
}

/** The route of an owner: the first that names the owner, else the first that names nobody; one for another workspace never. */
export function routeFor({ routes }: NotifyConfig, { owner, workspace }: { owner: string | null; workspace: string }): Route | undefined {
  const here = routes.filter((route) => route.workspace === undefined || route.workspace === workspace);
  return here.find((route) => route.owner !== undefined && sameOwner(route.owner, owner)) ?? here.find((route) => route.owner === undefined);
}

/** `support-lead` and `role:support-lead` are one, as everywhere. */
function sameOwner(a: string, b: string | null): boolean {
  return b !== null && bare(a) === bare(b);
}

function bare(owner: string): string {
  return owner.replace(/^role:/, "");
}

function routeOf({ owner, workspace, notify, page, time_zone: zone = "UTC", quiet, through_quiet: through }: NotifyContent["routes"][number]): Route {
  return {
    owner,
    workspace,
    page,
    notify: notify.map(({ to, digest, at }) => ({ channel: to, pace: digest === "daily" ? { digest, at: at ?? EIGHT } : { digest } })),
    rhythm: { zone, quiet: quiet.map(quietOf), through },
  };
}

function quietOf({ days = [], from, to }: NotifyContent["routes"][number]["quiet"][number]): Quiet {
  return { days, from, to };
}

/** What the shape alone does not tell. */
function check({ channels, routes, slack }: NotifyContent): Problem[] {
  const names = Object.keys(channels);
  const wrong: Problem[] = [];
  const mustBe = (path: PropertyKey[], name: string, types: ReadonlySet<string>, does: string) => {
    const type = channels[name]?.type;
    if (type === undefined) wrong.push({ path, message: `there is no channel ${JSON.stringify(name)}${didYouMean(name, names)}` });
    else if (!types.has(type)) wrong.push({ path, message: `${JSON.stringify(name)} is of type ${type}, which does not ${does}` });
  };
  for (const [i, { notify, page, quiet }] of routes.entries()) {
    wrong.push(...quietProblems(["routes", i, "quiet"], quiet.map(quietOf)));
    if (notify.length + page.length === 0) wrong.push({ path: ["routes", i], message: "names no channel: give notify, page or both" });
    for (const [j, { to, digest, at }] of notify.entries()) {
      mustBe(["routes", i, "notify", j], to, TELLERS, "tell people: it pages");
      if (at !== undefined && digest !== "daily") wrong.push({ path: ["routes", i, "notify", j, "at"], message: "goes with digest: daily" });
    }
    for (const [j, name] of page.entries()) mustBe(["routes", i, "page", j], name, PAGERS, "page");
  }
  for (const [name, content] of Object.entries(channels)) wrong.push(...channelProblems(["channels", name], content));
  if (slack !== undefined && Object.keys(slack.reviewers).length === 0)
    wrong.push({ path: ["slack", "reviewers"], message: "names nobody, so nobody could reject" });
  return wrong;
}

function quietProblems(path: PropertyKey[], quiet: readonly Quiet[]): Problem[] {
  const empty = quiet.flatMap(({ from, to }, i): Problem[] =>
    from === to ? [{ path: [...path, i, "to"], message: 'is the same as from: for a whole day write from: "00:00", to: "24:00"' }] : [],
  );
  if (empty.length > 0 || !isAlwaysQuiet(quiet)) return empty;
  return [{ path, message: "covers the whole week, so nobody would ever be told: leave some time out" }];
}

function channelProblems(path: PropertyKey[], content: ChannelContent): Problem[] {
  if (content.type === "slack") {
    const { webhook_env: webhook, token_env: token, channel } = content;
    if ((webhook === undefined) === (token === undefined)) return [{ path, message: "takes either webhook_env, or token_env with channel" }];
    return token !== undefined && channel === undefined ? [{ path, message: "needs channel beside token_env: where the bot writes to" }] : [];
  }
  if (content.type === "email" && (content.user_env === undefined) !== (content.password_env === undefined))
    return [{ path, message: "takes user_env and password_env together" }];
  // A password would cross the network readable.
  if (content.type === "email" && content.user_env !== undefined && content.tls === "none")
    return [{ path: [...path, "tls"], message: "none does not go with user_env: the password would be readable on its way" }];
  return [];
}

/** Variables that are named and not set. */
function missing({ channels, slack }: NotifyContent, env: Readonly<Record<string, string | undefined>>): Problem[] {
  const named = [
    ...Object.entries(channels).flatMap(([name, content]) => variables(content).map(([key, variable]) => ({ path: ["channels", name, key], variable }))),
    ...(slack === undefined ? [] : [{ path: ["slack", "signing_secret_env"], variable: slack.signing_secret_env }]),
  ];
  return named
    .filter(({ variable }) => !env[variable]?.trim())
    .map(({ path, variable }) => ({ path, message: `the variable ${variable} is not set in the environment` }));
}

function variables(content: ChannelContent): [key: string, variable: string][] {
  return Object.entries(content).filter((entry): entry is [string, string] => entry[0].endsWith("_env") && typeof entry[1] === "string");
}

function secretsOf(content: ChannelContent, env: Readonly<Record<string, string | undefined>>): Secrets {
  return Object.fromEntries(variables(content).map(([key, variable]) => [key.slice(0, -"_env".length), (env[variable] as string).trim()]));
}

function invalid(file: string, problems: readonly Problem[]): CountersignError {
  return documentInvalid("file_invalid", file, problems, "correct the file and start again; nobody is notified until then");
}
