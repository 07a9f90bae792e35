import { expect, test } from "vitest";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { Item, ResumeNode } from "../../src/ledger/item.ts";
import { createItem, keyOf } from "../../src/ledger/item.ts";
import { NO_RECEIPTS } from "../../src/ledger/receipts.ts";
import type { Queries } from "../../src/projector/queries.ts";
import { openTries } from "../../src/workers/other-tries.ts";
import { followed } from "../../src/workers/replaced.ts";

/** An item that ended as withheld after a retry, whose first execution began or did not. */
function withheld(startedAt: number | null): Item {
  const item = createItem("old");
  const grant: ResumeNode = {
    topic: "resumes",
    id: "g",
    cause: "verdicts/v",
    outcome: "proceed",
    actions: [],
    notAfter: null,
    grantedAt: 0,
    group: { ...NO_RECEIPTS, startedAt, closedBy: { kind: "failed", id: "r" } },
  };
  item.workspace = "w";
  item.proposal = "p";
  item.nodes.set(keyOf("proposals", "p"), { topic: "proposals", id: "p", agentId: "bot", retryOf: null, verdict: "v" } as never);
  item.nodes.set(keyOf("verdicts", "v"), {
    topic: "verdicts",
    id: "v",
    resume: "g",
    actions: [],
    terms: {},
    group: { closedBy: { kind: "approve" } },
  } as never);
  item.nodes.set(keyOf("resumes", "g"), grant);
  return item;
}

const proposal = { replaces: true, retryOf: "old", agent: { id: "bot" }, workspace: "w", itemId: "new", actions: [{}] } as unknown as EventOf["proposals"];
const views = (item: Item) => ({ item: (id: string) => (id === "old" ? { item, stage: "done", outcome: "withheld" } : undefined) }) as unknown as Queries;
const judged = (item: Item, of = proposal) => followed(views(item), openTries(views(item), { of: () => [] }), of);

test("what replaces an item of which something may have run waits for a person, however that item ended", () => {
  const why = "It is to replace old, which was not withdrawn in time: it ended as withheld";
  expect(judged(withheld(1000))).toEqual({ code: "not_replaced", why });
  expect(judged(withheld(null))).toBeNull();
});

test("what names an item of another agent waits for a person, whether it is to replace it or to try it again", () => {
  const stranger = { ...proposal, agent: { ...proposal.agent, id: "other" } };
  expect(judged(withheld(null), stranger)).toEqual({ code: "not_replaced", why: "It is to replace old, which is no item of this agent" });
  const again = { ...stranger, replaces: false };
  expect(judged(withheld(null), again)).toEqual({ code: "tried_before", why: "It is to try again old, which is no item of this agent" });
});
