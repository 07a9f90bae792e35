import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canonicalArgs } from "../../src/events/canonical.ts";
import { MINUTE, openBench, WORKSPACE } from "../support/bench-ledger.ts";
import { differences, dumpOf, tempDir } from "../support/views.ts";

const effective = (story: readonly string[]) => story.filter((line) => line.endsWith(" effective"));

describe("the policy worker", () => {
  test("judges a proposal once, and what flows is granted at once", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "note", { text: "hello" });
    expect(bench.story(item)).toEqual(["proposals review effective", "verdicts allow effective", "resumes proceed effective"]);
    expect(bench.view(item).life.stage).toBe("granted");
  });

  test("without a policy everything waits for a person, and a policy published later judges what comes then", async () => {
    const bench = await openBench();
    const before = await bench.propose("k1", "note", { text: "hello" });
    expect(bench.story(before)).toEqual(["proposals review effective", "verdicts interrupt effective"]);
    expect(bench.view(before).life.stage).toBe("pending");
    await bench.publish();
    const after = await bench.propose("k2", "note", { text: "hello" });
    expect(bench.view(after).life.stage).toBe("granted");
    expect(bench.story(before)).toHaveLength(2);
  });

  test("a proposal that came while it was away is judged under the policy of then", async () => {
    const bench = await openBench({ workers: [] });
    await bench.publish();
    const item = await bench.propose("k1", "note", { text: "hello" });
    expect(bench.view(item).life.stage).toBe("proposed");
    bench.run("policy");
    await bench.quiet();
    expect(bench.story(item)).toEqual(["proposals review effective", "verdicts allow effective"]);
  });

  test("a policy document that cannot be used makes its workspace wait for people, with the reason", async () => {
    const bench = await openBench();
    await bench.publish();
    const { ledger } = bench;
    const { position } = await ledger.write("policies", "policy:support:other", {
      workspace: WORKSPACE,
      actor: { kind: "authority", id: "ci" },
      kind: "policy",
      policyId: "other",
      version: "1",
      document: "{",
      sha256: "0".repeat(64),
    });
    await ledger.waitFor([position]);
    const item = await bench.propose("k1", "note", { text: "hello" });
    expect(bench.view(item).life.stage).toBe("pending");
    const verdict = await ledger.events.get(item, "verdicts", bench.view(item).life.verdict!.id);
    expect(verdict).toMatchObject({ route: "interrupt", error: { code: "policy_invalid", message: expect.stringContaining("other@1") } });
    expect(bench.errors).toEqual([]);
  });

  test("an edit that policy forbids leaves the item as it was, with the terms and the card of before", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o1", amount: 10 });
    const { summary, deadline } = bench.view(item);
    await bench.decide(item, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ order: "o1", amount: "many" }) }] });
    expect(effective(bench.story(item)).slice(2)).toEqual(["decisions edit effective", "verdicts forbid effective"]);
    expect(bench.view(item)).toMatchObject({ stage: "pending", summary, deadline, owner: "role:lead" });
    await bench.decide(item, "approve");
    const grant = await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id);
    expect(grant).toMatchObject({ outcome: "proceed", actions: [{ args: '{"amount":10,"order":"o1"}' }] });
  });

  test("an edit is judged again, and the grant names the edited arguments", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o1", amount: 10 });
    await bench.decide(item, "edit", { edits: [{ actionId: "a1", ...canonicalArgs({ order: "o1", amount: 5 }) }] });
    expect(effective(bench.story(item))).toEqual([
      "proposals review effective",
      "verdicts interrupt effective",
      "decisions edit effective",
      "verdicts interrupt effective",
      "resumes proceed_edited effective",
    ]);
    const grant = await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id);
    expect(grant).toMatchObject({ actions: [{ args: '{"amount":5,"order":"o1"}' }], message: expect.stringContaining("/amount") });
  });
});

