import { expect, test } from "vitest";
import { foldEvent } from "../../src/ledger/fold.ts";
import { createItem } from "../../src/ledger/item.ts";
import { type Life, lifeOf } from "../../src/ledger/life.ts";
import { MOVES, type Move } from "../../src/ledger/lifecycle.ts";
import { MapMemory } from "../../src/ledger/memory.ts";
import { createRng, generateHistory, ITEM, interleavings } from "./generator.ts";
import { entriesOf } from "./harness.ts";

const HISTORIES = 4000;

interface Seen {
  readonly from: Life;
  readonly topic: string;
  readonly kind: string;
  readonly to: Life;
}

/** Every effective event that moved an item, alone: what a released parked event did cannot be told from what released it. */
function* observed(): Generator<Seen & { readonly seed: number }> {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const logs = generateHistory(seed, seed % 2 === 0 ? "basic" : "full");
    const entries = entriesOf(logs);
    for (const delivery of interleavings(logs, 2, createRng(seed))) {
      const [item, memory] = [createItem(ITEM), new MapMemory()];
      for (const [topic, offset] of delivery) {
        const entry = entries[topic]?.[offset];
        if (!entry) continue;
        const from = lifeOf(item);
        const folded = foldEvent(item, memory, entry);
        const to = lifeOf(item);
        if (folded.length !== 1 || folded[0]?.status !== "effective" || (from.stage === to.stage && from.outcome === to.outcome)) continue;
        const { kind, outcome, route, ask } = entry.event as unknown as Record<string, string>;
        yield { seed, from, topic, kind: kind ?? outcome ?? route ?? ask ?? "", to };
      }
    }
  }
}

const fits = (move: Move, { from, topic, kind, to }: Seen) =>
  move.from.includes(from.stage) && move.topic === topic && move.kinds.includes(kind) && move.to === to.stage && (move.outcome ?? null) === to.outcome;

test("the table of moves is what the fold does: nothing moves otherwise, and every move in it happens", { timeout: 120_000 }, () => {
  const happened = new Set<string>();
  for (const seen of observed()) {
    const move = MOVES.find((m) => fits(m, seen));
    if (move === undefined)
      expect.fail(
        `history ${seen.seed}: ${seen.topic} ${seen.kind} leads from ${seen.from.stage} to ${seen.to.stage} ${seen.to.outcome ?? ""}, which is not in MOVES`,
      );
    happened.add(`${MOVES.indexOf(move)} ${seen.kind}`);
  }
  const never = MOVES.flatMap((move, i) =>
    move.kinds.filter((kind) => !happened.has(`${i} ${kind}`)).map((kind) => `${kind}: ${move.from.join()} to ${move.to}`),
  );
  expect(never).toEqual([]);
});
