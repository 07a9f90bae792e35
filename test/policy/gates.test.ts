import { describe, expect, it } from "vitest";
import { judgeCall, NOW, policy, problems, proposal, verdict } from "./helpers.ts";

const HOUR = 3_600_000;
const head = "policy: p\nworkspace: w\nowner: role:boss\n";
const act = (more: string, rest = "") =>
  `actions:\n  act: { arguments: { type: object, properties: { n: { type: number } } }, reversibility: partially, risk: medium, ${more} }\n${rest}`;
const audit = "gate: { kind: audit, window: PT24H }";
const rule = (effect: string) => `rules: [{ id: r, when: { args: { /n: { above: 5 } } }, ${effect}, because: b }]\n`;

describe("an audit gate", () => {
  it("lets run at once what would wait in a batch, to be approved or rolled back, and never expires", () => {
    expect(judgeCall(act(audit), {})).toMatchObject({
      route: "allow",
      gate: "audit",
      risk: "medium",
      approvals: 1,
      allowedDecisions: ["approve", "reject"],
      editablePaths: [],
      expiresAt: null,
      onExpiry: "hold",
      grantTtlMs: HOUR,
      owner: "role:boss",
      because: ["act runs now and is reviewed within 1 day"],
    });
  });

  it("that closes unreviewed goes up the ladder of the action, else to who answers for the document", () => {
    const ladder = (more: string) => judgeCall(act(`${audit}${more}`), {}).ladder;
    expect(ladder("")).toEqual([{ step: 1, at: NOW + 24 * HOUR, to: "role:boss", page: true }]);
    expect(ladder(", timeout: PT10H, ladder: [{ to: role:x, timeout: PT4H }, { to: role:y, timeout: PT2H, page: true }]")).toEqual([
      { step: 1, at: NOW + 24 * HOUR, to: "role:x", page: false },
      { step: 2, at: NOW + 28 * HOUR, to: "role:y", page: true },
    ]);
  });

  it("has its window whatever time the agent asks for, because no run waits for it", () => {
    expect(judgeCall(act(audit), { more: { requestedTimeoutMs: 1000 } }).ladder[0]?.at).toBe(NOW + 24 * HOUR);
  });

  it("asks a person first from its risk on, and where a rule wants a person", () => {
    const at = (more: string, rest: string) => judgeCall(act(more, rest), { args: { n: 9 } });
    expect(at(audit, rule("raise: { risk: high }"))).toMatchObject({ route: "interrupt", gate: "soft" });
    expect(at("gate: { kind: audit, window: PT1H, from_risk: critical }", rule("raise: { risk: high }"))).toMatchObject({ route: "allow", gate: "audit" });
    expect(at(audit, rule("raise: { gate: hard }"))).toMatchObject({ route: "interrupt", gate: "hard" });
    expect(at(audit, "require: { evidence: [x] }\n")).toMatchObject({ route: "interrupt", gate: "hard" });
    expect(at(audit, rule("forbid: true"))).toMatchObject({ route: "forbid", allowedDecisions: [], ladder: [] });
  });

  it("may wait for the end of the run, to be reviewed with everything else that it did", () => {
    const v = judgeCall(act("gate: { kind: audit, window: PT24H, review: run_end }"), {});
    expect(v).toMatchObject({ route: "batch", gate: "audit", batchKey: "w:p:act:role:boss", expiresAt: null, allowedDecisions: ["approve", "reject"] });
    expect(v.because).toEqual(["act runs now and is reviewed within 1 day, together with what else the run did"]);
  });

  it("gives way to a hard one: in a plan with an irreversible step, and where another policy wants a person", () => {
    const text = `${act(audit)}  pay: { reversibility: irreversible, risk: medium }\n`;
    expect(judgeCall(text, {}).gate).toBe("audit");
    expect(verdict([policy(text)], proposal({}, { tool: "pay" }))).toMatchObject({ route: "interrupt", gate: "hard", reversibility: "irreversible" });
    const other = policy(`policy: q\n${act("gate: { kind: hard }")}`);
    expect(verdict([policy(text), other], proposal({}))).toMatchObject({ route: "interrupt", gate: "hard", expiresAt: NOW + HOUR / 12 });
    const milder = policy(`policy: q\nactions:\n  act: { reversibility: reversible, risk: low }\n`);
    expect(verdict([policy(text), milder], proposal({}))).toMatchObject({ route: "allow", gate: "audit" });
  });

  it.each([
    ["without a window", act("gate: { kind: audit }"), "audit needs a window"],
    ["on an action that cannot be undone", act(audit).replace("partially", "irreversible"), "nothing can undo what an audit finds afterwards"],
    ["with a confidence", act("gate: { kind: audit, window: PT1H, below_confidence: 0.5 }"), "belongs to a soft gate"],
    ["whose review belongs to it alone", act("gate: { kind: hard, review: run_end }"), "belongs to an audit gate"],
  ])("is refused %s", (_, text, message) => {
    expect(problems(head + text).join("\n")).toContain(message);
  });
});