describe("the dispatcher", () => {
  test("what is forbidden is resumed as forbidden, and nobody can decide on it", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "secret", { text: "x" });
    expect(bench.story(item)).toEqual(["proposals review effective", "verdicts forbid effective", "resumes forbidden effective"]);
    const resume = await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id);
    expect(resume?.message).toContain("Secrets stay where they are");
  });

  test("a dispatcher that was down between the decision and the resume writes it when it is back, once", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o1", amount: 10 });
    await bench.stop("dispatcher");
    await bench.decide(item, "approve");
    expect(bench.view(item).life.stage).toBe("settled");
    bench.run("dispatcher");
    await bench.quiet();
    await bench.stop("dispatcher");
    bench.run("dispatcher");
    await bench.quiet();
    expect(bench.story(item).filter((l) => l.startsWith("resumes"))).toEqual(["resumes proceed effective"]);
  });

  test("an allowed item that is withdrawn before its grant is withheld; after it, the clock revokes the grant", async () => {
    const bench = await openBench({ workers: ["policy", "clock"] });
    await bench.publish();
    const agent = { actor: { kind: "agent", id: "helper" }, seen: null } as const;
    const early = await bench.propose("k1", "note", { text: "a" });
    await bench.decide(early, "withdraw", agent);
    bench.run("dispatcher");
    await bench.quiet();
    expect(bench.view(early).life).toMatchObject({ stage: "done", outcome: "withheld" });
    const late = await bench.propose("k2", "note", { text: "b" });
    expect(bench.view(late).life.stage).toBe("granted");
    await bench.decide(late, "withdraw", agent);
    expect(bench.view(late).life).toMatchObject({ stage: "done", outcome: "revoked" });
    expect(bench.story(late).slice(-1)).toEqual(["receipts revoked effective"]);
  });

  test("a retry that a person asked for clears up what may have run, also of what was withdrawn while it ran: it is granted, and not taken back", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "note", { text: "a" });
    await bench.receipt(item, "started");
    await bench.decide(item, "withdraw", { actor: { kind: "agent", id: "helper" }, seen: null });
    await bench.at(bench.clock.now + 20 * MINUTE);
    expect(bench.view(item).life.stage).toBe("in_doubt");
    const unknown = [...bench.view(item).item.nodes.values()].find((n) => n.topic === "receipts" && n.kind === "unknown")!.id;
    await bench.decide(item, "settle", { answers: { topic: "receipts", eventId: unknown }, settlement: { outcome: "retry" }, seen: null });
    await bench.at(bench.clock.now + 600 * MINUTE);
    expect(bench.view(item).life).toMatchObject({ stage: "granted", resume: { outcome: "proceed", notAfter: null } });
    expect(bench.errors).toEqual([]);
  });

  test("a retry of an unknown outcome gets a new grant with the same effect key", async () => {
    const bench = await openBench();
    await bench.publish();
    const item = await bench.propose("k1", "refund", { order: "o1", amount: 10 });
    await bench.decide(item, "approve");
    const first = await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id);
    await bench.receipt(item, "started");
    await bench.at(bench.clock.now + 3 * MINUTE);
    expect(bench.view(item).life.stage).toBe("in_doubt");
    const unknown = bench.ledger.queries.timeline(item).find((e) => e.what === "unknown")!.eventId;
    await bench.decide(item, "settle", { answers: { topic: "receipts", eventId: unknown }, settlement: { outcome: "retry" }, seen: null });
    const second = await bench.ledger.events.get(item, "resumes", bench.view(item).life.resume!.id);
    expect(bench.view(item).life.stage).toBe("granted");
    expect(second?.eventId).not.toBe(first?.eventId);
    expect(second?.actions[0]?.effectKey).toBe(first?.actions[0]?.effectKey);
  });
});

