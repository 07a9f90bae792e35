import type Database from "better-sqlite3";
import { sha256 } from "../events/canonical.ts";
import type { EventOf } from "../events/types.generated.ts";
import { eventBytes } from "./keys.ts";
import { proposedAt } from "./rows.ts";

/** Writes what effective events say of batches, and of runs that end. The caller holds the transaction. */
export function batchWriter(db: Database.Database): {
  member(item: number, event: EventOf["batches"]): void;
  runEnd(item: number, event: EventOf["proposals"]): void;
} {
  const addBatch = db.prepare("INSERT INTO batch VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING");
  const addMember = db.prepare("INSERT INTO batch_member VALUES (?,?,?,?) ON CONFLICT DO NOTHING");
  const addEnd = db.prepare("INSERT INTO run_end VALUES (?,?,?,?) ON CONFLICT DO NOTHING");
  return {
    member(item, { batchId, workspace, batchKey, owner, sealedBy, occurredAt, members, eventId, answers }) {
      const row = [batchId, workspace, batchKey, owner, sealedBy, occurredAt, members.join(" ")] as const;
      // Records of one batch say the same; where a foreign writer's do not, each of them stays, whichever came first.
      addBatch.run(...row, Buffer.from(sha256(row.join("\0")), "hex").subarray(0, 16));
      addMember.run(batchId, item, eventBytes(eventId), eventBytes((answers as { eventId: string }).eventId));
    },
    runEnd(item, { workspace, run, eventId }) {
      addEnd.run(item, workspace, run?.threadId, proposedAt(eventId));
    },
  };
}
