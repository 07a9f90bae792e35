import { expect, test } from "vitest";
import type { AnyEvent, Topic } from "../../src/events/topics.ts";
import { foldEvent } from "../../src/ledger/fold.ts";
import { createItem } from "../../src/ledger/item.ts";
import { MapMemory } from "../../src/ledger/memory.ts";
import { owedTo } from "../../src/ledger/owed.ts";
import { decision, logs, receipt, resume } from "./build.ts";
import { AUDIT, GRANT, onV, P } from "./cases/case.ts";
import { ITEM } from "./generator.ts";
import { entriesOf } from "./harness.ts";
import type { Loose } from "./oracle.ts";

/** What the dispatcher owes after these logs. */
function resumesOwed(parts: { [topic in Topic]?: Loose[] }): (string | null)[] {
  const item = createItem(ITEM);
  const memory = new MapMemory();
  for (const entries of Object.values(entriesOf(logs(parts))))
    for (const entry of entries ?? []) foldEvent(item, memory, entry as { topic: Topic; offset: number; event: AnyEvent; contentSha256: string });
  return owedTo(item)
    .filter((o) => o.worker === "dispatcher")
    .map((o) => o.names);
}

const ran = [receipt("started", "s", "resumes/g", "L"), receipt("succeeded", "ok", "resumes/g")];
const undone = [receipt("started", "b1", "resumes/b", "B"), receipt("unknown", "u", "resumes/b", "B")];
const retry = decision("settle", "st", "receipts/u", "dee", { settlement: { outcome: "retry", externalRef: null } });
const base = { proposals: [P], verdicts: [AUDIT] };

test("a roll_back is owed once what it undoes is at rest, and again when a person settles that it is tried again", () => {
  expect(resumesOwed({ ...base, resumes: [GRANT], receipts: ran.slice(0, 1), decisions: [onV("reject", "r")] })).toEqual([]);
  expect(resumesOwed({ ...base, resumes: [GRANT], receipts: ran, decisions: [onV("reject", "r")] })).toEqual(["roll_back"]);
  const back = [GRANT, resume("roll_back", "b", "decisions/r", ["s1"])];
  expect(resumesOwed({ ...base, resumes: back, receipts: [...ran, ...undone], decisions: [onV("reject", "r")] })).toEqual([]);
  expect(resumesOwed({ ...base, resumes: back, receipts: [...ran, ...undone], decisions: [onV("reject", "r"), retry] })).toEqual(["roll_back"]);
});
