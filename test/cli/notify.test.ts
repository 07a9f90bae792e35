import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SMTPServerOptions } from "smtp-server";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Endpoint, endpoint, mailServer, SILENT, until } from "../notify/endpoints.ts";
import { cli, lines, makeKey } from "./harness.ts";

const refunds = fileURLToPath(new URL("../../policies/refunds.yaml", import.meta.url));
const folders: string[] = [];
const endpoints: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(endpoints.splice(0).map((e) => e.close())));
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "countersign-notify-"));
  folders.push(path);
  return path;
}

async function hook(...manners: Parameters<typeof endpoint>): Promise<Endpoint> {
  const made = await endpoint(...manners);
  endpoints.push(made);
  return made;
}

const ENV = { HOOK: `whsec_${Buffer.alloc(32, 3).toString("base64")}`, KEY: "r0uting-key" };

function fileFor(data: string, { url }: Endpoint, owner = ""): string {
  const file = join(data, "notify.yaml");
  writeFileSync(
    file,
    `link: https://c.example.com
channels:
  hook: { type: webhook, url: "${url}/hook", secret_env: HOOK, timeout: 1 }
  oncall: { type: pagerduty, url: "${url}", routing_key_env: KEY, timeout: 1 }
routes:
  - { ${owner}notify: [hook], page: [oncall] }
`,
  );
  return file;
}

/** Runs `up` in this process until `work` is done. Gives what it printed. */
async function duringUp(
  argv: readonly string[],
  work: (url: string, shown: string) => Promise<void>,
  env: Record<string, string> = ENV,
): Promise<{ out: string; err: string; code: number }> {
  const stop = new AbortController();
  let shown = "";
  const ready = Promise.withResolvers<string>();
  const ended = cli(["up", "--port", "0", ...argv], {
    env,
    signal: stop.signal,
    onOut: (text) => {
      shown += text;
      const url = /answers at (\S+)/.exec(shown)?.[1];
      if (url !== undefined) ready.resolve(url);
    },
  });
  ended.then((e) => ready.reject(new Error(`up ended with ${e.code}: ${e.err}`)));
  try {
    const url = await ready.promise;
    await work(url, shown);
  } finally {
    stop.abort();
  }
  return ended;
}

const main = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => Promise.all(children.splice(0).map(killed)));

/** `up` as a process of its own. */
async function spawned(argv: readonly string[]): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [main, "up", "--port", "0", ...argv], { env: { PATH: process.env.PATH, ...ENV } });
  children.push(child);
  let text = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (part) => {
      text += part;
      const found = /answers at (\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on("exit", (code) => reject(new Error(`up ended with ${code}: ${text}`)));
  });
  return { url, child };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

