import { describe, expect, test } from "vitest";
import { CASES, type Case } from "./cases.ts";
import { generateHistory, ITEM, visitInterleavings } from "./generator.ts";
import { difference, digestOf, entriesOf, foldDelivery } from "./harness.ts";
import { type Expected, judgeHistory, type Logs } from "./oracle.ts";

const MEANING = { E: "effective", S: "superseded", I: "illegal", P: "parked" } as const;

function expectState(state: Expected, wanted: Case): void {
  expect(state.events).toMatchObject(Object.fromEntries(Object.entries(wanted.events).map(([key, short]) => [key, MEANING[short]])));
  for (const [id, part] of Object.entries(wanted.verdicts ?? {})) {
    const verdict = state.verdicts.find((v) => v.verdict === id);
    expect(verdict && { ...verdict, votes: [...verdict.votes].sort() }).toMatchObject(part);
  }
  if (wanted.grants) {
    expect(state.grants.map((g) => g.grant).sort()).toEqual(Object.keys(wanted.grants).sort());
    for (const [id, part] of Object.entries(wanted.grants)) expect(state.grants.find((g) => g.grant === id)).toMatchObject(part);
  }
  if (wanted.resumes) expect([...state.resumes].sort()).toEqual([...wanted.resumes].sort());
  expect([...state.undecodable].sort()).toEqual([...(wanted.undecodable ?? [])].sort());
}

/** Folds every interleaving, compares each with the rules, and gives their number. */
function foldAll(logs: Logs, digest: string): number {
  const entries = entriesOf(logs);
  let count = 0;
  let kept: string | undefined;
  visitInterleavings(logs, (delivery) => {
    const state = foldDelivery(ITEM, entries, delivery);
    const got = digestOf(state);
    const where = () => delivery.map((p) => p.join("@")).join(" ");
    if (got !== digest) expect.fail(`${where()}\n- rules, + fold\n${difference(digest, got)}`);
    const text = state.kept();
    if (text !== (kept ??= text)) expect.fail(`${where()}\nwhat the fold keeps depends on the delivery`);
    count++;
  });
  return count;
}

describe("over every interleaving of its topics", () => {
  for (const wanted of CASES)
    test(wanted.title, () => {
      const due = judgeHistory(wanted.logs);
      expectState(due, wanted);
      expect(foldAll(wanted.logs, digestOf(due))).toBeGreaterThan(1);
    });

  test("small generated histories end in one state each", { timeout: 120_000 }, () => {
    let histories = 0;
    let deliveries = 0;
    for (let seed = 1_000_000; histories < 200; seed++) {
      const logs = generateHistory(seed, seed % 2 === 0 ? "basic" : "full");
      const many = countOf(logs);
      if (many < 10 || many > 1500) continue;
      histories++;
      deliveries += foldAll(logs, digestOf(judgeHistory(logs)));
    }
    console.log(`${histories} small generated histories, all of their ${deliveries} interleavings`);
  });
});

/** How many interleavings there are: the multinomial of the lengths. */
function countOf(logs: Logs): number {
  let placed = 0;
  let count = 1;
  for (const log of Object.values(logs)) for (let i = 1; i <= (log?.length ?? 0); i++) count = (count * ++placed) / i;
  return Math.round(count);
}