describe("effect tags and annotations", () => {
  const of = (more: string, rest = "") => {
    const { risk, reversibility, gate, steps } = judgeCall(`${rest}actions:\n  act: { ${more} }\n`, {});
    return [reversibility, risk, gate, steps[0]?.execution];
  };

  it.each([
    ["effects: [money]", ["irreversible", "high", "hard", "blind"]],
    ["effects: [external-comms]", ["irreversible", "medium", "hard", "blind"]],
    ["effects: [prod]", ["partially", "high", "soft", "blind"]],
    ["effects: [prod, data-loss]", ["irreversible", "high", "hard", "blind"]],
    ["effects: [money], reversibility: partially, risk: medium, execution: queryable", ["partially", "medium", "soft", "queryable"]],
    ["effects: [legal], reversibility: reversible, risk: low", ["reversible", "low", "none", "blind"]],
  ])("say what the action leaves open: { %s }", (text, expected) => {
    expect(of(text)).toEqual(expected);
  });

  it("may be given a meaning of their own by the document", () => {
    expect(of("effects: [legal]", "defaults: { effects: { legal: { reversibility: partially, risk: critical } } }\n")).toEqual([
      "partially",
      "critical",
      "soft",
      "blind",
    ]);
    expect(of("effects: [money]", "defaults: { effects: { money: { reversibility: irreversible, risk: critical } } }\n")[1]).toBe("critical");
  });

  const trust = "defaults: { annotations: trust }\n";
  it.each([
    ["readOnlyHint: true", ["reversible", "low", "none", "idempotent"]],
    ["readOnlyHint: false, destructiveHint: false, openWorldHint: false, idempotentHint: true", ["partially", "medium", "soft", "idempotent"]],
    ["destructiveHint: false", ["irreversible", "medium", "hard", "blind"]],
    ["idempotentHint: true", ["irreversible", "high", "hard", "idempotent"]],
    ["title: Look", ["irreversible", "high", "hard", "blind"]],
    // It cannot be both: the worse is believed.
    ["readOnlyHint: true, destructiveHint: true", ["irreversible", "high", "hard", "blind"]],
    ["readOnlyHint: true, destructiveHint: true, idempotentHint: true", ["irreversible", "high", "hard", "idempotent"]],
  ])("of a server that is trusted mean what MCP says: { %s }", (hints, expected) => {
    expect(of(`annotations: { ${hints} }`, trust)).toEqual(expected);
  });

  it("of any other server only make stricter", () => {
    expect(of("annotations: { readOnlyHint: true, idempotentHint: true }")).toEqual(["irreversible", "high", "hard", "blind"]);
    expect(of("annotations: { readOnlyHint: true }, reversibility: reversible, risk: low")).toEqual(["reversible", "low", "none", "blind"]);
    for (const reading of ["", ", readOnlyHint: true", ", readOnlyHint: false"])
      for (const defaults of [undefined, trust])
        expect(of(`annotations: { destructiveHint: true${reading} }, reversibility: reversible, risk: low`, defaults).slice(0, 3)).toEqual([
          "irreversible",
          "low",
          "hard",
        ]);
  });

  it("that say nothing leave the action to be described", () => {
    expect(problems(`${head}actions:\n  act: { effects: [legal], risk: low }\n`)[0]).toContain("nothing follows from the tags legal");
    expect(problems(`${head}actions:\n  act: { risk: low }\n`)[0]).toContain("actions.act.reversibility: is missing");
  });
});

describe("approvals in an order", () => {
  const order = (layer: string) => judgeCall(act("approvals: 1", layer), { args: { n: 9 } });

  it("may be asked for by a rule, and bring as many people as they name", () => {
    expect(order(rule("raise: { approval_order: [role:legal, role:cfo] }"))).toMatchObject({
      route: "interrupt",
      gate: "hard",
      approvals: 2,
      approvalOrder: ["role:legal", "role:cfo"],
    });
  });

  it("join to the shortest that keeps each of them, with a vote for each place, whichever rule comes first", () => {
    const two = ["{ id: a, raise: { approval_order: [role:x] }, because: b }", "{ id: b, raise: { approval_order: [role:legal, role:cfo] }, because: b }"];
    for (const list of [two, [...two].reverse()])
      expect(order(`rules: [${list}]\n`)).toMatchObject({ approvals: 3, approvalOrder: ["role:legal", "role:cfo", "role:x"] });
    const shared = [
      "{ id: a, raise: { approval_order: [role:x, role:cfo] }, because: b }",
      "{ id: b, raise: { approval_order: [role:x, role:legal, role:cfo] }, because: b }",
    ];
    for (const list of [shared, [...shared].reverse()]) expect(order(`rules: [${list}]\n`).approvalOrder).toEqual(["role:x", "role:legal", "role:cfo"]);
  });
});

