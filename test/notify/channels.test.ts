import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { emailChannel } from "../../src/notify/channels/email.ts";
import { opsgenieChannel, pagerdutyChannel } from "../../src/notify/channels/pager.ts";
import { slackChannel } from "../../src/notify/channels/slack.ts";
import { webhookChannel } from "../../src/notify/channels/webhook.ts";
import { type Message, messageId, type Notice } from "../../src/notify/notice.ts";
import { wordsOf } from "../../src/notify/words.ts";
import { BROKEN, type Endpoint, endpoint, mailServer, SILENT, SLACK } from "./endpoints.ts";

const LINK = "https://console.example.com";
const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const ITEM = "0123456789abcdef0123456789abcdef";
const VERDICT = "01990a2c-0000-7000-8000-000000000001";
const NOTICE: Notice = {
  key: `item/${ITEM}/${VERDICT}/1`,
  kind: "decide",
  workspace: "support",
  owner: "role:support-lead",
  items: [ITEM],
  batchId: null,
  risk: "critical",
  tools: ["issue_refund"],
  agent: "support-agent",
  deadline: Date.UTC(2026, 10, 21, 18, 30),
  step: 1,
  page: true,
  seen: { verdict: VERDICT, cardSha256: "c".repeat(64) },
};
const message = (over: Partial<Message> = {}): Message => ({ id: messageId("a"), action: "notify", notices: [NOTICE], zone: "Europe/Zurich", ...over });
const send = (channel: { send: ReturnType<typeof webhookChannel>["send"] }, m = message(), ms = 2000) =>
  channel.send(m, wordsOf(m, LINK), AbortSignal.timeout(ms));

const open: { close(): Promise<void> }[] = [];
async function listening(...manners: Parameters<typeof endpoint>): Promise<Endpoint> {
  const made = await endpoint(...manners);
  open.push(made);
  return made;
}
async function mailing(...options: Parameters<typeof mailServer>): ReturnType<typeof mailServer> {
  const made = await mailServer(...options);
  open.push(made);
  return made;
}
afterEach(() => Promise.all(open.splice(0).map((o) => o.close())));
afterAll(() => expect(open).toEqual([]));

describe("a signed webhook", () => {
  it("carries a signature that a receiver can check, under an id that is the same on every attempt", async () => {
    const hook = await listening();
    const channel = webhookChannel("hook", { url: `${hook.url}/in`, secret: SECRET, link: LINK, timeoutMs: 2000 });
    expect(await send(channel)).toBe("200");
    await send(channel);
    const [first, second] = hook.got;
    for (const request of [first, second]) {
      const headers = request?.headers as Record<string, string>;
      expect(new Webhook(SECRET).verify(request?.body as string, headers)).toMatchObject({ type: "countersign.notice" });
      expect(() => new Webhook(SECRET).verify(`${request?.body} `, headers)).toThrow(/signature/i);
    }
    expect(first?.headers["webhook-id"]).toBe(second?.headers["webhook-id"]);
    expect(JSON.parse(first?.body as string).data.notices).toEqual([
      {
        ...{ kind: "decide", workspace: "support", owner: "role:support-lead", items: [ITEM], batchId: null, risk: "critical", tools: ["issue_refund"] },
        ...{ agent: "support-agent", deadline: "2026-11-21T18:30:00.000Z", step: 1, page: true, url: `${LINK}/items/${ITEM}` },
      },
    ]);
  });

  it("fails where the receiver refuses, redirects, breaks off, says nothing or is not there", async () => {
    const hook = await listening({ status: 500, body: "no\nroom" }, { status: 302, headers: { location: "https://evil.example.com/" } }, BROKEN, SILENT);
    const channel = webhookChannel("hook", { url: hook.url, secret: SECRET, link: LINK, timeoutMs: 300 });
    await expect(send(channel)).rejects.toMatchObject({ message: "answered 500: no\nroom", final: false, retryable: true });
    await expect(send(channel)).rejects.toMatchObject({ message: "answered 302" });
    await expect(send(channel)).rejects.toMatchObject({ message: expect.stringMatching(/^no answer: /) });
    await expect(send(channel, message(), 200)).rejects.toMatchObject({ message: "no answer: it took too long" });
    await hook.close();
    open.splice(0);
    await expect(send(channel)).rejects.toMatchObject({ message: "no answer: the connection was refused" });
  });

  it("waits as long as the receiver asks, and gives up where it is gone for good", async () => {
    const hook = await listening({ status: 429, headers: { "retry-after": "7" } }, { status: 410 });
    const channel = webhookChannel("hook", { url: hook.url, secret: SECRET, link: LINK, timeoutMs: 2000 });
    await expect(send(channel)).rejects.toMatchObject({ retryAfterMs: 7000, final: false });
    await expect(send(channel)).rejects.toMatchObject({ final: true, retryable: false });
  });

  it("waits for a slow answer, and takes it", async () => {
    const hook = await listening((response) => void setTimeout(() => response.writeHead(204).end(), 400));
    expect(await send(webhookChannel("hook", { url: hook.url, secret: SECRET, link: LINK, timeoutMs: 2000 }))).toBe("204");
  });

  it("reads no more of an endless answer than it needs, and does not wait for its end", async () => {
    const hook = await listening((response) => {
      response.writeHead(500);
      const more = setInterval(() => response.write("x".repeat(4096)), 1);
      response.on("close", () => clearInterval(more));
    });
    const channel = webhookChannel("hook", { url: hook.url, secret: SECRET, link: LINK, timeoutMs: 2000 });
    const error: Error = await send(channel).then(
      () => new Error("taken"),
      (e: Error) => e,
    );
    expect(error.message).toMatch(/^answered 500: x+$/);
    expect(error.message.length).toBeLessThan(9000);
  });

  it("is not opened with a secret that could be guessed", () => {
    for (const secret of ["whsec_c2hvcnQ=", "a password", ""])
      expect(() => webhookChannel("hook", { url: "http://127.0.0.1", secret, link: LINK, timeoutMs: 1 })).toThrow(/channels\.hook\.secret_env/);
  });
});

