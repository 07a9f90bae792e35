import { expect, test } from "vitest";
import { insightsOf } from "../../src/evals/index.ts";
import { Script } from "./script.ts";

test("a run whose interrupt expired or still waits needed a person; one that policy let run did not, also where it is reviewed afterwards", async () => {
  const script = await Script.open();
  const asked = async (threadId: string, route: "allow" | "interrupt" | "batch", fields: object = {}) =>
    script.judge(await script.propose(threadId, { threadId }, { run: { framework: "t", threadId, step: 4, ended: false } }), route, fields);
  await asked("allowed", "allow");
  await asked("audited", "interrupt", { gate: "audit" });
  await asked("waits", "interrupt");
  await asked("lies in a batch", "batch");
  await script.decide(await asked("expired", "interrupt", { expiresAt: 1 }), "expire", { actor: { kind: "clock", id: "clock" }, seen: null });
  const { stepsBeforePerson, judgedByPeople, timeouts } = await insightsOf({ log: script.log, codec: script.codec });
  expect(stepsBeforePerson).toMatchObject({ runs: 5, neverNeeded: 2, median: 3 });
  expect([judgedByPeople, timeouts.expired]).toEqual([0, 1]);
});
