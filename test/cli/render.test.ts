import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { renderQueue } from "../../src/cli/render/queue.ts";
import { renderShow } from "../../src/cli/render/show.ts";
import { widthOf } from "../../src/cli/text.ts";
import { DONE, NOW, QUEUE, REFUND } from "./fixtures.ts";

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

  it("breaks long arguments and never cuts them", () => {
    const secret = "y".repeat(500);
    const text = renderShow({ ...REFUND, actions: [{ ...REFUND.actions[0]!, args: { body: `${secret}END`, [HOSTILE]: [HOSTILE] } }] }, plain);
    expect(text.replace(/\s/g, "")).toContain(`${secret}END`);
    expect(longest(text)).toBeLessThanOrEqual(80);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come through
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });
});
