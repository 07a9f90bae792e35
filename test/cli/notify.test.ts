import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type Endpoint, endpoint, until } from "../notify/endpoints.ts";
import { cli, lines, makeKey } from "./harness.ts";

const refunds = fileURLToPath(new URL("../../policies/refunds.yaml", import.meta.url));
const folders: string[] = [];
const endpoints: Endpoint[] = [];
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
async function duringUp(argv: readonly string[], work: (url: string, shown: string) => Promise<void>): Promise<{ out: string; err: string; code: number }> {
  const stop = new AbortController();
  let shown = "";
  const ready = Promise.withResolvers<string>();
  const ended = cli(["up", "--port", "0", ...argv], {
    env: ENV,
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

describe("notify test", () => {
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
