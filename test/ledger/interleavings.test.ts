import { describe, expect, test } from "vitest";
import { CASES, type Case } from "./cases.ts";
import { allInterleavings, ITEM } from "./generator.ts";
import { difference, digestOf, entriesOf, foldDelivery } from "./harness.ts";
import { type Expected, judgeHistory } from "./oracle.ts";

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

describe("over every interleaving of its topics", () => {
  for (const wanted of CASES)
    test(wanted.title, () => {
      const due = judgeHistory(wanted.logs);
      expectState(due, wanted);
      const digest = digestOf(due);
      const entries = entriesOf(wanted.logs);
      let count = 0;
      for (const delivery of allInterleavings(wanted.logs)) {
        count++;
        const got = digestOf(foldDelivery(ITEM, entries, delivery));
        if (got !== digest) expect.fail(`${delivery.map((p) => p.join("@")).join(" ")}\n${difference(digest, got)}`);
      }
      expect(count).toBeGreaterThan(1);
    });
});
