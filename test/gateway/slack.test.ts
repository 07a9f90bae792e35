import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Gateway, startGateway } from "../../src/gateway/server.ts";
import { slackMessage } from "../../src/notify/channels/slack.ts";
import { wordsOf } from "../../src/notify/words.ts";
import type { ItemView } from "../../src/producers/wire/answers.ts";
import { noticesFrom } from "../../src/workers/notices.ts";
import { type Endpoint, endpoint } from "../notify/endpoints.ts";
import { openWorld, type World } from "./world.ts";

const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
let world: World;
let gateway: Gateway;
let responses: Endpoint;
let ahead = 0;

beforeAll(async () => {
  world = await openWorld({ now: () => Date.now() + ahead });
  responses = await endpoint({ status: 200, body: "ok" });
  const reviewers = new Map([
    ["U1", "carol"],
    ["U2", "erin"],
    ["U3", "nobody-with-a-key"],
    ["U4", "mallory"],
  ]);
  const slack = { signingSecret: SECRET, reviewers, responses: `${responses.url}/answers` };
  gateway = await startGateway(world.ledger, { port: 0, local: world.keys, slack, report: () => {} });
});
afterAll(async () => {
  await gateway.close();
  await responses.close();
  await world.close();
});

interface Press {
  readonly user?: string;
  readonly value?: string;
  readonly ts?: string;
  readonly type?: string;
  readonly actionId?: string;
  readonly responseUrl?: string;
}

/** The form that Slack posts when a button of a message is pressed. */
function form(item: ItemView, press: Press = {}): string {
  const { user = "U1", ts = "1763740000.12", type = "block_actions", actionId, responseUrl = `${responses.url}/answers/1` } = press;
  const [notice] = noticesFrom(world.ledger.queries, world.ledger.batches, world.ledger.now).of(item.itemId);
  const message = { id: "m", action: "notify" as const, zone: "UTC", notices: notice === undefined ? [] : [notice] };
  const blocks = notice === undefined ? [] : slackMessage(message, wordsOf(message, "https://c.example.com"), true).blocks;
  const button = (blocks as { block_id?: string; elements?: { action_id: string; value?: string }[] }[]).flatMap(({ block_id, elements = [] }) =>
    elements.filter(({ action_id }) => action_id === "countersign_reject").map((e) => ({ ...e, block_id })),
  )[0];
  const action = { action_id: actionId ?? "countersign_reject", block_id: button?.block_id, value: press.value ?? button?.value, action_ts: ts };
  return new URLSearchParams({
    payload: JSON.stringify({ type, user: { id: user }, actions: [action], response_url: responseUrl, message: { blocks } }),
  }).toString();
}

async function post(
  body: string,
  { at = Math.floor((Date.now() + ahead) / 1000), secret = SECRET, method = "POST", headers = {} as Record<string, string> } = {},
): Promise<number> {
  const signature = `v0=${createHmac("sha256", secret).update(`v0:${at}:${body}`).digest("hex")}`;
  const sent = { "x-slack-request-timestamp": String(at), "x-slack-signature": signature, "content-type": "application/x-www-form-urlencoded", ...headers };
  const response = await fetch(`${gateway.url}/v1/slack/interactions`, { method, headers: sent, ...(method === "GET" ? {} : { body }) });
  await response.text();
  return response.status;
}

const pending = () => world.judged({ tool: "issue_refund", args: { amount: 20, to: "jo@example.com" } });
const stageOf = (item: ItemView) => world.ledger.queries.item(item.itemId)?.stage;
const lastAnswer = () =>
  JSON.parse(responses.got.at(-1)?.body ?? "{}") as { text?: string; replace_original?: boolean; response_type?: string; blocks?: object[] };

