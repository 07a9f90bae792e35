import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inProcessTransport } from "../../src/gateway/in-process.ts";
import { startGateway } from "../../src/gateway/server.ts";
import type { Identity } from "../../src/gateway/service/identity.ts";
import { openKeys } from "../../src/local/keys.ts";
import { openLocalDb } from "../../src/local/local-db.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import { createRng } from "../ledger/generator.ts";
import { atTheLine, finish, publishRacePolicy, RACES, type Race, type Racers } from "./races.ts";

const PAIRS = Number(process.env.COUNTERSIGN_PAIRS ?? 1000);
const OVER_HTTP = Math.min(PAIRS, 300);
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
async function runPairs(ledger: Ledger, racers: Racers, name: string, race: Race, pairs: number): Promise<void> {
  const rng = createRng(pairs);
  const won = { first: 0, second: 0 };
  for (let done = 0; done < pairs; done += AT_ONCE) {
    const keys = Array.from({ length: Math.min(AT_ONCE, pairs - done) }, (_, i) => `${name} ${done + i}`);
    const items = await Promise.all(keys.map((key) => atTheLine(ledger, race, key)));
    const finishes = await Promise.all(items.map((itemId) => finish(ledger, race, racers, itemId, rng.chance(0.5), rng.below(8))));
    for (const [i, { first, second, effective, executions }] of finishes.entries()) {
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

describe("two at once, over the log in memory", () => {
  let ledger: Ledger;
  beforeAll(async () => {
    ledger = await openLedger({ log: "memory:", data: ":memory:" });
    await ledger.start();
    await publishRacePolicy(ledger);
  });
  afterAll(() => ledger.close());

  test.each(Object.entries(RACES))(`%s: ${PAIRS} pairs have one winner each, and the loser is told`, { timeout: 1_800_000 }, (name, race) =>
    runPairs(ledger, inProcess(ledger), name, race, PAIRS),
  );
});

describe("two at once, over HTTP and the embedded log", () => {
  const dir = mkdtempSync(join(tmpdir(), "countersign-races-"));
  const local = openLocalDb(dir);
  const keys = openKeys(local);
  let ledger: Ledger;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  let racers: Racers;
  beforeAll(async () => {
    ledger = await openLedger({ log: `sqlite:${dir}`, data: dir });
    await ledger.start();
    await publishRacePolicy(ledger);
    gateway = await startGateway(ledger, { port: 0, local: keys, report: () => {} });
    racers = overHttp(gateway.url, keys);
  });
  afterAll(async () => {
    await gateway.close();
    await ledger.close();
    local.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test.each(Object.entries(RACES))(`%s: ${OVER_HTTP} pairs have one winner each, and the loser is told`, { timeout: 600_000 }, (name, race) =>
    runPairs(ledger, racers, name, race, OVER_HTTP),
  );
});

function overHttp(url: string, keys: ReturnType<typeof openKeys>): Racers {
  const make = (scope: "executor" | "reviewer", id: string, roles: string[] = []) => keys.createKey({ scope, id, roles, workspace: "default" }).key;
  const key = { ann: make("reviewer", "ann", ["lead"]), bob: make("reviewer", "bob", ["lead"]), x1: make("executor", "x1"), x2: make("executor", "x2") };
  const post = async (who: keyof typeof key, path: string, body: object) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${key[who]}` };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return response.ok ? "done" : ((await response.json()) as { code: string }).code;
  };
  return {
    decide: (who, itemId, request) => post(who, `/v1/items/${itemId}/decisions`, request),
    start: (who, itemId, { id, argsSha256 }) => post(who, `/v1/items/${itemId}/receipts`, { kind: "started", grant: id, argsSha256 }),
  };
}
