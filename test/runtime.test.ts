import { expect, test } from "vitest";
import { AppendOutcomeUnknown, CountersignError } from "../src/errors.ts";
import type { EventLog } from "../src/log/log.ts";
import { openLog } from "../src/log/open.ts";
import { loadCodec } from "../src/log/schemas.ts";
import { writer } from "../src/runtime.ts";

test("a writer whose first attempt may have been appended never says that nothing was", async () => {
  const { log, registry } = await openLog("memory:");
  let attempts = 0;
  const faulty: EventLog = {
    ...{ partitions: log.partitions, url: log.url, read: log.read.bind(log), heads: () => log.heads(), close: () => log.close() },
    async append(records) {
      if (++attempts > 1) throw new CountersignError("log_unavailable", "the log is away", { retryable: true });
      await log.append(records);
      throw new AppendOutcomeUnknown("the answer was lost");
    },
  };
  const write = writer(faulty, await loadCodec(registry), Date.now);
  const error = await write("policies", "policy:w:halts", {
    workspace: "w",
    actor: { kind: "authority", id: "a" },
    kind: "halt",
    policyId: "halts",
    scope: "{}",
  }).catch((e) => e);
  expect([attempts, error.code]).toEqual([2, "append_outcome_unknown"]);
  expect((await log.heads()).filter((head) => head.next > 0)).toHaveLength(1);
  await log.close();
});
