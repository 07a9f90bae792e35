import { afterAll, describe, expect, test } from "vitest";
import { RULES, type Rules } from "../../src/ledger/fold.ts";
import { keyOf, type NodeKey, type VerdictNode } from "../../src/ledger/item.ts";
import { CASES } from "./cases.ts";
import { createRng, type Delivery, generateHistory, ITEM, interleavings, visitInterleavings } from "./generator.ts";
import { digestOf, entriesOf, foldDelivery } from "./harness.ts";
import { judgeHistory, type Logs } from "./oracle.ts";

const SEED = Number(process.env.COUNTERSIGN_SEED ?? 1);
/** Of a case with more interleavings than this, random ones. */
const MOST_DELIVERIES = 400;
const HISTORIES = 6000;

/** A deviation from the rules. Made anew for each delivery, as some of them remember what they should not. */
const BUGS: { readonly [bug: string]: () => Partial<Rules> } = {
  "parked events are released last in, first out": () => ({ released: (waiting) => waiting.toReversed() }),
  "parked events are dropped": () => ({ released: () => [] }),
  "only the first parked event of a cause is released": () => ({ released: (waiting) => waiting.slice(0, 1) }),
  "events are told apart by their bare id": () => {
    const first = new Map<string, NodeKey>();
    return {
      identity: (topic, id) => {
        if (!first.has(id)) first.set(id, keyOf(topic, id));
        return first.get(id) as NodeKey;
      },
    };
  },
  "the legality of a decision reads the receipts": () => {
    let started = false;
    return {
      legalReceipt: (grant, group, event) => {
        const ruling = RULES.legalReceipt(grant, group, event);
        if (event.kind === "started" && ruling.status === "effective") started = true;
        return ruling;
      },
      legalDecision: (past, group, event) =>
        started && event.kind === "withdraw" ? { status: "illegal", reason: "has started" } : RULES.legalDecision(past, group, event),
    };
  },
  "the legality of a receipt reads the decisions": () => {
    let withdrawn = false;
    return {
      applyDecision: (past, group, event) => {
        if (event.kind === "withdraw") withdrawn = true;
        return RULES.applyDecision(past, group, event);
      },
      legalReceipt: (grant, group, event) =>
        withdrawn && event.kind === "started" ? { status: "superseded", reason: "withdrawn" } : RULES.legalReceipt(grant, group, event),
    };
  },
  "an expiry acts as an approval": () => ({
    applyDecision: (past, group, event) => RULES.applyDecision(past, group, event.kind === "expire" ? { ...event, kind: "approve" } : event),
  }),
  "a held expiry settles": () => ({
    applyDecision: (past, group, event) => {
      const after = RULES.applyDecision(past, group, event);
      return event.kind === "expire" ? { ...after, closedBy: { kind: "expire", id: event.eventId } } : after;
    },
  }),
  "one cause gets two grants": () => ({ legalResume: (past, _first, event) => RULES.legalResume(past, null, event) }),
  "a proposal gets two verdicts": () => ({ legalVerdict: (past, _first, event) => RULES.legalVerdict(past, null, event) }),
  "a start after the grant was closed is accepted": () => ({
    legalReceipt: (grant, group, event) => RULES.legalReceipt(grant, event.kind === "started" ? { ...group, closedBy: null } : group, event),
  }),
  "lapsed and revoked close a grant while something runs": () => ({
    legalReceipt: (grant, group, event) =>
      RULES.legalReceipt(grant, event.kind === "lapsed" || event.kind === "revoked" ? { ...group, running: null } : group, event),
  }),
  "an action that runs is started again": () => ({
    legalReceipt: (grant, group, event) => RULES.legalReceipt(grant, event.kind === "started" ? { ...group, running: null } : group, event),
  }),
  "an unknown may name a lease that was renewed": () => ({
    legalReceipt: (grant, group, event) =>
      RULES.legalReceipt(
        grant,
        event.kind === "unknown" && group.running && event.lease ? { ...group, running: { ...group.running, leaseId: event.lease.id } } : group,
        event,
      ),
  }),
  "a second settle is accepted": () => ({ legalSettle: (past, _first, event) => RULES.legalSettle(past, null, event) }),
  "votes are not counted per hash": () => ({
    verdictNode: (past, event) => {
      const node = RULES.verdictNode(past, event);
      return past.edit === null || node.fallback ? node : withGroup(node, { votes: [...new Set([...past.edit.verdict.group.votes, ...node.group.votes])] });
    },
  }),
  "a person votes twice": () => ({
    legalDecision: (past, group, event) => RULES.legalDecision(past, { ...group, votes: group.votes.filter((v) => v !== event.actor.id) }, event),
  }),
  "the editor's vote is not counted": () => ({
    verdictNode: (past, event) => {
      const node = RULES.verdictNode(past, event);
      return past.edit === null || node.fallback ? node : withGroup(node, { votes: [] });
    },
  }),
  "an edit leaves its verdict open": () => ({
    applyDecision: (past, group, event) => {
      const after = RULES.applyDecision(past, group, event);
      return event.kind === "edit" ? { ...after, closedBy: null } : after;
    },
  }),
  "the lease of another person is ignored": () => ({
    legalDecision: (past, group, event) => RULES.legalDecision(past, event.kind === "release" ? group : { ...group, lease: null }, event),
  }),
  "an escalation leaves the lease": () => ({
    applyDecision: (past, group, event) => {
      const after = RULES.applyDecision(past, group, event);
      return event.kind === "escalate" ? { ...after, lease: group.lease } : after;
    },
  }),
  "an escalation loses the votes": () => ({
    applyDecision: (past, group, event) => {
      const after = RULES.applyDecision(past, group, event);
      return event.kind === "escalate" ? { ...after, votes: [] } : after;
    },
  }),
  "a stale release ends the lease": () => ({
    legalDecision: (past, group, event) =>
      RULES.legalDecision(
        past,
        event.kind === "release" && group.lease && event.lease ? { ...group, lease: { ...group.lease, id: event.lease.id } } : group,
        event,
      ),
  }),
  "a forbidden edit loses the terms before it": () => ({
    verdictNode: (past, event) => {
      const node = RULES.verdictNode(past, event);
      return node.fallback ? withGroup(node, { owner: event.owner, step: 0, votes: [], held: false }) : node;
    },
  }),
  "a forbidden edit keeps the lease": () => ({
    verdictNode: (past, event) => {
      const node = RULES.verdictNode(past, event);
      return node.fallback && past.edit ? withGroup(node, { lease: past.edit.verdict.group.lease }) : node;
    },
  }),
  "an approval needs no card": () => ({
    legalDecision: (past, group, event) =>
      RULES.legalDecision(past, group, event.kind === "approve" ? { ...event, seen: { cardSha256: past.verdict.terms.cardSha256 } } : event),
  }),
};