describe("the timekeeper", () => {
  test("with one step of a ladder it escalates at the step's time and not before, then expires with reject", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const item = await bench.propose("k1", "refund", { order: "o1", amount: 10 });
    await bench.at(t0 + 10 * MINUTE - 1);
    expect(bench.view(item).owner).toBe("role:lead");
    await bench.at(t0 + 10 * MINUTE);
    expect(bench.view(item)).toMatchObject({ owner: "role:oncall", stage: "pending" });
    await bench.at(t0 + 15 * MINUTE - 1);
    expect(bench.view(item).stage).toBe("pending");
    await bench.at(t0 + 15 * MINUTE);
    expect(bench.view(item).life).toMatchObject({ stage: "done", outcome: "expired" });
    expect(bench.story(item)).toEqual([
      "proposals review effective",
      "verdicts interrupt effective",
      "decisions escalate effective",
      "decisions expire effective",
      "resumes expired effective",
    ]);
  });

  test("with two steps it takes both, and on_expiry hold leaves the item held and still to be decided", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const item = await bench.propose("k1", "ladder", { order: "o1" });
    const seen: (string | null)[] = [];
    for (const minutes of [10, 15, 18]) {
      await bench.at(t0 + minutes * MINUTE - 1);
      seen.push(bench.view(item).owner);
      await bench.at(t0 + minutes * MINUTE);
      seen.push(bench.view(item).owner);
    }
    expect(seen).toEqual(["role:lead", "role:second", "role:second", "role:third", "role:third", "role:third"]);
    expect(bench.view(item).life.verdict?.group.held).toBe(true);
    expect(bench.view(item)).toMatchObject({ stage: "pending", deadline: null });
    await bench.at(t0 + 600 * MINUTE);
    await bench.decide(item, "approve");
    expect(bench.view(item).life.stage).toBe("granted");
    expect(effective(bench.story(item))).toHaveLength(bench.story(item).length);
  });

  test("after being down over several deadlines it catches up in order, gives each step its own time, and doubles nothing", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const items = await Promise.all(Array.from({ length: 20 }, (_, i) => bench.propose(`k${i}`, "ladder", { order: `o${i}` })));
    await bench.stop("clock");
    bench.clock.now = t0 + 100 * MINUTE;
    bench.run("clock");
    await bench.quiet();
    const due = ["decisions escalate effective", "decisions escalate effective", "decisions expire effective"];
    // The second owner has its five minutes and the third its three, as if they had been asked in time.
    for (const [minutes, steps] of [
      [100, 1],
      [104.9, 1],
      [105, 2],
      [107.9, 2],
      [108, 3],
    ] as const) {
      await bench.at(t0 + minutes * MINUTE);
      for (const item of items) expect(bench.story(item).slice(2)).toEqual(due.slice(0, steps));
      if (steps === 1) expect(bench.view(items[0] as string).deadline).toBe(t0 + 105 * MINUTE);
    }
  });

  test("a clock that jumps forward and back writes nothing early by its own reading and nothing twice", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const item = await bench.propose("k1", "ladder", { order: "o1" });
    await bench.at(t0 + 11 * MINUTE);
    await bench.at(t0 - 600 * MINUTE);
    await bench.at(t0 + 12 * MINUTE);
    await bench.at(t0 + 5 * MINUTE);
    expect(bench.story(item)).toEqual(["proposals review effective", "verdicts interrupt effective", "decisions escalate effective"]);
    await bench.at(t0 + 16 * MINUTE);
    expect(bench.story(item).slice(2)).toEqual(["decisions escalate effective", "decisions escalate effective"]);
  });

  test("it releases a reviewer's lease at its end", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const item = await bench.propose("k1", "refund", { order: "o1", amount: 10 });
    await bench.decide(item, "claim", { lease: { id: "L1", endsAt: t0 + 2 * MINUTE, takenOver: false } });
    await bench.at(t0 + 2 * MINUTE - 1);
    expect(bench.view(item).life.verdict?.group.lease?.person).toBe("ann");
    await bench.at(t0 + 2 * MINUTE);
    expect(bench.view(item).life.verdict?.group.lease).toBe(null);
    expect(bench.story(item).slice(-1)).toEqual(["decisions release effective"]);
  });

  test("a grant that nobody starts lapses at its end", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const item = await bench.propose("k1", "note", { text: "x" });
    await bench.at(t0 + 30 * MINUTE - 1);
    expect(bench.view(item).stage).toBe("granted");
    await bench.at(t0 + 30 * MINUTE);
    expect(bench.view(item).life).toMatchObject({ stage: "done", outcome: "lapsed" });
    await bench.receipt(item, "started");
    const late = await bench.receipt(item, "succeeded");
    expect(bench.ledger.queries.findingsOf(item)).toEqual([{ code: "late_receipt", topic: "receipts", eventId: late, offset: null }]);
  });

  test("an execution whose lease runs out is unknown, and a receipt after that is a finding", async () => {
    const bench = await openBench();
    await bench.publish();
    const t0 = bench.clock.now;
    const item = await bench.propose("k1", "note", { text: "x" });
    await bench.receipt(item, "started", { lease: { id: "X\0odd", endsAt: t0 + 2 * MINUTE } });
    await bench.at(t0 + 2 * MINUTE - 1);
    expect(bench.view(item).stage).toBe("executing");
    await bench.receipt(item, "renewed", { lease: { id: "X2", endsAt: t0 + 4 * MINUTE } });
    await bench.at(t0 + 3 * MINUTE);
    expect(bench.view(item).stage).toBe("executing");
    await bench.at(t0 + 4 * MINUTE);
    expect(bench.view(item).stage).toBe("in_doubt");
    const late = await bench.receipt(item, "succeeded");
    expect(bench.story(item).slice(-2)).toEqual(["receipts unknown effective", "receipts succeeded superseded"]);
    expect(bench.ledger.queries.findingsOf(item)).toEqual([{ code: "late_receipt", topic: "receipts", eventId: late, offset: null }]);
  });
});

