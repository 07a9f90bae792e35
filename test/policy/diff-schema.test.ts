import { describe, expect, it } from "vitest";
import { diffPolicies } from "../../src/policy/diff/diff.ts";
import { inputOf } from "../../src/policy/testing/input.ts";
import { judgeFully } from "../../src/policy/testing/run.ts";
import { loaded, PAY } from "./testing/helpers.ts";

const sending = (properties: string, more = "") =>
  loaded(`actions:\n  send: { arguments: { type: object, properties: { ${properties} }, required: [v]${more} }, reversibility: reversible, risk: low }\n`);

describe("a loosened schema of arguments", () => {
  it.each([
    ["a longer text", "v: { type: string, maxLength: 3 }", "v: { type: string }"],
    ["a longer text by one", "v: { type: string, maxLength: 30 }", "v: { type: string, maxLength: 31 }"],
    ["a shorter text", "v: { type: string, minLength: 9 }", "v: { type: string, minLength: 8 }"],
    ["a text without its pattern", "v: { type: string, pattern: '^[A-Z]{2}-[0-9]+$' }", "v: { type: string }"],
    ["a text without its format", "v: { type: string, format: email }", "v: { type: string }"],
    ["a list of more members", "v: { type: array, items: { type: string }, maxItems: 3 }", "v: { type: array, items: { type: string }, maxItems: 30000 }"],
    ["a list of more numbers", "v: { type: array, items: { type: number }, maxItems: 3 }", "v: { type: array, items: { type: number }, maxItems: 4 }"],
    ["a list with the same member twice", "v: { type: array, items: { type: string }, uniqueItems: true }", "v: { type: array, items: { type: string } }"],
    ["a larger number", "v: { type: number, maximum: 0.5 }", "v: { type: number, maximum: 0.51 }"],
    ["a number that is no whole one", "v: { type: integer }", "v: { type: number }"],
    ["any multiple", "v: { type: integer, multipleOf: 4 }", "v: { type: integer }"],
    ["any value", "v: { enum: [a, b] }", "v: {}"],
    [
      "a larger number in an object",
      "v: { type: object, properties: { id: { type: string }, n: { type: number, maximum: 5 } }, required: [id] }",
      "v: { type: object, properties: { id: { type: string }, n: { type: number, maximum: 500 } }, required: [id] }",
    ],
    [
      "a larger number in a list of objects",
      "v: { type: array, items: { type: object, properties: { n: { type: number, maximum: 5 } }, required: [n] } }",
      "v: { type: array, items: { type: object, properties: { n: { type: number } }, required: [n] } }",
    ],
    [
      "an object without a member",
      "v: { type: object, properties: { id: { type: string }, of: { type: string } }, required: [id, of] }",
      "v: { type: object, properties: { id: { type: string }, of: { type: string } }, required: [id] }",
    ],
    [
      "other members of an object",
      "v: { type: object, properties: { id: { type: string } }, additionalProperties: false }",
      "v: { type: object, properties: { id: { type: string } } }",
    ],
  ])("is found by a value that only the new one takes: %s", (_, before, after) => {
    const [was, is] = [sending(before), sending(after)];
    const looser = diffPolicies(was, is).filter(({ direction }) => direction === "looser");
    expect(looser.map(({ action }) => action)).toContain("send");
    const [old, now] = [was, is].map((policy) => judgeFully([policy.compiled], inputOf(looser[0]!.witness!, "w")).route);
    expect([old, now]).toEqual(["forbid", "allow"]);
    // The other way round nothing of it is looser.
    expect(diffPolicies(is, was).filter(({ direction }) => direction === "looser")).toEqual([]);
  });

  it("is found where other arguments are no longer refused", () => {
    const found = diffPolicies(sending("v: { type: string }", ", additionalProperties: false"), sending("v: { type: string }"));
    expect(found.map(({ action, direction }) => [action, direction])).toEqual([["send", "looser"]]);
  });

  it("does not end in a schema that holds itself", () => {
    const tree = (most: number) =>
      sending(
        `v: { $ref: "#/$defs/node" }`,
        `, $defs: { node: { type: object, properties: { n: { type: number, maximum: ${most} }, next: { type: array, items: { $ref: "#/$defs/node" } } } } }`,
      );
    expect(diffPolicies(tree(5), tree(6)).map(({ direction }) => direction)).toContain("looser");
  });
});

describe("what repeats", () => {
  it("is looser where more arguments have to be the same", () => {
    const twice = (by: string) => loaded(`${PAY}duplicates: [{ id: d, action: pay, ${by} window: P1D, forbid: true }]\n`);
    const looser = (before: string, after: string) => diffPolicies(twice(before), twice(after)).filter(({ direction }) => direction === "looser");
    expect(looser("by: [/to],", "").map(({ lost }) => lost)).toContainEqual(["d"]);
    expect(looser("", "by: [/to],").flatMap(({ lost }) => lost)).toEqual([]);
  });
});

describe("what today's verdicts do not show", () => {
  const CASES = [
    [
      "a record kept for a shorter time",
      "require: { audit_retention: P7Y }\n",
      "require: { audit_retention: P1Y }\n",
      "audit record kept",
      "2555 days → 365 days",
    ],
    ["a record kept for no time that is said", "require: { audit_retention: P30D }\n", "", "audit record kept", "30 days → no time said"],
  ] as const;
  it.each(CASES)("is read from the documents: %s", (_, before, after, name, change) => {
    const aspects = (a: string, b: string) => {
      const found = diffPolicies(loaded(PAY + a), loaded(PAY + b)).filter(({ action, witness }) => action === "pay" && witness === null);
      return found.flatMap((region) => region.aspects.filter((one) => one.name === name).map((one) => [region.direction, `${one.before} → ${one.after}`]));
    };
    expect(aspects(before, after)).toEqual([["looser", change]]);
    expect(aspects(after, before)).toEqual([["stricter", change.split(" → ").reverse().join(" → ")]]);
  });

  it("holds a floor that became a rule for looser: the next grant may lower it", () => {
    const floor = loaded(PAY);
    const line = PAY.split("\n").find((one) => one.includes("id: frozen")) as string;
    const rule = loaded(PAY.replace(`floors:\n${line}\n`, "").replace("rules:\n", `rules:\n${line}\n`));
    const aspect = { name: "layer of frozen", before: "floor", after: "rule", direction: "looser" };
    expect(diffPolicies(floor, rule)).toContainEqual(
      expect.objectContaining({ action: "(the floors of this document)", direction: "looser", witness: null, aspects: [aspect] }),
    );
    expect(diffPolicies(rule, floor).map(({ direction }) => direction)).not.toContain("looser");
  });
});
