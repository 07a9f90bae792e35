// Appends without end to the log in the folder given, 16 in flight, and says on stdout what was acknowledged. Killed by its parent.
import { openSqliteLog } from "../../src/log/sqlite.ts";
import { envelope, record } from "./records.ts";

const [dir = "", writer = ""] = process.argv.slice(2);
const log = await openSqliteLog({ dir });
let n = 0;

async function keepAppending(): Promise<never> {
  for (;;) {
    const e = envelope(`item-${n % 13}`, n++, writer);
    const [position] = await log.append([record("receipts", e)]);
    process.stdout.write(`${e.eventId} ${position!.partition}@${position!.offset}\n`);
  }
}
await Promise.all(Array.from({ length: 16 }, keepAppending));