describe("up --notify", () => {
  it("tells owners what waits, shows it in `notifications` and over HTTP to reviewers of the workspace alone, and tells nobody twice", async () => {
    const [data, inbox] = [folder(), await hook({ status: 500, body: "full" })];
    const file = fileFor(data, inbox);
    const up = ["--data", data, "--policy", refunds, "--notify", file];
    await duringUp(up, async (url, shown) => {
      expect(shown).toContain(`notices go to hook, oncall (${file})`);
      const agent = { COUNTERSIGN_URL: url, COUNTERSIGN_API_KEY: await makeKey(data, "--scope", "agent", "--id", "a", "--workspace", "support") };
      const args = '{"order_id": "A-1", "customer_email": "jo@example.com", "amount": 40}';
      expect(await cli(["propose", "--tool", "issue_refund", "--args", args, "--evidence", "order=A-1", "--key", "k1"], { env: agent })).toMatchObject({
        code: 0,
      });
      await inbox.seen(1);
      const failed = await until(async () => lines((await cli(["notifications", "--failed", "--data", data, "--json"])).out)[0]);
      const { out: found } = await cli(["doctor", "--data", data, "--json"]);
      expect(JSON.parse(found).checks).toContainEqual(expect.objectContaining({ check: "notices", status: "look", found: ["hook: answered 500: full"] }));
      inbox.answer({ status: 200 });
      expect(failed).toMatchObject({ channel: "hook", attempts: 1, answer: "answered 500: full", owner: "role:support-lead" });
      await until(async () => (lines((await cli(["notifications", "--data", data, "--json"])).out)[0]?.state === "sent" ? true : undefined), 20_000);
      const get = async (...key: string[]) => {
        const response = await fetch(`${url}/v1/notifications`, { headers: { authorization: `Bearer ${await makeKey(data, ...key)}` } });
        return { status: response.status, body: await response.json() };
      };
      const here = await get("--scope", "reviewer", "--id", "r", "--workspace", "support");
      expect(here).toMatchObject({ status: 200, body: { sends: true, notifications: [{ state: "sent", kind: "decide", channel: "hook" }] } });
      expect(await get("--scope", "reviewer", "--id", "r", "--workspace", "other")).toMatchObject({ status: 200, body: { notifications: [] } });
      expect(await get("--scope", "agent", "--id", "b", "--workspace", "support")).toMatchObject({ status: 403 });
    });
    expect(inbox.got.map(({ body }) => body).join()).not.toMatch(/jo@example|A-1/);
    const sent = inbox.got.length;
    await duringUp(up, async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    expect(inbox.got).toHaveLength(sent);
    const { out } = await cli(["notifications", "--data", data]);
    expect(out).toMatch(/sent {2}hook {2}decide for role:support-lead, \d attempts\n {2}item [0-9a-f]{8}: 200\n/);
  }, 30_000);

  it("sends again under the same id what it was sending when it was killed, and nothing that it had sent", async () => {
    const [data, inbox] = [folder(), await hook({ status: 200 }, SILENT)];
    const first = await spawned(["--data", data, "--policy", refunds, "--notify", fileFor(data, inbox)]);
    const agent = { COUNTERSIGN_URL: first.url, COUNTERSIGN_API_KEY: await makeKey(data, "--scope", "agent", "--id", "a", "--workspace", "support") };
    const propose = (key: string) =>
      cli(
        [
          "propose",
          "--tool",
          "issue_refund",
          "--args",
          `{"order_id": "${key}", "customer_email": "jo@example.com", "amount": 40}`,
          "--evidence",
          "order=1",
          "--key",
          key,
        ],
        { env: agent },
      );
    await propose("A-1");
    await until(async () => (lines((await cli(["notifications", "--data", data, "--json"])).out)[0]?.state === "sent" ? true : undefined));
    await propose("A-2");
    await inbox.seen(2);
    await killed(first.child);
    inbox.answer({ status: 200 });
    const second = await spawned(["--data", data, "--notify", join(data, "notify.yaml")]);
    await inbox.seen(3);
    await until(async () => (lines((await cli(["notifications", "--data", data, "--json"])).out).every(({ state }) => state === "sent") ? true : undefined));
    await killed(second.child);
    const ids = inbox.got.map(({ headers }) => headers["webhook-id"]);
    expect(ids).toEqual([ids[0], ids[1], ids[1]]);
    expect(ids[0]).not.toBe(ids[1]);
  }, 60_000);

  it("lets a reviewer reject with the button of the message that Slack got, and the run hears of it", async () => {
    const [data, slack] = [folder(), await hook()];
    const file = join(data, "notify.yaml");
    writeFileSync(
      file,
      `link: https://c.example.com
channels: { chat: { type: slack, webhook_env: SLACK_HOOK } }
routes: [{ notify: [chat] }]
slack: { signing_secret_env: SIGNING, reviewers: { U7: dana }, responses: "${slack.url}/answers" }
`,
    );
    const env = { SLACK_HOOK: `${slack.url}/services/T/B/x`, SIGNING: "5igning" };
    await duringUp(
      ["--data", data, "--policy", refunds, "--notify", file],
      async (url) => {
        await makeKey(data, "--scope", "reviewer", "--id", "dana", "--roles", "support-lead", "--workspace", "support");
        const agent = { COUNTERSIGN_URL: url, COUNTERSIGN_API_KEY: await makeKey(data, "--scope", "agent", "--id", "a", "--workspace", "support") };
        const args = '{"order_id": "A-1", "customer_email": "jo@example.com", "amount": 40}';
        const { out } = await cli(["propose", "--tool", "issue_refund", "--args", args, "--evidence", "order=A-1", "--key", "k1", "--json"], { env: agent });
        const [message] = await slack.seen(1);
        const { blocks } = JSON.parse(message?.body as string) as { blocks: { block_id?: string; elements?: { action_id: string; value?: string }[] }[] };
        const row = blocks.find(({ elements }) => elements?.some(({ action_id }) => action_id === "countersign_reject"));
        const button = row?.elements?.find(({ action_id }) => action_id === "countersign_reject");
        const press = {
          ...{ type: "block_actions", user: { id: "U7" }, response_url: `${slack.url}/answers/1`, message: { blocks } },
          actions: [{ ...button, block_id: row?.block_id, action_ts: "1.5" }],
        };
        const body = new URLSearchParams({ payload: JSON.stringify(press) }).toString();
        const at = String(Math.floor(Date.now() / 1000));
        const signature = `v0=${createHmac("sha256", env.SIGNING).update(`v0:${at}:${body}`).digest("hex")}`;
        const headers = { "x-slack-request-timestamp": at, "x-slack-signature": signature, "content-type": "application/x-www-form-urlencoded" };
        expect((await fetch(`${url}/v1/slack/interactions`, { method: "POST", headers, body })).status).toBe(200);
        const { itemId } = JSON.parse(out) as { itemId: string };
        const told = await cli(["outcome", itemId, "--wait", "10", "--json"], { env: agent });
        expect(JSON.parse(told.out)).toMatchObject({ status: "refused", message: "Refused." });
        await slack.seen(2);
        expect(slack.got[1]).toMatchObject({ path: "/answers/1", body: expect.stringContaining("Rejected by dana. Nothing runs.") });
      },
      env,
    );
  }, 30_000);

  it("says plainly that nobody is told where it is left out, and whom a file forgets", async () => {
    const data = folder();
    await duringUp(["--data", data], async (_url, shown) => expect(shown).toContain("Nobody is told what waits: --notify FILE says whom to tell, and how"));
    const file = fileFor(data, await hook(), "owner: role:somebody-else, ");
    await duringUp(["--data", data, "--policy", refunds, "--notify", file], async (_url, shown) =>
      expect(shown).toMatch(/nobody tells role:support-lead, role:payments-oncall: no route of .* is for them/),
    );
    expect(await cli(["notifications", "--data", data])).toMatchObject({ code: 0, out: expect.stringContaining("No notice was sent yet") });
  });

  it("does not start with a file that is wrong, and opens nothing for it", async () => {
    const data = folder();
    const file = join(data, "bad.yaml");
    writeFileSync(file, "link: https://c.example.com\nchannels: { hook: { type: webhook, url: ftp://x, secret_env: HOOK } }\nroutes: [{ notify: [hook] }]\n");
    const told = await cli(["up", "--data", join(data, "new"), "--port", "0", "--notify", file], { env: ENV });
    expect(told).toMatchObject({ code: 2, out: "", err: expect.stringContaining("bad.yaml:2:36 channels.hook.url: must be an http or https address") });
    expect(await cli(["up", "--data", data, "--notify", join(data, "none.yaml")])).toMatchObject({ code: 2, err: expect.stringContaining("--notify") });
    expect(await cli(["notifications", "--data", join(data, "new")])).toMatchObject({ code: 4 });
  });
});

const openssl = spawnSync("openssl", ["version"]).status === 0;
// As without Kafka: what CI does not run must not look as if it had passed.
if (!openssl) console.warn("skipped: mail over TLS, as there is no openssl to make a certificate with");

describe("notify test", () => {
  it.skipIf(!openssl && !process.env.CI)(
    "logs in and sends mail over STARTTLS and TLS where the certificate is vouched for, and sends nothing where it is not",
    async () => {
      const data = folder();
      const [key, cert] = [join(data, "key.pem"), join(data, "cert.pem")];
      const made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
      expect(spawnSync("openssl", ["req", ...made, "-keyout", key, "-out", cert]).status).toBe(0);
      const tls = { key: readFileSync(key), cert: readFileSync(cert), authOptional: false };
      const onAuth: SMTPServerOptions["onAuth"] = ({ username, password }, _session, done) =>
        username === "bot" && password === "pa55" ? done(null, { user: "bot" }) : done(new Error("wrong password"));
      const servers = [await mailServer({ ...tls, onAuth }), await mailServer({ ...tls, onAuth, secure: true })];
      endpoints.push(...servers);
      const [starttls, direct] = servers;
      const file = join(data, "notify.yaml");
      const channel = (smtp: string, password: string) =>
        `{ type: email, smtp: "${smtp}", from: c@example.com, to: [lead@example.com], user_env: U, password_env: ${password}, timeout: 5 }`;
      writeFileSync(
        file,
        `link: https://c.example.com
channels:
  starttls: ${channel(`smtp://127.0.0.1:${starttls?.port}`, "P")}
  direct: ${channel(`smtps://127.0.0.1:${direct?.port}`, "P")}
  wrong: ${channel(`smtp://127.0.0.1:${starttls?.port}`, "WRONG")}
routes: [{ notify: [starttls, direct, wrong] }]
`,
      );
      const run = (env: Record<string, string>) =>
        new Promise<{ channel: string; ok: boolean; answer: string }[]>((resolve) => {
          const variables = { PATH: process.env.PATH, U: "bot", P: "pa55", WRONG: "n0t-it", ...env };
          execFile(process.execPath, [main, "notify", "test", "--notify", file, "--json"], { env: variables }, (_error, out) => resolve(lines(out)));
        });
      const trusting = await run({ NODE_EXTRA_CA_CERTS: cert });
      expect(trusting.map(({ channel, ok }) => [channel, ok])).toEqual([
        ["starttls", true],
        ["direct", true],
        ["wrong", false],
      ]);
      expect(JSON.stringify(trusting)).not.toMatch(/n0t-it|pa55/);
      expect(servers.map(({ mails }) => mails.map(({ secure, to }) => [secure, ...to]))).toEqual([[[true, "lead@example.com"]], [[true, "lead@example.com"]]]);
      const doubting = await run({});
      expect(doubting.map(({ ok, answer }) => [ok, /certificate/i.test(answer)])).toEqual(Array(3).fill([false, true]));
      expect(servers.flatMap(({ mails }) => mails)).toHaveLength(2);
    },
    60_000,
  );

  it("sends one harmless notice to every channel, resolves what it paged, and says what came back", async () => {
    const [data, inbox] = [folder(), await hook({ status: 202, body: '{"status":"success"}' })];
    const file = fileFor(data, inbox);
    expect(await cli(["notify", "test", "--notify", file], { env: ENV })).toEqual({
      ...{ code: 0, err: "" },
      out: "took it  hook (webhook): 202\ntook it  oncall (pagerduty): 202, resolved: 202\n",
    });
    expect(inbox.got.map(({ path }) => path)).toEqual(["/hook", "/v2/enqueue", "/v2/enqueue"]);
    expect(JSON.parse(inbox.got[0]?.body as string)).toMatchObject({
      data: { subject: "Countersign: a test notice", notices: [{ kind: "test", items: [], url: null }] },
    });
    expect(inbox.got.slice(1).map(({ body }) => JSON.parse(body).event_action)).toEqual(["trigger", "resolve"]);
  });

  it("ends with 1 where a channel did not take it, tries the others, and keeps secrets to itself", async () => {
    const [data, inbox] = [folder(), await hook({ status: 400, body: "bad key r0uting-key" })];
    const file = fileFor(data, inbox);
    const { code, out } = await cli(["notify", "test", "--notify", file, "--json"], { env: ENV });
    expect(code).toBe(1);
    expect(lines(out)).toEqual([
      { channel: "hook", type: "webhook", ok: false, answer: "answered 400: bad key r0uting-key" },
      { channel: "oncall", type: "pagerduty", ok: false, answer: "answered 400: bad key ***" },
    ]);
    expect(await cli(["notify", "test", "--notify", file, "--channel", "hoook"], { env: ENV })).toMatchObject({
      code: 2,
      err: expect.stringContaining("hook, oncall"),
    });
  });
});
