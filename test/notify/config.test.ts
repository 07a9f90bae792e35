import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CountersignError } from "../../src/errors.ts";
import { openChannels } from "../../src/notify/channels/open.ts";
import { parseNotify, routeFor } from "../../src/notify/config.ts";

const ENV = { HOOK: `whsec_${Buffer.alloc(24, 1).toString("base64")}`, SLACK: "xoxb-1", KEY: "k", SIGNING: " s3cret\n" };
const parse = (source: string, env: Record<string, string> = ENV) => parseNotify(source, { file: "notify.yaml", env });

/** The problems of a file, without the line that counts them. */
function problems(source: string, env?: Record<string, string>): string[] {
  try {
    parse(source, env);
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    expect(error).toMatchObject({ code: "file_invalid", fix: expect.stringContaining("nobody is notified") });
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

const GOOD = `
link: https://console.example.com/
channels:
  chat: { type: slack, token_env: SLACK, channel: "#approvals" }
  hook: { type: webhook, url: "https://hooks.example.com/in", secret_env: HOOK }
  oncall: { type: pagerduty, routing_key_env: KEY }
routes:
  - owner: role:support-lead
    notify: [chat, { to: hook, digest: daily, at: "08:30" }]
    page: [oncall]
    time_zone: Europe/Zurich
    quiet: [{ from: "20:00", to: "07:00" }]
  - { owner: role:support-lead, workspace: other, notify: [hook] }
  - { notify: [hook] }
slack: { signing_secret_env: SIGNING, reviewers: { U012AB: dana } }
`;

describe("the file of --notify", () => {
  it("says where notices go, with the secrets of the environment", () => {
    const config = parse(GOOD);
    expect(config.link).toBe("https://console.example.com");
    expect(config.channels.get("chat")?.secrets).toEqual({ token: "xoxb-1" });
    expect(config.slack).toMatchObject({ signingSecret: "s3cret", responses: "https://hooks.slack.com" });
    expect(config.routes[0]).toMatchObject({
      notify: [
        { channel: "chat", pace: { digest: "none" } },
        { channel: "hook", pace: { digest: "daily", at: 510 } },
      ],
      rhythm: { zone: "Europe/Zurich", through: ["critical"], quiet: [{ days: [], from: 1200, to: 420 }] },
    });
    expect([...openChannels(config).values()].map(({ name, type }) => [name, type])).toEqual([
      ["chat", "slack"],
      ["hook", "webhook"],
      ["oncall", "pagerduty"],
    ]);
  });

  it("can be the one that the page shows", () => {
    const page = readFileSync(new URL("../../docs/notifications.md", import.meta.url), "utf8");
    const source = /^```yaml\n([\s\S]*?)^```$/m.exec(page)?.[1] as string;
    const named = Object.fromEntries([...source.matchAll(/_env: (\w+)/g)].map(([, variable = ""]) => [variable, ENV.HOOK]));
    const config = parse(source, named);
    expect([...openChannels(config).values()].map(({ type }) => type)).toEqual(["slack", "email", "webhook", "pagerduty", "opsgenie"]);
  });

  it("sends an owner's notices along the first route of theirs, everybody else's along the one for nobody in particular", () => {
    const config = parse(GOOD);
    const [first, , last] = config.routes;
    expect(routeFor(config, { owner: "role:support-lead", workspace: "support" })).toBe(first);
    expect(routeFor(config, { owner: "support-lead", workspace: "support" })).toBe(first);
    expect(routeFor(config, { owner: "person:support-lead", workspace: "support" })).toBe(last);
    expect(routeFor(config, { owner: null, workspace: "support" })).toBe(last);
    const only = { ...config, routes: config.routes.slice(1, 2) };
    expect(routeFor(only, { owner: "role:support-lead", workspace: "support" })).toBeUndefined();
    expect(routeFor(only, { owner: "role:support-lead", workspace: "other" })).toBe(only.routes[0]);
  });

  it("names every problem at its line and column, with the value and the way out", () => {
    const bad = `
link: console.example.com
channels:
  chat: { type: slak, token_env: SLACK }
  hook: { type: webhook, url: "https://user:pass@hooks.example.com", secret_env: "whsec_c2VjcmV0c2VjcmV0" }
  mail: { type: email, smtp: "smtp://mail:25", from: me, to: [] }
routes: []
colour: red
`;
    expect(problems(bad)).toEqual([
      'notify.yaml:2:1 link: must be an http or https address such as https://hooks.example.com/countersign, not "console.example.com"',
      'notify.yaml:4:11 channels.chat.type: must be one of webhook, slack, email, pagerduty, opsgenie, not "slak"; did you mean "slack"?',
      "notify.yaml:5:26 channels.hook.url: must hold no user and no password: name variables of the environment for them",
      "notify.yaml:5:70 channels.hook.secret_env: must name a variable of the environment, in capitals, such as SLACK_TOKEN; a secret itself does not belong into this file",
      'notify.yaml:6:48 channels.mail.from: must be an email address, not "me"',
      "notify.yaml:6:58 channels.mail.to: must not be empty, not []",
      "notify.yaml:7:1 routes: must not be empty, not []",
      'notify.yaml:8:1 colour: unknown key "colour"; known are link, channels, routes, slack',
    ]);
  });

  it("finds what goes together wrongly: channels that are not there, that page or cannot, and variables that are not set", () => {
    const bad = `
link: http://localhost:4680
channels:
  chat: { type: slack, token_env: SLACK, webhook_env: GONE }
  mail: { type: email, smtp: "smtp://mail:25", from: a@b.c, to: [a@b.c], user_env: SLACK, tls: none }
  oncall: { type: opsgenie, api_key_env: KEY }
routes:
  - { notify: [chta, oncall, { to: chat, at: "08:00" }], page: [mail] }
  - { owner: role:x }
slack: { signing_secret_env: NOPE, reviewers: {} }
`;
    expect(problems(bad)).toEqual([
      "notify.yaml:4:3 channels.chat: takes either webhook_env, or token_env with channel",
      "notify.yaml:4:42 channels.chat.webhook_env: the variable GONE is not set in the environment",
      "notify.yaml:5:3 channels.mail: takes user_env and password_env together",
      'notify.yaml:8:16 routes[0].notify[0]: there is no channel "chta"; did you mean "chat"?',
      'notify.yaml:8:22 routes[0].notify[1]: "oncall" is of type opsgenie, which does not tell people: it pages',
      "notify.yaml:8:42 routes[0].notify[2].at: goes with digest: daily",
      'notify.yaml:8:65 routes[0].page[0]: "mail" is of type email, which does not page',
      "notify.yaml:9:5 routes[1]: names no channel: give notify, page or both",
      "notify.yaml:10:10 slack.signing_secret_env: the variable NOPE is not set in the environment",
      "notify.yaml:10:36 slack.reviewers: names nobody, so nobody could reject",
    ]);
  });

  it("never repeats a value of the environment in what it says is wrong", () => {
    const config = parse(GOOD, { ...ENV, HOOK: "my-password" });
    expect(() => openChannels(config)).toThrow(/^channels\.hook\.secret_env: its value must be whsec_/);
    expect(problems(GOOD, { ...ENV, KEY: "  " }).join()).toBe(
      "notify.yaml:6:30 channels.oncall.routing_key_env: the variable KEY is not set in the environment",
    );
  });

  it("keeps the address of a webhook to the letter, and takes the slash off where paths are put behind", () => {
    const url = "https://hooks.example.com/in/";
    const source = GOOD.replace('url: "https://hooks.example.com/in"', `url: "${url}"`).replace(
      "routing_key_env: KEY",
      'routing_key_env: KEY, url: "https://pd.example.com/"',
    );
    const { channels, link } = parse(source);
    expect(link).toBe("https://console.example.com");
    expect(channels.get("hook")?.content).toMatchObject({ url });
    expect(channels.get("oncall")?.content).toMatchObject({ url: "https://pd.example.com" });
  });

  it("refuses quiet times that are none, or that never end", () => {
    const quiet = (lines: string) => problems(GOOD.replace('quiet: [{ from: "20:00", to: "07:00" }]', `quiet: ${lines}`));
    expect(quiet('[{ from: "20:00", to: "07:00" }, { from: "08:00", to: "08:00" }]')).toEqual([
      'notify.yaml:12:62 routes[0].quiet[1].to: is the same as from: for a whole day write from: "00:00", to: "24:00"',
    ]);
    expect(quiet('[{ from: "20:00", to: "08:00" }, { from: "08:00", to: "20:00" }]')).toEqual([
      "notify.yaml:12:5 routes[0].quiet: covers the whole week, so nobody would ever be told: leave some time out",
    ]);
  });
});