describe("Slack", () => {
  it("gets blocks with a link to decide and, where it may answer, a button that rejects exactly this verdict and card", async () => {
    const slack = await listening(SLACK);
    const target = { api: `${slack.url}/api`, token: "xoxb-1", channel: "#approvals" };
    expect(await send(slackChannel("s", { target, reject: true, timeoutMs: 2000 }))).toBe("ok 17.1");
    expect(slack.got[0]).toMatchObject({ path: "/api/chat.postMessage", headers: { authorization: "Bearer xoxb-1" } });
    const { blocks, channel } = JSON.parse(slack.got[0]?.body as string);
    expect(channel).toBe("#approvals");
    expect(blocks.map((b: { type: string }) => b.type)).toEqual(["header", "section", "actions"]);
    const [link, reject] = blocks[2].elements;
    expect(link).toMatchObject({ url: `${LINK}/items/${ITEM}`, text: { text: "Open to decide" } });
    expect(reject).toMatchObject({ action_id: "countersign_reject", value: `${ITEM}/${VERDICT}/${"c".repeat(64)}`, confirm: { style: "danger" } });
    await send(slackChannel("s", { target, reject: false, timeoutMs: 2000 }));
    expect(JSON.parse(slack.got[1]?.body as string).blocks[2].elements).toHaveLength(1);
    expect(slack.got[1]?.body).not.toMatch(/approve/i);
  });

  it("counts as failed where it answers 200 and took nothing", async () => {
    const slack = await listening(
      { status: 200, body: '{"ok":false,"error":"channel_not_found"}' },
      { status: 200, body: "<html>" },
      { status: 200, body: "no_service" },
    );
    const bot = slackChannel("s", { target: { api: slack.url, token: "t", channel: "#x" }, reject: false, timeoutMs: 2000 });
    await expect(send(bot)).rejects.toThrow("Slack said channel_not_found");
    await expect(send(bot)).rejects.toThrow("no JSON");
    await expect(send(slackChannel("s", { target: { webhook: slack.url }, reject: false, timeoutMs: 2000 }))).rejects.toThrow("Slack said no_service");
  });

  it("has taken a message whose answer is long, since Slack sends the whole message back, and also one whose answer has no end", async () => {
    const slack = await listening(SLACK, (response) => {
      response.writeHead(200);
      response.write('{"ok":true,"ts":"17.2","message":{"text":"');
      const more = setInterval(() => response.write("x".repeat(65_536)), 1);
      response.on("close", () => clearInterval(more));
    });
    const bot = slackChannel("s", { target: { api: slack.url, token: "t", channel: "#x" }, reject: true, timeoutMs: 5000 });
    const notices = Array.from({ length: 40 }, (_, i) => ({ ...NOTICE, key: `k${i}` }));
    expect(await send(bot, message({ notices }), 5000)).toBe("ok 17.1");
    expect(slack.got[0]?.body.length).toBeGreaterThan(8 * 1024);
    expect(await send(bot, message(), 5000)).toBe("ok");
  });

  it("takes a whole digest: no more blocks than Slack allows, and the rest as a number", async () => {
    const slack = await listening({ status: 200, body: "ok" });
    const notices = Array.from({ length: 60 }, (_, i) => ({ ...NOTICE, key: `k${i}` }));
    await send(slackChannel("s", { target: { webhook: slack.url }, reject: true, timeoutMs: 2000 }), message({ notices }));
    const { blocks } = JSON.parse(slack.got[0]?.body as string);
    expect(blocks.length).toBeLessThanOrEqual(50);
    expect(JSON.stringify(blocks)).toContain("and 40 more");
  });
});

