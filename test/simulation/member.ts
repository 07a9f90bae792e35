import { sha256 } from "../../src/events/canonical.ts";
import type { AnyEvent, Topic } from "../../src/events/topics.ts";
import { type LogRecord, offsetIn } from "../../src/log/log.ts";
import { checkFolded, checkSent } from "./invariants.ts";
import { knowledge } from "./knowledge.ts";
import type { Process } from "./node.ts";
import { nameOf } from "./truth.ts";
import { eventsOf, type Member, type World } from "./world.ts";

/** Holds everything that is sent and everything that the log takes against the rules. */
export function watch(world: World): void {
  const { net, truth } = world;
  const known = new Set<string>();
  net.onRecord = (record) => {
    const fact = truth.take(record);
    if (fact === null) world.garbage.push(record);
    world.note(`log: ${record.topic} ${record.partition}@${record.offset} ${record.key} ${fact === null ? "garbage" : describe(fact.event)}`);
  };
  net.onSend = (name, records) => {
    const member = world.members.find((m) => m.process.name === name && m.process.alive);
    for (const { topic, itemId, event } of eventsOf(world, records)) {
      const first = nameOf(itemId, topic, event.eventId);
      // Sent again, it was decided before: what has happened since does not count.
      if (member === undefined || known.has(first)) continue;
      known.add(first);
      checkSent(world, member, topic, itemId, event);
    }
  };
}

function describe(event: AnyEvent): string {
  const { kind, outcome, route, gate, ask, actor, answers, eventId } = event as AnyEvent & { [field: string]: string | undefined };
  const what = [kind, outcome, route, gate, ask].filter((word) => typeof word === "string").join(" ");
  return `${what} ${eventId} of ${actor.id}${answers === null ? "" : `, answers ${answers.topic}/${answers.eventId}`}`;
}

/** A process comes in: it folds what there is, and follows. */
export async function joinIn(world: World, process: Process): Promise<void> {
  const { truth, net } = world;
  const { projector } = process.ledger;
  const member: Member = { process, known: knowledge((itemId) => world.item(itemId)?.threadId ?? null), folded: new Set() };
  const hasFolded = ({ topic, partition, offset }: LogRecord) => offset < offsetIn(projector.folded, topic, partition);
  // What lies in its files from before it is not told again.
  for (const record of net.records.filter(hasFolded)) {
    const event = record.value === null ? null : truth.decode(record.topic, record.value);
    if (event !== null && truth.isEffective(event.itemId, record.topic, event.eventId)) hear(world, member, record.topic, event.itemId, event);
  }
  const learn = () => {
    for (const record of world.garbage.filter(hasFolded)) member.known.garbage(record.key ?? "", sha256(record.value ?? new Uint8Array()));
  };
  learn();
  projector.onFolded((batch) => {
    checkFolded(world, member, batch);
    for (const { topic, itemId, event } of batch.effective) hear(world, member, topic, itemId, event);
    learn();
  });
  world.members.push(member);
  await process.ledger.start();
  process.ledger.ended.catch((error: Error) => process.alive && world.violate("it follows the log", `${process.name} follows the log no more: ${error.stack}`));
  world.note(`${process.name} runs`);
}

function hear(world: World, member: Member, topic: Topic, itemId: string, event: AnyEvent): void {
  member.folded.add(nameOf(itemId, topic, event.eventId));
  member.known.hear(topic, itemId, event);
  const item = world.items.get(itemId);
  if (topic === "proposals" && item !== undefined) item.proposal = event.eventId;
}
