import { TOPICS } from "../events/topics.ts";
import { offsetIn } from "../log/log.ts";
import type { Health } from "../producers/wire/answers.ts";
import type { GatewayLedger } from "./service/ledger.ts";

const PATIENCE_MS = 2000;

/** Whether the log answers and the views follow it. `stopped`: following has ended, so that nothing new is seen. */
export async function health(ledger: GatewayLedger, stopped: boolean): Promise<Health> {
  const log = ledger.log.url.split(":", 1)[0] as string;
  const folded = TOPICS.reduce((n, topic) => n + Object.values(ledger.projector.folded[topic] ?? {}).reduce((m, next) => m + next, 0), 0);
  const heads = await headsSoon(ledger);
  if (heads === undefined) return { status: stopped ? "stopped" : "log_unreachable", log, folded, behind: null };
  const behind = heads.reduce((n, head) => n + Math.max(0, head.next - Math.max(head.first, offsetIn(ledger.projector.folded, head.topic, head.partition))), 0);
  return { status: stopped ? "stopped" : "ok", log, folded, behind };
}

async function headsSoon(ledger: GatewayLedger): Promise<Awaited<ReturnType<GatewayLedger["log"]["heads"]>> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
  });
  try {
    return await Promise.race([ledger.log.heads().catch(() => undefined), patience]);
  } finally {
    clearTimeout(timer);
  }
}
