import { setTimeout as sleep } from "node:timers/promises";
import { CountersignError, messageOf } from "../../errors.ts";
import { apiOf } from "../http.ts";
import type { Cli } from "../io.ts";
import type { Running } from "../up/running.ts";
import { scenario } from "./scenarios.ts";
import type { Pace } from "./setting.ts";

/** With so many items waiting, the agent proposes nothing more that would wait: a queue that nobody can finish teaches nothing. */
export const MOST_WAITING = 8;

/** Keeps proposing over HTTP, as any agent would. Gives the way to stop. */
export function runAgent(cli: Cli, { ledger, url }: Running, key: string, { proposeMs }: Pace): () => Promise<void> {
  const stop = new AbortController();
  const api = apiOf({ env: { COUNTERSIGN_URL: url, COUNTERSIGN_API_KEY: key }, signal: stop.signal });

  async function work(): Promise<void> {
    // A ledger that goes on has items already: the numbers go on behind them.
    for (let n = ledger.queries.totals().items; !stop.signal.aborted; n++) {
      const waiting = ledger.queries.counts().stages.pending ?? 0;
      try {
        await api.call("POST", "/v1/proposals", scenario(n, waiting >= MOST_WAITING, ledger.now()).body);
      } catch (error) {
        // A number that was used before a crash: the next one is free.
        const used = error instanceof CountersignError && error.code === "conflict";
        if (!stop.signal.aborted && !used) cli.note(`The demo agent could not propose: ${messageOf(error)}`);
      }
      await sleep(proposeMs * (0.5 + (n % 5) / 4), undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  const done = work();
  return async () => {
    stop.abort();
    await done;
  };
}
