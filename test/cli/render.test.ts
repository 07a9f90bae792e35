import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { renderQueue } from "../../src/cli/render/queue.ts";
import { renderShow } from "../../src/cli/render/show.ts";
import { widthOf } from "../../src/cli/text.ts";
import { MASKED } from "../../src/policy/render.ts";
import { DONE, NOW, PLAN, QUEUE, REFUND } from "./fixtures.ts";

const plain = { width: 80, now: NOW, colors: pc.createColors(false) };
const HOSTILE = "\u001b[2J\u001b]0;owned\u0007 approve\u202eevorppa\u0085 \ud83d\ude00 漢字漢字 ".repeat(12);

function longest(text: string): number {
  return Math.max(...text.split("\n").map(widthOf));
}

describe("the queue at 80 columns", () => {
  it("says the sentence first, then why, then owner, time left and the decisions allowed", async () => {
    await expect(`${renderQueue(QUEUE, plain, true)}\n`).toMatchFileSnapshot("golden/queue.txt");
  });

  it("says so where nothing waits", () => {
    expect(renderQueue([], plain, false)).toBe("Nothing waits.");
  });

  it("keeps to the width, whatever an agent wrote", () => {
    const item = { ...QUEUE[0]!, owner: HOSTILE, summary: { headline: HOSTILE, why: HOSTILE + "x".repeat(300), risk: "high" } };
    const text = renderQueue([item], plain, false);
    expect(longest(text)).toBeLessThanOrEqual(80);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it("colours nothing but what it says: without the escapes it is the same text", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes of colours
    const bare = renderQueue(QUEUE, { ...plain, colors: pc.createColors(true) }, true).replace(/\u001b\[\d+m/g, "");
    expect(bare).toBe(renderQueue(QUEUE, plain, true));
  });
});

describe("show at 80 columns", () => {
  it("shows what waits: card, exact arguments, timeline with positions, and what is wrong", async () => {
    await expect(`${renderShow(REFUND, plain)}\n`).toMatchFileSnapshot("golden/show-waiting.txt");
  });

  it("shows what is done: what had been proposed, what ran, and the receipt", async () => {
    await expect(`${renderShow(DONE, plain)}\n`).toMatchFileSnapshot("golden/show-done.txt");
  });

  it("shows a plan: its steps in their order with how far each is, what a reviewer took out, and the card by step", async () => {
    const text = renderShow(PLAN, plain);
    expect(longest(text)).toBeLessThanOrEqual(80);
    await expect(`${text}\n`).toMatchFileSnapshot("golden/show-plan.txt");
  });

  it("hides in the arguments what the card hides, before and after an edit, and says where it is", () => {
    const [field] = REFUND.card!.fields;
    const secret = { label: "Token", actionId: REFUND.actions[0]!.actionId, path: "/auth/token", value: MASKED, unusual: false };
    const args = { auth: { token: "hunter2" }, note: "open" };
    const item = {
      ...REFUND,
      card: { ...REFUND.card!, fields: [field!, secret] },
      actions: [{ ...REFUND.actions[0]!, args, proposedArgs: { ...args, note: "before" } }],
    };
    const text = renderShow(item, plain);
    expect(text).not.toContain("hunter2");
    expect(text).toContain(`"token": "${MASKED}"`);
    expect(text).toContain('"note": "before"');
    expect(text).toContain("What the policy calls secret is hidden here; --json has it.");
  });

  it("shows arguments that differ differently, also where the difference cannot be seen", () => {
    const shown = (args: Record<string, unknown>) => renderShow({ ...REFUND, actions: [{ ...REFUND.actions[0]!, args }] }, plain);
    const hidden = [
      "",
      " ",
      "\u00a0",
      "\u2003",
      "\u202e",
      "\u200d",
      "\u200b",
      "\u2060",
      "\u00ad",
      "\ufe0f",
      "\u3164",
      "\u2800",
      "\u{e0061}",
      "\ufffd",
      "\\u202e",
    ];
    const texts = hidden.map((c) => shown({ to: `pay${c}pal`, [`k${c}y`]: 1 }));
    expect(new Set(texts.map((text) => text.replaceAll(/\s+/g, " "))).size).toBe(hidden.length);
    expect(shown({ to: "a\u202eb\u200dc" })).toContain('"to": "a\\u202eb\\u200dc"');
    for (const text of texts) expect(text).not.toMatch(/[\p{Cf}\p{DI}\u2800]/u);
  });

  it("names the criteria of the rubric while a decision can score them, and how", () => {
    const rubric = [
      { id: "tone", label: "Tone towards the customer" },
      { id: "right_amount", label: null },
    ];
    const text = renderShow({ ...REFUND, rubric }, plain);
    expect(text.replaceAll(/\s+/g, " ")).toContain("Score 1 to 5 for tone (Tone towards the customer), right_amount: --score tone=N");
    expect(longest(text)).toBeLessThanOrEqual(80);
    expect(renderShow({ ...DONE, rubric }, plain)).not.toContain("--score");
    expect(renderShow(REFUND, plain)).not.toContain("--score");
  });

  it("offers to settle with a retry exactly where the action may be tried again", () => {
    const doubt = (execution: "blind" | "queryable" | "idempotent") =>
      renderShow(
        {
          ...DONE,
          stage: "in_doubt",
          outcome: null,
          receipts: [{ ...DONE.receipts[0]!, kind: "unknown" }],
          grant: { ...DONE.grant!, actions: [{ ...DONE.grant!.actions[0]!, execution }] },
        },
        plain,
      );
    expect(["blind", "queryable", "idempotent"].map((e) => doubt(e as "blind").includes("--settle retry"))).toEqual([false, true, true]);
    expect(doubt("blind")).toContain("--settle failed");
  });

  it("says nothing of approval on what policy forbids", () => {
    const text = renderShow({ ...REFUND, stage: "done", outcome: "forbidden", route: "forbid", allowedDecisions: [] }, plain);
    expect(text).not.toMatch(/If approved|If rejected|Rollback/);
    expect(text).toContain("USD 1,250.00");
  });

  it("breaks long arguments and never cuts them", () => {
    const secret = "y".repeat(500);
    const text = renderShow({ ...REFUND, actions: [{ ...REFUND.actions[0]!, args: { body: `${secret}END`, [HOSTILE]: [HOSTILE] } }] }, plain);
    expect(text.replace(/\s/g, "")).toContain(`${secret}END`);
    expect(longest(text)).toBeLessThanOrEqual(80);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });
});
