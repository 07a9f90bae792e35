import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slackMessage } from "../../src/notify/channels/slack.ts";
import type { Notice } from "../../src/notify/notice.ts";
import { wordsOf } from "../../src/notify/words.ts";

const LINK = "https://c.example.com";
const ITEM = "0123456789abcdef0123456789abcdef";
const NOTICE: Notice = {
  ...{ key: "k", kind: "decide", workspace: "support", owner: "role:support-lead", items: [ITEM], batchId: null, risk: "high", tools: ["issue_refund"] },
  ...{ agent: "bot", deadline: Date.UTC(2026, 10, 21, 17, 30), step: 0, page: false, seen: null },
} as const;
const say = (notices: readonly Notice[], action: "notify" | "resolve" = "notify") => wordsOf({ action, notices, zone: "Europe/Zurich" }, LINK);

describe("what a message says", () => {
  it("is a sentence of what waits, for whom, until when by the owner's clock, and where to decide", () => {
    expect(say([NOTICE])).toEqual({
      subject: "issue_refund waits for support-lead (high risk)",
      lines: [
        {
          text: "issue_refund waits for support-lead (high risk) · by bot · until 2026-11-21 18:30 Europe/Zurich · item 01234567 · workspace support",
          url: `${LINK}/items/${ITEM}`,
        },
      ],
    });
  });

  it("tells the kinds apart", () => {
    const subject = (over: Partial<Notice>) => say([{ ...NOTICE, ...over }]).subject;
    expect(subject({ kind: "review" })).toBe("issue_refund waits for the review of support-lead (high risk)");
    expect(subject({ kind: "held" })).toBe("The time for issue_refund is over; it is held for support-lead (high risk)");
    expect(subject({ kind: "doubt" })).toBe("Nobody knows how issue_refund ended: support-lead settles it");
    expect(subject({ kind: "unstarted" })).toBe("No executor has started what clears up or undoes issue_refund: support-lead sees to it");
    expect(subject({ step: 2 })).toBe("Escalated, step 2: issue_refund waits for support-lead (high risk)");
    expect(subject({ kind: "batch", batchId: "b1", items: [ITEM, ITEM], tools: ["tag_order"] })).toBe("2 of tag_order wait together for support-lead");
    expect(subject({ tools: [] })).toBe("a question or notice waits for support-lead (high risk)");
    expect(subject({ tools: ["a", "b", "b", "c"] })).toBe("a and 2 more wait for support-lead (high risk)");
    expect(subject({ owner: null })).toBe("issue_refund waits for nobody (high risk)");
    expect(say([NOTICE], "resolve").subject).toBe("Decided: issue_refund waits for support-lead (high risk)");
    expect(say([NOTICE, NOTICE]).subject).toBe("2 things wait for support-lead");
    const batch = say([{ ...NOTICE, kind: "batch", batchId: "b0123456789abcdef01234567", agent: null, deadline: null }]);
    expect(batch.lines[0]?.text).toBe("1 of issue_refund waits for support-lead, in its batch · batch b01234567 · workspace support");
    expect(say([{ ...NOTICE, kind: "batch", batchId: "b/1?" }]).lines[0]?.url).toBe(`${LINK}/batches/b%2F1%3F`);
  });

  it("repeats nothing of a name that could hold a person, a link or markup", () => {
    const hostile = fc.oneof(
      fc.constantFrom("jo.smith@example.com", "mail to Jo Smith", "<!channel>", "*bold*", "https://evil.example.com", "a\nb", "é", "x".repeat(65), ""),
      fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/.test(text) && text.length > 3),
    );
    fc.assert(
      fc.property(hostile, (name) => {
        const notice = { ...NOTICE, tools: [name], agent: name, workspace: name, owner: `person:${name}` };
        const words = say([notice]);
        expect(words).toEqual(say([{ ...notice, tools: [" "], agent: " ", workspace: " ", owner: "person: " }]));
        const message = { id: "m", action: "notify" as const, notices: [notice], zone: "UTC" };
        expect(JSON.stringify(slackMessage(message, words, true))).toBe(JSON.stringify(slackMessage({ ...message, notices: [NOTICE] }, words, true)));
      }),
    );
  });
});
