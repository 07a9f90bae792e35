import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { startGateway } from "../../src/gateway/server.ts";
import { openKeys } from "../../src/local/keys.ts";
import { openLocalDb } from "../../src/local/local-db.ts";
import { type Ledger, openLedger } from "../../src/runtime.ts";
import { PAIRS, runPairs } from "./race-pairs.ts";
import { publishRacePolicy, RACES, type Racers } from "./races.ts";

const OVER_HTTP = Math.min(PAIRS, 300);

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