test("a lease whose id holds a zero byte still runs out", async () => {
  const bench = await openBench();
  await bench.publish();
  const item = await bench.propose("k1", "note", { text: "x" });
  await bench.receipt(item, "started", { lease: { id: "X\0odd", endsAt: bench.clock.now + MINUTE } });
  await bench.at(bench.clock.now + MINUTE);
  expect(bench.view(item).stage).toBe("in_doubt");
});

test("two of every worker on the same views have one effective event each", async () => {
  const bench = await openBench();
  await bench.publish();
  const { clock } = bench;
  for (const kind of ["policy", "dispatcher", "clock"] as const) bench.runAnother(kind);
  const items: string[] = [];
  for (let i = 0; i < 10; i++)
    items.push(await bench.propose(`k${i}`, i % 2 === 0 ? "refund" : "note", i % 2 === 0 ? { order: "o", amount: i } : { text: "x" }));
  clock.now += 20 * MINUTE;
  await bench.quiet();
  clock.now += 60 * MINUTE;
  await bench.quiet();
  for (const [i, item] of items.entries()) {
    const { outcome, stage } = bench.view(item);
    expect({ stage, outcome }).toEqual({ stage: "done", outcome: i % 2 === 0 ? "expired" : "lapsed" });
    expect(new Set(effective(bench.story(item))).size).toBe(effective(bench.story(item)).length);
  }
});

test("two processes on one log, with views of their own, come to the same state and double nothing", async () => {
  const dir = tempDir();
  const clock = { now: Date.UTC(2026, 0, 5, 9) };
  const a = await openBench({ dir, data: join(dir, "a"), clock });
  const b = await openBench({ dir, data: join(dir, "b"), clock });
  await a.publish();
  await b.quiet();
  const items: string[] = [];
  for (let i = 0; i < 12; i++) {
    const from = i % 2 === 0 ? a : b;
    items.push(
      await from.propose(
        `k${i}`,
        ["refund", "note", "ladder"][i % 3] as string,
        i % 3 === 0 ? { order: "o", amount: 1 } : i % 3 === 1 ? { text: "x" } : { order: "o" },
      ),
    );
  }
  await Promise.all([a.quiet(), b.quiet()]);
  for (const minutes of [11, 16, 31, 120]) {
    clock.now = Date.UTC(2026, 0, 5, 9) + minutes * MINUTE;
    await Promise.all([a.quiet(), b.quiet()]);
  }
  await Promise.all([a.stop("policy"), a.stop("dispatcher"), a.stop("clock"), b.stop("policy"), b.stop("dispatcher"), b.stop("clock")]);
  await Promise.all([a.quiet(), b.quiet()]);
  expect(differences(dumpOf(a.ledger.projector), dumpOf(b.ledger.projector))).toEqual([]);
  for (const [i, item] of items.entries()) {
    const expected = { 0: { stage: "done", outcome: "expired" }, 1: { stage: "done", outcome: "lapsed" }, 2: { stage: "pending", outcome: null } }[i % 3];
    expect(a.view(item)).toMatchObject(expected as object);
    // What the slower of the two wrote is kept, without effect.
    const lines = a.story(item).filter((l) => !l.endsWith("superseded"));
    expect(lines).toEqual(effective(a.story(item)));
  }
});