describe("email", () => {
  const options = (port: number, over = {}) => ({
    ...{ server: `smtp://127.0.0.1:${port}`, from: "countersign@example.com", to: ["lead@example.com", "second@example.com"], login: undefined },
    ...{ tls: "none" as const, timeoutMs: 1000, ...over },
  });

  it("goes out as plain text with the link, under a Message-ID that is the same on every attempt", async () => {
    const { port, mails } = await mailing({ hideSTARTTLS: true });
    const channel = emailChannel("m", options(port));
    expect(await send(channel)).toMatch(/^250/);
    await send(channel);
    expect(mails).toHaveLength(2);
    expect(mails[0]).toMatchObject({ from: "countersign@example.com", to: ["lead@example.com", "second@example.com"] });
    expect(mails[0]?.text).toContain("Subject: Escalated, step 1: issue_refund waits for support-lead");
    expect(mails[0]?.text.replaceAll("=\r\n", "")).toContain(`\r\n${LINK}/items/${ITEM}\r\n`);
    expect(mails[0]?.text).toContain("Auto-Submitted: auto-generated");
    expect(mails.map(({ text }) => /^Message-ID: (.*)$/im.exec(text)?.[1])).toEqual(Array(2).fill(`<${messageId("a")}@example.com>`));
  });

  it("goes nowhere without TLS where TLS is required, and not to a server whose certificate nobody vouches for", async () => {
    const plain = await mailing({ disabledCommands: ["STARTTLS"] });
    await expect(send(emailChannel("m", options(plain.port, { tls: "required" })))).rejects.toThrow(/STARTTLS|TLS/);
    const selfSigned = await mailing();
    await expect(send(emailChannel("m", options(selfSigned.port, { tls: "required" })))).rejects.toThrow(/certificate/);
    expect([...plain.mails, ...selfSigned.mails]).toEqual([]);
  });

  it("fails where the server refuses the login or the recipient, or says nothing", async () => {
    const refusing = await mailing({ hideSTARTTLS: true, onRcptTo: (_address, _session, done) => done(new Error("no such user here")) });
    await expect(send(emailChannel("m", options(refusing.port)))).rejects.toThrow(/no such user here/);
    const silent = await mailing({ hideSTARTTLS: true, onMailFrom: () => {} });
    await expect(send(emailChannel("m", options(silent.port)), message(), 300)).rejects.toThrow("it took too long");
  });

  it("says so where only some recipients were taken", async () => {
    const some = await mailing({
      hideSTARTTLS: true,
      onRcptTo: ({ address }, _session, done) => done(address.startsWith("second") ? new Error("unknown") : null),
    });
    expect(await send(emailChannel("m", options(some.port)))).toContain("not taken for 1 of 2 addresses");
  });
});

describe("paging", () => {
  it("triggers one PagerDuty incident for an item, its verdict and step, and resolves the same", async () => {
    const pd = await listening({ status: 202, body: '{"status":"success"}' });
    const channel = pagerdutyChannel("pd", { url: pd.url, secret: "R0UTE", link: LINK, timeoutMs: 2000 });
    expect(await send(channel)).toBe("202");
    await send(channel, message({ action: "resolve" }));
    const [trigger, resolve] = pd.got.map(({ body }) => JSON.parse(body));
    expect(pd.got.map(({ path }) => path)).toEqual(["/v2/enqueue", "/v2/enqueue"]);
    expect(trigger).toMatchObject({
      ...{ routing_key: "R0UTE", event_action: "trigger", dedup_key: `countersign/${NOTICE.key}` },
      payload: { severity: "critical", source: "countersign", summary: expect.stringContaining("Escalated, step 1: issue_refund waits") },
      links: [{ href: `${LINK}/items/${ITEM}` }],
    });
    expect(resolve).toEqual({ routing_key: "R0UTE", event_action: "resolve", dedup_key: trigger.dedup_key });
  });

  it("opens and closes one Opsgenie alert by its alias", async () => {
    const og = await listening({ status: 202, body: "{}" });
    const channel = opsgenieChannel("og", { url: og.url, secret: "K3Y", link: LINK, timeoutMs: 2000 });
    await send(channel);
    await send(channel, message({ action: "resolve" }));
    const alias = `countersign/${NOTICE.key}`;
    expect(og.got[0]).toMatchObject({ method: "POST", path: "/v2/alerts", headers: { authorization: "GenieKey K3Y" } });
    expect(JSON.parse(og.got[0]?.body as string)).toMatchObject({ alias, priority: "P1", details: { item: ITEM, step: "1" } });
    expect(og.got[1]?.path).toBe(`/v2/alerts/${encodeURIComponent(alias)}/close?identifierType=alias`);
  });

  it("counts as failed where something else than a pager answers 200", async () => {
    const other = await listening({ status: 200, body: "<html>welcome</html>" });
    const options = { url: other.url, secret: "x", link: LINK, timeoutMs: 2000 };
    await expect(send(pagerdutyChannel("pd", options))).rejects.toThrow("not as PagerDuty does");
    await expect(send(opsgenieChannel("og", options))).rejects.toThrow("not as Opsgenie does");
  });
});
