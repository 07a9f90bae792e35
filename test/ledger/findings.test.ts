import { describe, expect, it } from "vitest";
import type { AnyEvent, Topic } from "../../src/events/topics.ts";
import { foldEvent } from "../../src/ledger/fold.ts";
import { createItem } from "../../src/ledger/item.ts";
import { MapMemory } from "../../src/ledger/memory.ts";
import { decision, logs, plan, proposal, receipt, resume } from "./build.ts";
import { ALLOW, AUDIT, GRANT, onV, P } from "./cases/case.ts";
import { ITEM, visitInterleavings } from "./generator.ts";
import { entriesOf } from "./harness.ts";
import type { Logs, Loose } from "./oracle.ts";

/** The findings of a history, which must be the same in every interleaving. */
function findingsOf(parts: { [topic in Topic]?: (Loose | null)[] }): string[] {
  const history: Logs = logs(parts);
  const entries = entriesOf(history);
  let answer: string[] | undefined;
  visitInterleavings(history, (delivery) => {
    const item = createItem(ITEM);
    const memory = new MapMemory();
    for (const [topic, offset] of delivery)
      foldEvent(item, memory, entries[topic]![offset] as { topic: Topic; offset: number; event: AnyEvent; contentSha256: string });
    const found = [...memory.findings.values()].map((f) => `${f.code} ${f.eventId}`).sort();
    expect(found).toEqual((answer ??= found));
  });
  return answer ?? [];
}

const base = { proposals: [P], verdicts: [ALLOW], resumes: [GRANT] };
const say = (kind: string, id: string, rest: Loose = {}) => receipt(kind, id, "resumes/g", kind === "started" ? `lease ${id}` : null, rest);

describe("what a person should look at", () => {
  it.each(["succeeded", "failed"])("%s without a start, whatever comes later", (kind) => {
    expect(findingsOf({ ...base, receipts: [say(kind, "r1"), say("started", "s")] })).toEqual(["receipt_without_start r1"]);
  });

  it("an end that comes when the grant is closed", () => {
    expect(findingsOf({ ...base, receipts: [say("started", "s"), say("failed", "f"), say("succeeded", "late")] })).toEqual(["late_receipt late"]);
  });

  it("not a start that lost its race, which happens every day and tells of nothing", () => {
    expect(findingsOf({ ...base, receipts: [say("started", "s"), say("started", "s2"), say("succeeded", "ok"), say("started", "s3")] })).toEqual([]);
  });

  it("arguments that differ from the granted ones, of what took effect", () => {
    expect(findingsOf({ ...base, receipts: [say("started", "s", { argsSha256: "0".repeat(64) })] })).toEqual(["args_differ s"]);
  });

  it("a receipt on a resume that never took effect", () => {
    const second = resume("proceed", "g2", "verdicts/v", ["s1"]);
    expect(findingsOf({ ...base, resumes: [GRANT, second], receipts: [receipt("started", "s", "resumes/g2", "L")] })).toEqual(["receipt_without_grant s"]);
  });

  const doubt = [say("started", "s"), receipt("unknown", "u", "resumes/g", "lease s")];
  const retry = decision("settle", "st", "receipts/u", "dee", { settlement: { outcome: "retry", externalRef: null } });

  it.each(["lapsed", "revoked"])("a retry that %s: what was in doubt before it is not cleared up", (kind) => {
    const again = resume("proceed", "g2", "decisions/st", ["s1"]);
    const parts = { ...base, decisions: [retry], resumes: [GRANT, again] };
    expect(findingsOf({ ...parts, receipts: [...doubt, receipt(kind, "end", "resumes/g2")] })).toEqual(["left_in_doubt end"]);
  });

  it("a retry that was withheld", () => {
    expect(findingsOf({ ...base, decisions: [retry], resumes: [GRANT, resume("withheld", "no", "decisions/st")], receipts: doubt })).toEqual([
      "left_in_doubt no",
    ]);
  });

  it.each(["failed", "lapsed", "revoked"])("a roll_back that %s", (kind) => {
    const back = resume("roll_back", "b", "decisions/r", ["s1"]);
    const started = kind === "failed" ? [receipt("started", "s2", "resumes/b", "L2")] : [];
    const receipts = [say("started", "s"), say("succeeded", "ok"), ...started, receipt(kind, "end", "resumes/b")];
    expect(findingsOf({ ...base, verdicts: [AUDIT], decisions: [onV("reject", "r")], resumes: [GRANT, back], receipts })).toEqual(["not_rolled_back end"]);
  });

  it.each([
    ["failed", ["not_rolled_back end"]],
    ["succeeded", []],
  ])("a roll_back whose unknown outcome is settled as %s", (outcome, codes) => {
    const back = resume("roll_back", "b", "decisions/r", ["s1"]);
    const receipts = [say("started", "s"), say("succeeded", "ok"), receipt("started", "s2", "resumes/b", "L2"), receipt("unknown", "u2", "resumes/b", "L2")];
    const settled = decision("settle", "end", "receipts/u2", "dee", { settlement: { outcome, externalRef: { system: "crm", id: "1", url: null } } });
    expect(findingsOf({ ...base, verdicts: [AUDIT], decisions: [onV("reject", "r"), settled], resumes: [GRANT, back], receipts })).toEqual(codes);
  });

  it("a plan that goes no further: taken back between two steps, or settled as succeeded with a step left", () => {
    const parts = { proposals: [proposal("p", plan)], verdicts: [ALLOW], resumes: [resume("proceed", "g", "verdicts/v", ["s1", "s2"])] };
    expect(findingsOf({ ...parts, receipts: [say("started", "s"), say("succeeded", "ok"), receipt("revoked", "end", "resumes/g")] })).toEqual([
      "plan_cut_short end",
    ]);
    const settled = (id: string, outcome: string) =>
      decision("settle", id, "receipts/u", "dee", { settlement: { outcome, externalRef: { system: "crm", id: "1", url: null } } });
    expect(findingsOf({ ...parts, decisions: [settled("yes", "succeeded")], receipts: doubt })).toEqual(["plan_cut_short yes"]);
    expect(findingsOf({ ...parts, decisions: [settled("no", "failed")], receipts: doubt })).toEqual([]);
  });

  it("a proposal that names another agent than the one who wrote it", () => {
    expect(findingsOf({ proposals: [proposal("p", { actor: { kind: "agent", id: "mallory", roles: [] } })] })).toEqual(["agent_differs p"]);
    expect(findingsOf({ proposals: [P] })).toEqual([]);
  });
});
