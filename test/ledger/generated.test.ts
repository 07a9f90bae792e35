import { expect, test } from "vitest";
import { createRng, generateHistory, ITEM, interleavings, type Kind } from "./generator.ts";
import { difference, digestOf, entriesOf, foldDelivery } from "./harness.ts";
import { judgeHistory, type Logs, type Status } from "./oracle.ts";

/** COUNTERSIGN_SEED and COUNTERSIGN_HISTORIES repeat or widen a run: history i has the seed SEED + i. */
const SEED = Number(process.env.COUNTERSIGN_SEED ?? 1);
const HISTORIES = Number(process.env.COUNTERSIGN_HISTORIES ?? 20_000);
const DELIVERIES = 10;

const DECISIONS = ["claim", "release", "approve", "edit", "reject", "respond", "acknowledge", "escalate", "expire", "withdraw", "settle"];
const RESUMES = ["proceed", "proceed_edited", "refused", "responded", "acknowledged", "expired", "forbidden", "withdrawn", "withheld", "roll_back"];
const RECEIPTS = ["started", "renewed", "succeeded", "failed", "unknown", "lapsed", "revoked", "compensated"];
const ALL: readonly Status[] = ["effective", "superseded", "illegal", "parked"];

/** What must occur, so that agreement means something: each kind takes effect, loses a race, is forged, and waits for its cause. */
const MUST_OCCUR: readonly (readonly [string, readonly Status[]])[] = [
  ...["review", "question", "notify"].map((ask) => [`proposals ${ask}`, ALL] as const),
  ...["allow", "batch", "interrupt", "forbid"].map((route) => [`verdicts ${route}`, ALL] as const),
  ["batches", ALL],
  ...DECISIONS.map((kind) => [`decisions ${kind}`, ALL] as const),
  // A report and a clear stand beside others of their kind: there is nothing that they could lose to.
  ["decisions report", ["effective", "illegal", "parked"]],
  ["decisions clear", ["effective", "illegal", "parked"]],
  ...RESUMES.map((outcome) => [`resumes ${outcome}`, ALL] as const),
  ...RECEIPTS.map((kind) => [`receipts ${kind}`, ALL] as const),
];

type Counts = Map<string, { [status in Status]: number }>;

function count(counts: Counts, logs: Logs, events: { [key: string]: Status }): void {
  const seen = new Set<string>();
  for (const [topic, log] of Object.entries(logs))
    for (const event of log) {
      const key = `${topic}/${event?.eventId}`;
      if (event === null || seen.has(key)) continue;
      seen.add(key);
      const name = [topic, event.kind ?? event.outcome ?? event.route ?? event.ask].filter(Boolean).join(" ");
      let row = counts.get(name);
      if (!row) counts.set(name, (row = { effective: 0, superseded: 0, illegal: 0, parked: 0 }));
      row[events[key] as Status]++;
    }
}

function table(counts: Counts): string {
  const rows = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, row]) => `${name.padEnd(24)}${ALL.map((s) => String(row[s]).padStart(11)).join("")}`);
  return [`${"".padEnd(24)}${ALL.map((s) => s.padStart(11)).join("")}`, ...rows].join("\n");
}

test(`${HISTORIES} generated histories × ${DELIVERIES} interleavings end in one state each, the one that the rules give`, { timeout: 600_000 }, () => {
  const counts: Counts = new Map();
  const perKind = { basic: 0, full: 0 };
  for (let i = 0; i < HISTORIES; i++) {
    const seed = SEED + i;
    const kind: Kind = seed % 2 === 0 ? "basic" : "full";
    const logs = generateHistory(seed, kind);
    const due = judgeHistory(logs);
    const digest = digestOf(due);
    const entries = entriesOf(logs);
    let kept: string | undefined;
    for (const delivery of interleavings(logs, DELIVERIES, createRng(seed))) {
      const state = foldDelivery(ITEM, entries, delivery);
      const got = digestOf(state);
      const where = () =>
        `history ${seed} (${kind}); repeat it with COUNTERSIGN_SEED=${seed} COUNTERSIGN_HISTORIES=1\n${delivery.map((p) => p.join("@")).join(" ")}`;
      if (got !== digest) expect.fail(`${where()}\n- rules, + fold\n${difference(digest, got)}`);
      const text = state.kept();
      if (text !== (kept ??= text)) expect.fail(`${where()}\nwhat the fold keeps depends on the delivery`);
    }
    count(counts, logs, due.events);
    perKind[kind]++;
  }
  console.log(`seeds ${SEED} to ${SEED + HISTORIES - 1}: ${perKind.basic} basic and ${perKind.full} full histories\n${table(counts)}`);
  if (HISTORIES < 20_000) return console.log("not checked with fewer than 20,000 histories: that every kind occurs with every status");
  const missing = MUST_OCCUR.flatMap(([name, statuses]) => statuses.filter((s) => !counts.get(name)?.[s]).map((s) => `${name} ${s}`));
  expect(missing).toEqual([]);
});

test("the same seed gives the same history and the same deliveries", () => {
  for (const kind of ["basic", "full"] as const) {
    expect(generateHistory(SEED, kind)).toEqual(generateHistory(SEED, kind));
    const logs = generateHistory(SEED, kind);
    expect(interleavings(logs, 3, createRng(SEED))).toEqual(interleavings(logs, 3, createRng(SEED)));
  }
});
