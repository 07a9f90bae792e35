import { describe, expect, test } from "vitest";
import { type Comparable, domainOf, unlikeMembers } from "../../src/gateway/service/unlike.ts";

const member = (n: number, more: Partial<Comparable> = {}): Comparable => ({ itemId: `i${n}`, amount: null, confidence: null, fields: [], ...more });
const amounts = (...list: number[]) => unlikeMembers(list.map((amount, n) => member(n, { amount })));
const confidences = (...list: (number | null)[]) => unlikeMembers(list.map((confidence, n) => member(n, { confidence })));
const customers = (...list: string[]) => unlikeMembers(list.map((value, n) => member(n, { fields: [{ label: "Customer", value }] })));

describe("an amount", () => {
  test("far from the others is named with the middle of them", () => {
    expect([...amounts(10, 12, 11, 9, 10, 480)]).toEqual([["i5", ["the amount is 480, where the others have 10.5 in the middle"]]]);
  });

  test("far below the others is named as well", () => {
    expect([...amounts(500, 510, 490, 505, 3).keys()]).toEqual(["i4"]);
  });

  test("is not named where the amounts are simply spread", () => {
    expect(amounts(10, 25, 40, 60, 85).size).toBe(0);
  });

  test("that differs by a little from equal ones is not named, one that differs by much is", () => {
    expect(amounts(100, 100, 100, 100, 101).size).toBe(0);
    expect([...amounts(100, 100, 100, 100, 400).keys()]).toEqual(["i4"]);
  });

  test("is named among equal ones however far off it is, and however many are", () => {
    expect([...amounts(50, 50, 50, 1e9).keys()]).toEqual(["i3"]);
    expect([...amounts(...Array(15).fill(50), ...Array(5).fill(5000)).keys()]).toEqual(["i15", "i16", "i17", "i18", "i19"]);
    expect([...amounts(0, 0, 0, 5).keys()]).toEqual(["i3"]);
    expect(amounts(50, 50, 50, 50).size).toBe(0);
  });

  test("is not compared where there are fewer than four", () => {
    expect(amounts(1, 1, 1000).size).toBe(0);
  });
});

describe("a confidence", () => {
  test("far below the others is named, one above them is not", () => {
    expect([...confidences(0.9, 0.92, 0.91, 0.9, 0.55)]).toEqual([["i4", ["the agent's confidence is 0.55, where the others have 0.9 in the middle"]]]);
    expect(confidences(0.7, 0.72, 0.71, 0.7, 0.99).size).toBe(0);
  });

  test("below equal ones is named from a gap of 0.1 on", () => {
    expect([...confidences(0.9, 0.9, 0.9, 0.1).keys()]).toEqual(["i3"]);
    expect([...confidences(0.9, 0.9, 0.9, 0.8).keys()]).toEqual(["i3"]);
    expect(confidences(0.9, 0.9, 0.9, 0.81).size).toBe(0);
  });

  test("that is missing where the others have one is named", () => {
    expect([...confidences(0.9, 0.92, 0.91, null)]).toEqual([["i3", ["the agent gives no confidence, where the others have one"]]]);
    expect(confidences(0.9, null, null, null).size).toBe(0);
  });
});

describe("a domain", () => {
  test("that is not the usual one of the same field is named", () => {
    const found = customers("a@example.com", "b@example.com", "c@Example.com", "d@elsewhere.net");
    expect([...found]).toEqual([["i3", ["Customer is at elsewhere.net, where 3 of 4 are at example.com"]]]);
  });

  test("is not named where none is usual", () => {
    expect(customers("a@one.com", "b@two.com", "c@three.com", "d@one.com").size).toBe(0);
  });

  test("is read from addresses and links, and from nothing else", () => {
    expect(
      ["Jo <jo@Example.com>", " jo@example.com ", "https://Example.com/x?y=1", "example.com", "a b@example.com", "https://", "@example.com"].map(domainOf),
    ).toEqual(["example.com", "example.com", "example.com", null, null, null, null]);
  });
});

test("what differs in two ways is named for both", () => {
  const list = [1, 2, 3, 4].map((n) => member(n, { amount: 10, confidence: 0.9 }));
  expect(unlikeMembers([...list, member(5, { amount: 900, confidence: 0.2 })]).get("i5")).toHaveLength(2);
});
