import { CountersignError } from "../errors.ts";
import { type Checkpoint, type EventLog, type MutableCheckpoint, offsetIn, type Position } from "../log/log.ts";
import { mark } from "./fold-batch.ts";
import { topicNumber } from "./keys.ts";
import type { Views } from "./views.ts";

/**
 * kafkajs speaks no topic ids: a recreated topic is known by the last folded record, which is then another one or not there.
 *
 * @throws CountersignError log_recreated, log_unavailable
 */
export async function refuseRecreated(views: Views, log: EventLog, folded: Checkpoint): Promise<void> {
  // Read before anything is waited for: folding may go on meanwhile, and move these rows.
  const rows = views.db.prepare("SELECT topic, part, next, last FROM checkpoint").all() as { topic: number; part: number; next: number; last: Buffer | null }[];
  const last = new Map(rows.map((row) => [`${row.topic}/${row.part}@${row.next}`, row.last]));
  const from: MutableCheckpoint = {};
  let any = false;
  // A log that ends at the last folded record would make the reading below wait for it forever.
  for (const { topic, partition, next } of await log.heads()) {
    const offset = offsetIn(folded, topic, partition);
    if (offset > next) throw recreated({ topic, partition, offset }, `the log ends at offset ${next}, but ${offset} records were folded`);
    if (offset === 0) continue;
    from[topic] = { ...from[topic], [partition]: offset - 1 };
    any = true;
  }
  if (!any) return;
  for await (const batch of log.read(from, { until: folded })) {
    for (const record of batch.records) {
      if (offsetIn(folded, record.topic, record.partition) !== record.offset + 1) continue;
      const known = last.get(`${topicNumber(record.topic)}/${record.partition}@${record.offset + 1}`);
      if (known && !mark(record).equals(known)) throw recreated(record, `another record lies at offset ${record.offset} than the one that was folded`);
    }
  }
}

function recreated({ topic, partition, offset }: Position, why: string): CountersignError {
  return new CountersignError("log_recreated", `Topic ${topic} was recreated, or the log is an older copy: in partition ${partition} ${why}`, {
    field: `${topic}/${partition}@${offset}`,
    fix: "point --log at the right log, or run countersign rebuild to make the views of this one",
  });
}
