import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decideFromGold } from "../../examples/airline/reviewer.ts";
import { canonicalArgs, canonicalize } from "../../src/events/canonical.ts";
import { argsError } from "../../src/ledger/args-schema.ts";
import { readTools } from "../../src/producers/tools.ts";
import { callsOf } from "../../src/producers/transcript-calls.ts";
import { readTranscripts } from "../../src/producers/transcripts.ts";
import { sharedData } from "../shared-data.ts";

const gold = [
  { name: "pay", arguments: { bill: 7, to: "ann" } },
  { name: "pay", arguments: { bill: 8, to: "bob" } },
];
const call = (tool: string, args: object) => ({ tool, args: canonicalArgs(args).args });

test("a call that equals any right call is approved, whatever the order of its keys, and as often as it comes", () => {
  for (let i = 0; i < 2; i++) expect(decideFromGold(call("pay", { to: "bob", bill: 8.0 }), gold)).toEqual({ kind: "approve" });
});

test("a call of the right tool with other arguments is edited to the first right call of that tool", () => {
  expect(decideFromGold(call("pay", { bill: 9, to: "bob" }), gold)).toEqual({ kind: "edit", args: { bill: 7, to: "ann" } });
});

test("a call of a tool that no right call uses is rejected with a reason", () => {
  expect(decideFromGold(call("wipe", {}), gold)).toMatchObject({ kind: "reject", reasonCodes: ["not_wanted"], message: expect.stringContaining("wipe") });
  expect(decideFromGold(call("pay", {}), []).kind).toBe("reject");
});

const data = sharedData("tau-bench-airline");

describe.skipIf(data === null)("on the recorded airline runs (skipped without ../shared/data)", () => {
  const consequential = /^(book_reservation|cancel_reservation|update_reservation_.*|send_certificate|transfer_to_human_agents)$/;
  const read = (name: string) => (data === null ? "[]" : readFileSync(`${data}/${name}`, "utf8"));

  test("167 consequential calls come to 37 approvals, 79 edits and 51 rejections, and every edit passes its tool's schema and changes something", () => {
    const tools = readTools(read("tools.json"), "tools.json");
    const decisions = readTranscripts(read("runs.jsonl"), { file: "runs.jsonl" }).flatMap((run) =>
      callsOf(run)
        .calls.filter((c) => consequential.test(c.tool))
        .map((c) => ({ call: c, decision: decideFromGold(c, run.goldActions ?? []) })),
    );
    const count = (kind: string) => decisions.filter((d) => d.decision.kind === kind).length;
    expect([decisions.length, count("approve"), count("edit"), count("reject")]).toEqual([167, 37, 79, 51]);
    for (const { call: c, decision } of decisions) {
      if (decision.kind !== "edit") continue;
      expect(argsError(tools.schemas.get(c.tool) as string, decision.args)).toBeNull();
      expect(canonicalize(decision.args)).not.toBe(c.args);
    }
  });
});