function withGroup(node: VerdictNode, part: Partial<VerdictNode["group"]>): VerdictNode {
  return { ...node, group: { ...node.group, ...part } };
}

interface Ready {
  readonly name: string;
  readonly entries: ReturnType<typeof entriesOf>;
  readonly deliveries: readonly Delivery[];
  readonly digest: string;
}

function ready(name: string, logs: Logs, deliveries: readonly Delivery[]): Ready {
  return { name, entries: entriesOf(logs), deliveries, digest: digestOf(judgeHistory(logs)) };
}

function deliveriesOf(logs: Logs): Delivery[] {
  const all: Delivery[] = [];
  visitInterleavings(logs, (delivery) => all.push([...delivery]) <= MOST_DELIVERIES);
  return all.length > MOST_DELIVERIES ? interleavings(logs, MOST_DELIVERIES, createRng(SEED)) : all;
}

const cases = CASES.map(({ title, logs }) => ready(`"${title}"`, logs, deliveriesOf(logs)));

const generated: Ready[] = [];
/** Generated history i, made when it is first needed. */
function generatedAt(i: number): Ready {
  const seed = SEED + i;
  if (!generated[i]) {
    const logs = generateHistory(seed, seed % 2 === 0 ? "basic" : "full");
    generated[i] = ready(`history ${seed}`, logs, interleavings(logs, 4, createRng(seed)));
  }
  return generated[i];
}

/** Whether a fold with these rules ends elsewhere, or in an error, in one of the deliveries. */
function catches({ entries, deliveries, digest }: Ready, bug: () => Partial<Rules>): boolean {
  return deliveries.some((delivery) => {
    try {
      return digestOf(foldDelivery(ITEM, entries, delivery, { ...RULES, ...bug() })) !== digest;
    } catch {
      return true;
    }
  });
}

describe("a planted bug is caught", () => {
  const report: string[] = [];
  afterAll(() => console.log(report.join("\n")));

  test("and without one nothing is: the same checks pass over the same histories", { timeout: 120_000 }, () => {
    expect(cases.filter((c) => catches(c, () => ({}))).map((c) => c.name)).toEqual([]);
    for (let i = 0; i < 500; i++) if (catches(generatedAt(i), () => ({}))) expect.fail(generatedAt(i).name);
  });

  for (const [name, bug] of Object.entries(BUGS))
    test(name, { timeout: 120_000 }, () => {
      const byCase = cases.find((c) => catches(c, bug));
      let byHistory: Ready | undefined;
      let tried = 0;
      while (!byHistory && tried < HISTORIES) {
        const history = generatedAt(tried++);
        // Caught is what the bug changes: a history that the true rules fail as well would show nothing.
        if (catches(history, bug) && !catches(history, () => ({}))) byHistory = history;
      }
      report.push(
        `${name}: ${byCase ? `interleavings of ${byCase.name}` : "no small case"}; ${byHistory ? `${byHistory.name}, the ${tried}th` : `none of ${tried} histories`}`,
      );
      expect(byCase ?? byHistory).toBeDefined();
    });
});
