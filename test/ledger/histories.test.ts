import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { asEvent, entriesOfHistory, foldDelivery, type History, readHistories } from "../../scripts/histories.ts";
import { sharedData } from "../shared-data.ts";
import { createRng, generateHistory, interleavings } from "./generator.ts";
import { difference, digestOf } from "./harness.ts";
import { type Expected, judgeHistory, type Logs } from "./oracle.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/fold-histories.ts", import.meta.url));
const FILES = ["basic", "full"].map((name) => [name, sharedData(`fold-histories/${name}.jsonl`)] as const);

for (const [name, path] of FILES)
  describe.skipIf(path === null)(`the shared histories in ${name}.jsonl`, () => {
    test("end in the expected state in every delivery, and none is skipped", async () => {
      let count = 0;
      for await (const history of readHistories(path as string)) {
        const due = digestOf(history.expected as unknown as Expected);
        const entries = entriesOfHistory(history);
        for (const [i, delivery] of history.deliveries.entries()) {
          const got = digestOf(foldDelivery(entries, delivery) as unknown as Expected);
          if (got !== due) expect.fail(`${history.name}, delivery ${i}\n${difference(due, got)}`);
        }
        count++;
      }
      expect(count).toBeGreaterThan(0);
    });

    test("are read by the independent oracle in the same way", async () => {
      for await (const history of readHistories(path as string)) {
        const due = digestOf(history.expected as unknown as Expected);
        const got = digestOf(judgeHistory(history.logs as Logs));
        if (got !== due) expect.fail(`${history.name}\n${difference(due, got)}`);
      }
    });
  });

describe("npm run fold:histories", () => {
  const folder = mkdtempSync(join(tmpdir(), "countersign-histories-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const run = (...args: string[]) => spawnSync(process.execPath, [SCRIPT, ...args], { encoding: "utf8" });
  const file = (text: string) => {
    const path = join(folder, `${Math.random().toString(36).slice(2)}.jsonl`);
    writeFileSync(path, text);
    return path;
  };
  const history = (seed: number): History => {
    const logs = generateHistory(seed, "full") as History["logs"];
    return { name: `generated ${seed}`, logs, deliveries: interleavings(logs as Logs, 3, createRng(seed)) };
  };

  test("answers every delivery with the state that it ends in, in the order of the file", () => {
    const histories = [3, 5, 7].map(history);
    const { stdout, stderr, status } = run(file(`${histories.map((h) => JSON.stringify(h)).join("\n\n")}\n`));
    expect(status).toBe(0);
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(answers.map((a) => [a.name, a.delivery])).toEqual(histories.flatMap((h) => [0, 1, 2].map((i) => [h.name, i])));
    for (const [i, answer] of answers.entries()) expect(digestOf(answer.state)).toBe(digestOf(judgeHistory(histories[Math.floor(i / 3)]?.logs as Logs)));
    expect(stderr).toMatch(/^3 histories, 9 deliveries folded, 0 skipped/);
  });

  test("skips and counts a history that no schema can hold", () => {
    const { stdout, stderr, status } = run(
      file(JSON.stringify({ name: "odd", logs: { verdicts: [{ eventId: "v", itemId: "i", approvals: "two" }] }, deliveries: [[["verdicts", 0]]] })),
    );
    expect([status, stdout]).toEqual([0, ""]);
    expect(stderr).toContain("skipped odd: /approvals cannot be held by the schema: it must be a whole number");
    expect(stderr).toContain("1 histories, 0 deliveries folded, 1 skipped");
  });

  test.each([
    ["{", /Line 1 is no history/],
    ['{"name":"x","logs":{"nowhere":[]},"deliveries":[]}', /names the topic "nowhere"/],
    ['{"name":"x","logs":{"proposals":{}},"deliveries":[]}', /`logs.proposals` must be a list/],
    ['{"name":"x","logs":{},"deliveries":[["proposals",0]]}', /`deliveries` must be lists of \[topic, offset\]/],
    ['{"name":"x","logs":{},"deliveries":[[["proposals",0]]]}', /names proposals@0, which is not in the logs/],
  ])("says what is wrong with %s, and fails", (line, sentence) => {
    const { stderr, status } = run(file(line));
    expect(status).toBe(1);
    expect(stderr).toMatch(sentence);
  });

  test("says that a file is missing, and how it is used", () => {
    const missing = run(join(folder, "nothing.jsonl"));
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain("cannot be read");
    expect(run().status).toBe(2);
  });

  test("reads an event as a reader of the schema does: foreign fields gone, missing ones empty, unknown symbols unrecognized", () => {
    const event = asEvent("receipts", { eventId: "r", itemId: "i", kind: "approve", lease: { id: "L" }, seen: {}, settlement: {} });
    expect(event).toMatchObject({ kind: "unrecognized", lease: { id: "L", endsAt: 0 }, answers: null, actor: { kind: "unrecognized", id: "", roles: [] } });
    expect(Object.keys(event)).not.toContain("seen");
  });
});