describe("rejecting in Slack", () => {
  it("rejects as the reviewer that the Slack user stands for, on the card of the message, without a reason that nobody gave, and says so in its place", async () => {
    const item = await pending();
    expect(await post(form(item))).toBe(200);
    const view = (await world.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
    expect(view).toMatchObject({ decision: { kind: "reject", by: "person:carol" } });
    const event = await world.ledger.events.get(item.itemId, "decisions", view.decision?.eventId as string);
    expect(event).toMatchObject({
      seen: { cardSha256: item.cardSha256 },
      review: { channel: "chat" },
      message: null,
      reasonCodes: [],
      actor: { roles: ["support-lead"] },
    });
    expect(lastAnswer()).toMatchObject({ replace_original: true, text: "Rejected by carol. Nothing runs." });
    expect(JSON.stringify(lastAnswer().blocks)).not.toContain("countersign_reject");
  });

  it("does nothing for a request that Slack has not signed, that was changed, or that is old, from the future, or sent by GET", async () => {
    const item = await pending();
    const body = form(item);
    const now = Math.floor((Date.now() + ahead) / 1000);
    expect(await post(body, { secret: "another" })).toBe(401);
    expect(await post(body, { headers: { "x-slack-signature": "" } })).toBe(401);
    expect(await post(body, { headers: { "x-slack-signature": "v0=00" } })).toBe(401);
    expect(await post(body, { headers: { "x-slack-request-timestamp": String(now - 1) } })).toBe(401);
    expect(await post(body, { at: now - 301 })).toBe(401);
    expect(await post(body, { at: now + 400 })).toBe(401);
    expect(await post(body, { method: "GET" })).toBe(405);
    expect(await post("payload=no+json")).toBe(422);
    expect(stageOf(item)).toBe("pending");
    const { timeline } = (await world.call<ItemView>("lead", "GET", `/v1/items/${item.itemId}`)).body;
    expect(timeline.map(({ what }) => what)).toEqual(["review", "interrupt"]);
  });

  it("decides once where the same press arrives again, and refuses a second press", async () => {
    const item = await pending();
    const body = form(item, { ts: "1763740001.5" });
    expect(await post(body)).toBe(200);
    ahead += 200_000;
    expect(await post(body)).toBe(200);
    expect(lastAnswer().text).toBe("Rejected by carol. Nothing runs.");
    expect(world.ledger.queries.timeline(item.itemId).filter(({ topic }) => topic === "decisions")).toHaveLength(1);
    expect(await post(form(item, { ts: "1763740002.5", value: targetOf(body) }))).toBe(200);
    expect(lastAnswer()).toMatchObject({ response_type: "ephemeral", text: expect.stringMatching(/^Not rejected\. /) });
  });

  it("fails closed for a user whom nobody mapped, whose reviewer has no key here, another role, or another workspace", async () => {
    const item = await pending();
    for (const [user, why] of [
      ["U9", /You are no reviewer here/],
      ["U3", /has no valid reviewer key/],
      ["U4", /has no valid reviewer key/],
      ["U2", /^Not rejected\..*role:support-lead/],
    ] as const) {
      expect(await post(form(item, { user }))).toBe(200);
      expect([user, lastAnswer()]).toMatchObject([user, { response_type: "ephemeral", text: expect.stringMatching(why) }]);
    }
    const { keyId, key } = world.keys.createKey({ scope: "reviewer", id: "nobody-with-a-key", roles: ["support-lead"] });
    expect(key).toBeDefined();
    world.keys.revokeKey(keyId);
    expect(await post(form(item, { user: "U3" }))).toBe(200);
    expect(stageOf(item)).toBe("pending");
  });

  it("refuses what has changed since the message was sent", async () => {
    const item = await pending();
    const before = form(item);
    const { body } = await world.decide("lead", item, {
      kind: "edit",
      edits: [{ actionId: item.actions[0]?.actionId, args: { amount: 1200, to: "jo@example.com" } }],
    });
    expect(body).toMatchObject({ status: "effective" });
    expect(await post(before)).toBe(200);
    expect(lastAnswer().text).toMatch(/^Not rejected\./);
    expect(stageOf(item)).toBe("pending");
  });

  it("knows no other button: nothing can be approved from a chat, and a link that was opened changes nothing", async () => {
    const item = await pending();
    const sent = responses.got.length;
    for (const actionId of ["countersign_approve", "countersign_open_0"]) expect(await post(form(item, { actionId }))).toBe(200);
    expect(await post(form(item, { type: "view_submission" }))).toBe(200);
    expect(await post(form(item, { value: "../../v1/halts" }))).toBe(200);
    expect(stageOf(item)).toBe("pending");
    expect(responses.got.length).toBe(sent + 1);
  });

  it("speaks to Slack's own address and to no other, whatever a request names", async () => {
    const item = await pending();
    const sent = responses.got.length;
    expect(await post(form(item, { user: "U9", responseUrl: `${responses.url}/elsewhere` }))).toBe(200);
    expect(await post(form(item, { user: "U9", responseUrl: `${responses.url}/answers.evil` }))).toBe(200);
    expect(responses.got.length).toBe(sent);
  });

  it("is not there where the configuration names no signing secret", async () => {
    const response = await fetch(`${world.gateway.url}/v1/slack/interactions`, { method: "POST", body: "payload={}" });
    expect(response.status).toBe(404);
  });
});

function targetOf(body: string): string {
  return (JSON.parse(new URLSearchParams(body).get("payload") as string) as { actions: { value: string }[] }).actions[0]?.value ?? "";
}
