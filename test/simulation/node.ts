import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddedRegistry, memoryTable } from "../../src/log/embedded-registry.ts";
import type { EventLog } from "../../src/log/log.ts";
import { type MemoryStore, memoryStore, openMemoryLog } from "../../src/log/memory.ts";
import { registerSchemas } from "../../src/log/schemas.ts";
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { type Ledger, openLedgerOn } from "../../src/runtime.ts";
import type { Network } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Where the log of a history lies: in memory, or in the files of a folder. */
export type Place = { readonly store: MemoryStore } | { readonly dir: string };

/** A process: a ledger with its workers and its gateway. */
export interface Process {
  readonly name: string;
  readonly ledger: Ledger;
  readonly inner: EventLog;
  /** Milliseconds by which its clock is ahead of the true time. */
  skew: number;
  alive: boolean;
  /** Sentences of trouble that it printed. */
  readonly troubles: string[];
  /** Ends as by kill -9: what is under way is lost, and what was folded and not written as well. */
  kill(): Promise<void>;
}

export const PARTITIONS = 3;

/** Schemas are the same in every history: they are registered once. */
const TABLE = memoryTable();
const TEMPLATE = "log.db";
let template: string | undefined;

/** A new, empty place. */
export async function newPlace(kind: "memory" | "files"): Promise<Place> {
  if (kind === "memory") return { store: { ...memoryStore(PARTITIONS), schemas: TABLE } };
  if (template === undefined) {
    const dir = mkdtempSync(join(tmpdir(), "countersign-simulation-"));
    const log = await openInner({ dir });
    await registerSchemas(embeddedRegistry(log.schemas));
    await log.close();
    template = dir;
    process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  }
  const dir = mkdtempSync(join(tmpdir(), "countersign-simulation-"));
  copyFileSync(join(template, TEMPLATE), join(dir, TEMPLATE));
  return { dir };
}

/** Removes what a place has on the disk. */
export function removePlace(place: Place): void {
  if ("dir" in place) rmSync(place.dir, { recursive: true, force: true });
}

async function openInner(place: Place) {
  if ("store" in place) return openMemoryLog({ store: place.store });
  // No disk is pulled out here: waiting for it would only take time.
  return openSqliteLog({ dir: place.dir, partitions: PARTITIONS });
}

/** Starts a process. `started` resolves once its views have caught up and its workers run. */
export async function startProcess(
  name: string,
  place: Place,
  { net, time, skew, slow }: { net: Network; time: VirtualTime; skew: number; slow: ReadonlySet<number> },
): Promise<Process> {
  const inner = await openInner(place);
  const registry = embeddedRegistry(inner.schemas);
  await registerSchemas(registry);
  const log = net.connect(name, inner, slow);
  const troubles: string[] = [];
  const started: { -readonly [K in keyof Process]: Process[K] } = {
    ...{ name, inner, skew, alive: true, troubles },
    ledger: await openLedgerOn(
      { log, registry },
      {
        data: "dir" in place ? join(place.dir, name) : ":memory:",
        now: () => time.now() + started.skew,
        onTrouble: (sentence) => sentence !== null && troubles.push(sentence),
      },
    ),
    async kill() {
      started.alive = false;
      log.kill();
      started.ledger.projector.views.db.close();
      let closed = false;
      const closing = started.ledger.close().finally(() => (closed = true));
      // What waits to try again learns that it is over.
      for (let waited = 0; waited < 200 && !closed; waited++) await (waited % 2 === 0 ? time.drain() : time.turn(500, time.drain));
      if (!closed) throw new Error(`${name} does not end: ${troubles.at(-1) ?? "nothing is known"}`);
      await closing;
    },
  };
  return started;
}
