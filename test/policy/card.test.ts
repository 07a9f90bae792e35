import { describe, expect, it } from "vitest";
import { canonicalize, sha256 } from "../../src/events/canonical.ts";
import { parseTemplate } from "../../src/policy/document/template.ts";
import { moneyText, plain, valueText } from "../../src/policy/render.ts";
import { judgeCall, policy, proposal, verdict } from "./helpers.ts";

const described = (more: string, rest = "") => `actions:
  pay:
    arguments: { type: object, properties: { amount: { type: number }, to: { type: string }, token: { type: string }, deep: { type: object, properties: { pin: { type: string }, a: {} } } } }
    reversibility: irreversible
    risk: high
    amount: { path: /amount, unit: EUR }
    ${more}
${rest}`;
const card = (text: string, args: unknown) => judgeCall(text, { tool: "pay", args }).card;

describe("a card", () => {
  it("is rendered from the templates and the real arguments", () => {
    const text = described(
      'card: { headline: "Pay {/amount|money} to {/to}", if_approved: "{{gone}}", rollback: "{/deep}" }\n    fields: { /to: { label: Payee } }',
    );
    expect(card(text, { amount: 1234567.5, to: "Ann", deep: { a: [1] } })).toMatchObject({
      headline: "Pay EUR 1,234,567.50 to Ann",
      ifApproved: "{gone}",
      rollback: '{"a":[1]}',
      why: "pay cannot be undone, so a person decides.",
    });
  });

  it("shows every argument, the described ones first, and says of a missing one that it is not given", () => {
    const text = described("fields: { /to: { label: Payee }, /deep/a: { label: Part } }");
    expect(card(text, { amount: 1, extra: null })?.fields.map((f) => [f.label, f.path, f.value])).toEqual([
      ["Payee", "/to", "(not given)"],
      ["Part", "/deep/a", "(not given)"],
      ["amount", "/amount", "EUR 1.00"],
      ["extra", "/extra", "null"],
    ]);
    expect(card(described('card: { headline: "To {/to}" }'), {})?.headline).toBe("To (not given)");
  });

  it("marks what a rule matched on", () => {
    const text = described("", "rules: [{ id: r, when: { args: { /deep/a: { is: 1 } } }, raise: { risk: critical }, because: b }]\n");
    expect(card(text, { deep: { a: 1 }, to: "x" })?.fields.map((f) => [f.path, f.unusual])).toEqual([
      ["/deep", true],
      ["/to", false],
    ]);
  });

  it("never shows a secret: not in fields, headline, templates or matches", () => {
    const rules =
      'rules: [{ id: r, when: { args: { /token: { prefix: "s3" } } }, raise: { risk: critical }, because: b }, { id: q, when: { args: { /deep: { is: { pin: p1n } } } }, raise: { risk: critical }, because: b }]\n';
    for (const more of ["", 'card: { headline: "{/token} {/deep} {/deep/pin}" }']) {
      const v = judgeCall(described(`fields: { /token: { class: secret }, /deep/pin: { class: secret } }\n    ${more}`, rules), {
        tool: "pay",
        args: { token: "s3cr3t", deep: { pin: "p1n", a: "shown" } },
      });
      expect(JSON.stringify({ ...v, matched: v.matched.map((m) => m.operand) })).not.toMatch(/s3cr3t|p1n/);
      expect(JSON.stringify(v.card)).toContain("shown");
    }
  });

  it("makes visible what would mislead: direction of writing, invisible characters, line ends, terminal codes", () => {
    const to = "a\u202egnp.exe\u200b\r\n\u001b[2Jb\u00ad\u{e0041}\tc\ufe0f";
    const shown = "a⟨U+202E⟩gnp.exe⟨U+200B⟩⏎⟨U+001B⟩[2Jb⟨U+00AD⟩⟨U+E0041⟩⇥c⟨U+FE0F⟩";
    const c = card(described('card: { headline: "To {/to}" }'), { to });
    expect(c?.headline).toBe(`To ${shown}`);
    expect(c?.fields.find((f) => f.path === "/to")?.value).toBe(shown);
    const odd = judgeCall("actions: {}\n", { tool: "x\u202ey\nz", args: { "k\u202e": 1 } });
    expect(odd.card?.fields.map(({ label, value }) => [label, value])).toEqual([["k⟨U+202E⟩", "1"]]);
    expect(odd.card?.headline).toBe("Run x⟨U+202E⟩y⏎z with k⟨U+202E⟩ 1");
  });

  it("shortens what is long, with its length, and stays small whatever the arguments", () => {
    expect(card(described('card: { headline: "To {/to}" }'), { to: "x".repeat(5000) })?.headline).toBe(`To ${"x".repeat(200)}… (5000 characters)`);
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}${"y".repeat(30)}`, "\u0000".repeat(6)]));
    const v = judgeCall("actions: {}\n", { args: many });
    expect(v.card?.fields).toHaveLength(201);
    expect(v.card?.fields.at(-1)).toMatchObject({ value: "2800 more arguments are not shown", unusual: true });
    expect(JSON.stringify(v).length).toBeLessThan(300_000);
    const wide = judgeCall("actions: {}\n", { args: { [`k${"y".repeat(200_000)}`]: "\u202e".repeat(10_000) } });
    expect(JSON.stringify(wide).length).toBeLessThan(30_000);
  });

  it("is known by the hash of its canonical JSON", () => {
    const v = verdict([policy(described(""))], proposal({ tool: "pay", args: { to: "Ann" } }));
    expect(v.cardSha256).toBe(sha256(canonicalize(v.card)));
  });

  it("names the record that the receipt is attached to, or none where a part of its id is missing", () => {
    const text = described('receipt_target: { system: crm, id: "{/to}/{/amount}", url: "https://crm.example/{/to}" }');
    expect(judgeCall(text, { tool: "pay", args: { to: "ann", amount: 3 } }).receiptTarget).toEqual({
      system: "crm",
      id: "ann/3",
      url: "https://crm.example/ann",
    });
    expect(judgeCall(text, { tool: "pay", args: { to: "ann" } }).receiptTarget).toBeNull();
  });
});

describe("plain text", () => {
  it("never cuts a character in two", () => {
    expect(plain("👍👍👍", 2)).toBe("👍… (3 characters)");
    expect(valueText("", 9)).toBe('""');
  });

  it.each([
    [1250, "USD 1,250.00"],
    [0.5, "USD 0.50"],
    [-1234.567, "USD -1,234.567"],
    ["99.9", "USD 99.90"],
    [1e21, "1e+21"],
    ["12 apples", "12 apples"],
    [undefined, "(not given)"],
  ])("an amount of %j reads %s, never rounded", (value, text) => {
    expect(moneyText(value, "USD", 100)).toBe(text);
  });

  it.each(["{amount}", "{}", "{/a|x}", "a}", "{/a", "{/~2}"])("a template %j is refused", (text) => {
    expect(() => parseTemplate(text)).toThrow();
  });
});