describe("business time", () => {
  // NOW is a Sunday afternoon: Zurich opens on Monday at 9:00, which is 7:00 UTC.
  const calendar = 'calendar: { time_zone: Europe/Zurich, hours: [{ days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00" }] }\n';
  const monday = Date.parse("2025-06-16T07:00:00Z");
  const high = (more: string) => act(`risk: high, ${more}`).replace("risk: medium, ", "");

  it("gives people the hours in which they work: deadlines and ladders are absolute", () => {
    const v = judgeCall(calendar + high("timeout: 4 business hours, ladder: [{ to: role:x, timeout: 2 business hours }, { to: role:y, timeout: PT30M }]"), {});
    expect(v.ladder.map(({ at }) => at)).toEqual([monday + 4 * HOUR, monday + 6 * HOUR]);
    expect(v.expiresAt).toBe(monday + 6.5 * HOUR);
    expect(judgeCall(calendar + high("timeout: 2 business days"), {}).expiresAt).toBe(monday + 48 * HOUR);
  });

  it("is only shortened by the agent", () => {
    const expires = (requestedTimeoutMs: number) => judgeCall(calendar + high("timeout: 4 business hours"), { more: { requestedTimeoutMs } }).expiresAt;
    expect([expires(HOUR), expires(1e12)]).toEqual([NOW + HOUR, monday + 4 * HOUR]);
    const ladder = judgeCall(calendar + high("timeout: 4 business hours, ladder: [{ to: role:x, timeout: 2 business hours }]"), {
      more: { requestedTimeoutMs: HOUR },
    });
    expect([ladder.ladder, ladder.expiresAt]).toEqual([[], NOW + HOUR]);
  });

  it("counts for batches and audits too", () => {
    expect(judgeCall(`${calendar}${act("approvals: 1")}batch: { window: 1 business hour }\n`, {}).batchWindowMs).toBe(monday + HOUR - NOW);
    expect(judgeCall(calendar + act("gate: { kind: audit, window: 1 business day }"), {}).ladder[0]?.at).toBe(monday + 24 * HOUR);
  });

  it.each([
    ["a timeout", high("timeout: 4 business hours"), "actions.act.timeout: is 4 business hours, but the document has no calendar"],
    ["a step of a ladder", high("ladder: [{ to: role:x, timeout: 1 business hour }]"), "actions.act.ladder[0].timeout: is 1 business hour"],
    ["a route", `${act("approvals: 1")}routes: [{ timeout: 2 business days }]\n`, "routes[0].timeout: is 2 business days"],
    ["a question", `${act("approvals: 1")}questions: { timeout: 1 business hour }\n`, "questions.timeout: is 1 business hour"],
    ["a batch", `${act("approvals: 1")}batch: { window: 1 business hour }\n`, "batch.window: is 1 business hour"],
    ["an audit", act("gate: { kind: audit, window: 1 business day }"), "actions.act.gate.window: is 1 business day"],
  ])("without a calendar is refused for %s, with its place", (_, text, message) => {
    const found = problems(head + text).join("\n");
    expect(found).toContain(message);
    expect(found).toMatch(/p\.yaml:\d+:\d+/);
  });

  it.each([
    ["a lease, which runs on machines", `${calendar}${act("lease: 1 business hour")}`, "cannot be business time"],
    ["hours that end before they begin", `${calendar.replace('to: "17:00"', 'to: "08:00"')}${act("approvals: 1")}`, "must be later than from"],
    ["a zone that nobody knows", `${calendar.replace("Zurich", "Zurihc")}${act("approvals: 1")}`, 'did you mean "Europe/Zurich"?'],
    ["a time that is none", `${calendar.replace("09:00", "9:00")}${act("approvals: 1")}`, 'must be a time of day such as "09:00", not "9:00"'],
    ["a holiday that is no day", `${calendar.replace(" }\n", ', holidays: ["2026-02-30"] }\n')}${act("approvals: 1")}`, 'must be a date such as "2026-12-25"'],
  ])("is refused for %s", (_, text, message) => {
    expect(problems(head + text).join("\n")).toContain(message);
  });
});
