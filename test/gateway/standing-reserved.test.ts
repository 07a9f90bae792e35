import { afterAll, beforeAll, expect, test } from "vitest";
import { canonicalize, type Json, parseStrict, sha256 } from "../../src/events/canonical.ts";
import { scopeText } from "../../src/policy/budgets/standing.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import { publicationArgs } from "../../src/policy/publication.ts";
import { PUBLISH_TOOL } from "../../src/policy/publish-tool.ts";
import type { StandingsAnswer } from "../../src/producers/wire/standing.ts";
import { openWorld, POLICY, type World } from "./world.ts";

const GUARDED = `${POLICY}\npublish: { approval: { owner: role:support-lead } }\n`;
let world: World;
let bot: string;
beforeAll(async () => {
  world = await openWorld({ policy: GUARDED });
  bot = world.keys.createKey({ scope: "agent", id: "pay-bot", owner: "person:ada" }).key;
});
afterAll(() => world.close());

/** An agent proposes a version of the document in force. */
function publication(version: string) {
  const { version: inForce, document } = publishable(GUARDED, "policy.yaml", () => "");
  const written = parseStrict(document) as { [key: string]: Json };
  const next = canonicalize({ ...written, version });
  const before = { ref: { id: "support", version: inForce }, workspace: "default", written };
  const args = publicationArgs(before, { policyId: "support", version, document: next, sha256: sha256(next) });
  return world.judged({ tool: PUBLISH_TOOL, args, run: { threadId: "p" } }, bot);
}

test("no standing approval is given on a change of a policy document", async () => {
  const item = await publication("two");
  expect(item).toMatchObject({ route: "interrupt", stage: "pending" });
  const { status, body } = await world.decide("lead", item, { kind: "approve", standing: { max: 5 } });
  expect([status, body]).toMatchObject([403, { code: "not_allowed", detail: expect.stringContaining("policy document") }]);
});

test("a standing approval that names the tool of publications, however it came about, stands in for nobody there", async () => {
  const gift = await world.judged({ tool: "send_gift", args: { value: 1 }, run: { threadId: "p" } }, bot);
  const view = world.ledger.queries.item(gift.itemId);
  const { position } = await world.ledger.write("decisions", gift.itemId, {
    workspace: "default",
    answers: { topic: "verdicts", eventId: view?.life.verdict?.id as string },
    actor: { kind: "person", id: "carol", roles: ["support-lead"] },
    kind: "approve",
    scope: "action",
    seen: { cardSha256: view?.life.verdict?.terms.cardSha256 as string },
    standing: { scope: scopeText({ agent: "pay-bot", tools: [PUBLISH_TOOL, "send_gift"] }), max: 9, amount: null, until: Date.now() + 3_600_000 },
  });
  await world.ledger.waitFor([position]);
  const { body } = await world.call<StandingsAnswer>("lead", "GET", "/v1/standing");
  expect(body.standing).toMatchObject([{ inForce: true, scope: { tools: [PUBLISH_TOOL, "send_gift"] } }]);
  expect(await publication("three")).toMatchObject({ route: "interrupt", stage: "pending", standing: null });
});
