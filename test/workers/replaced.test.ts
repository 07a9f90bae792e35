import { expect, test } from "vitest";
import type { EventOf } from "../../src/events/types.generated.ts";
import type { Item, ResumeNode } from "../../src/ledger/item.ts";
import { createItem, keyOf } from "../../src/ledger/item.ts";
import { NO_RECEIPTS } from "../../src/ledger/receipts.ts";
import type { Queries } from "../../src/projector/queries.ts";
import { replacedItem } from "../../src/workers/replaced.ts";

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
    group: { ...NO_RECEIPTS, startedAt },
  };
  item.workspace = "w";
  item.proposal = "p";
  item.nodes.set(keyOf("proposals", "p"), { topic: "proposals", id: "p", agentId: "bot" } as never);
  item.nodes.set(keyOf("resumes", "g"), grant);
  return item;
}

const proposal = { replaces: true, retryOf: "old", agent: { id: "bot" }, workspace: "w" } as EventOf["proposals"];
const views = (item: Item) => ({ item: () => ({ item, stage: "done", outcome: "withheld" }) }) as unknown as Queries;

test("what replaces an item of which something may have run waits for a person, however that item ended", () => {
  expect(replacedItem(views(withheld(1000)), proposal)).toEqual({ why: "It is to replace old, which was not withdrawn in time: it ended as withheld" });
  expect(replacedItem(views(withheld(null)), proposal)).toBeNull();
});
