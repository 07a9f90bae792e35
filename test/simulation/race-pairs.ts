import { afterAll, beforeAll, expect, test } from "vitest";
import { inProcessTransport } from "../../src/gateway/in-process.ts";
import type { Identity } from "../../src/gateway/service/identity.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import { createRng } from "../ledger/generator.ts";
import { atTheLine, effectiveOf, finish, publishRacePolicy, RACES, type Race, type Racers } from "./races.ts";

/** Pairs of each kind. */
export const PAIRS = Number(process.env.COUNTERSIGN_PAIRS ?? 10_000);
const AT_ONCE = 50;

const codeOf = (error: Error & { code?: string }) => error.code ?? error.message;

/** The service functions of the gateway, in this process. */
function inProcess(ledger: Ledger): Racers {
  const of = (kind: Identity["kind"], id: string, ...roles: string[]) => inProcessTransport(ledger, { kind, id, roles, workspace: "default" });
  const people = { ann: of("person", "ann", "lead"), bob: of("person", "bob", "lead") };
  const executors = { x1: of("executor", "x1"), x2: of("executor", "x2") };
  return {
    decide: (who, itemId, request) => people[who].decide(itemId, request as never).then(() => "done", codeOf),
    start: (who, itemId, { id, argsSha256 }) => executors[who].receipt(itemId, { kind: "started", grant: id, argsSha256 }).then(() => "done", codeOf),
  };
}

/** Runs pairs: each has one winner, its loser is told by name, and nothing runs twice. */
export async function runPairs(ledger: Ledger, racers: Racers, name: string, race: Race, pairs: number): Promise<void> {
  const rng = createRng(pairs);
  const won = { first: 0, second: 0 };
  for (let done = 0; done < pairs; done += AT_ONCE) {
    const keys = Array.from({ length: Math.min(AT_ONCE, pairs - done) }, (_, i) => `${name} ${done + i}`);
    const items = await Promise.all(keys.map((key) => atTheLine(ledger, race, key)));
    const finishes = await Promise.all(items.map((itemId) => finish(ledger, race, racers, itemId, rng.chance(0.5), rng.below(8))));
    for (const [i, { first, second, executions }] of finishes.entries()) {
      const effective = effectiveOf(ledger, race, items[i] as string);
      const where = `${keys[i]}: ${first} and ${second}, effective ${effective.join(" and ")}`;
      const told = [first, second];
      if (effective.length !== 1) expect.fail(`${where}: there must be one winner`);
      if (told.filter((t) => t === "done").length !== 1) expect.fail(`${where}: exactly one must be told that it won`);
      const loser = told.find((t) => t !== "done") as string;
      if (!race.told.includes(loser)) expect.fail(`${where}: the loser must be told one of ${race.told.join(", ")}`);
      if (executions > 1) expect.fail(`${where}: run twice`);
      won[first === "done" ? "first" : "second"]++;
    }
  }
  console.log(`${name}: ${pairs} pairs, won ${won.first} to ${won.second}`);
  // Otherwise the pairs would not have raced.
  expect(Math.min(won.first, won.second)).toBeGreaterThan(pairs / 20);
}

/** Races of these kinds over the log in memory. */
export function testRaces(kinds: readonly string[]): void {
  let ledger: Ledger;
  beforeAll(async () => {
    ledger = await openLedger({ log: "memory:", data: ":memory:" });
    await ledger.start();
    await publishRacePolicy(ledger);
  });
  afterAll(() => ledger.close());

  test.each(Object.entries(RACES).filter(([name]) => kinds.includes(name)))(
    `%s: ${PAIRS} pairs at once over the log in memory have one winner each, and the loser is told`,
    { timeout: 1_800_000 },
    (name, race) => runPairs(ledger, inProcess(ledger), name, race, PAIRS),
  );
}
