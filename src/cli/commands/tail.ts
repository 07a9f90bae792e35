import { Command, InvalidArgumentError } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Codec } from "../../events/codec.ts";
import { isTopic, TOPICS, type Topic } from "../../events/topics.ts";
import type { Checkpoint, LogRecord, MutableCheckpoint } from "../../log/log.ts";
import type { OpenedLog } from "../../log/open.ts";
import { examples } from "../args.ts";
import type { Cli } from "../io.ts";
import { learnFor, openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  topic?: Topic[];
  item?: string;
  from: string;
  follow?: boolean;
}

/** `countersign tail`: the topics, decoded, as JSON Lines. */
export function tail(cli: Cli): Command {
  const command = new Command("tail")
    .summary("the topics, decoded, as JSON Lines")
    .description("Prints the records of the topics as JSON Lines: position, append time and the decoded event, or why it cannot be decoded.")
    .option("--topic <name>", `only this topic; may be repeated (${TOPICS.join(", ")})`, topicArgument)
    .option("--item <id>", "only this item: its whole id, or the beginning of it")
    .option("--from <where>", "beginning, now, or TOPIC:PARTITION:OFFSET", "beginning")
    .option("-f, --follow", "go on with what is appended, until interrupted")
    .addHelpText(
      "after",
      examples(
        "tail --topic decisions",
        "tail --item 4f2a91c0",
        "tail --from now --follow",
        "tail --from decisions:3:120 --log kafka://localhost:9092?registry=http://localhost:8081",
      ),
    );
  return where(command).action(async (options: Options) => {
    const opened = await openExisting(whereOf(cli.io, options).log);
    try {
      await printAll(cli, opened, options);
    } finally {
      await opened.registry.close();
      await opened.log.close();
    }
  });
}

async function printAll(cli: Cli, opened: OpenedLog, options: Options): Promise<void> {
  const { log } = opened;
  const { Codec } = await import("../../events/codec.ts");
  const codec: Codec = new Codec();
  log.onTrouble = (sentence) => cli.note(sentence ?? "The log can be reached again.");
  const single = positionOf(options.from);
  const topics = single !== undefined ? [single.topic] : options.topic;
  const from = await startOf(opened, options, single);
  const until = options.follow === true ? {} : { until: "heads" as const };
  for await (const batch of log.read(from, { ...until, signal: cli.io.signal, ...(topics && { topics }) })) {
    await learnFor(batch.records, opened, codec);
    for (const record of batch.records) if (isWanted(record, options, single)) cli.data(lineOf(record, codec));
  }
}

function isWanted(record: LogRecord, { item }: Options, single: Single | undefined): boolean {
  if (single !== undefined && record.partition !== single.partition) return false;
  return item === undefined || record.key?.startsWith(item) === true;
}

function lineOf(record: LogRecord, codec: Codec): Record<string, unknown> {
  const { topic, partition, offset, key, appendedAt } = record;
  const place = { topic, partition, offset, key, appendedAt: new Date(appendedAt).toISOString() };
  const decoded = codec.decode(topic, record.value);
  if (decoded.ok) return { ...place, event: decoded.event };
  const { reason } = decoded;
  const error = reason === "unknown_schema" ? { reason, schemaId: decoded.schemaId } : { reason, message: decoded.message };
  return { ...place, error, value: record.value === null ? null : Buffer.from(record.value).toString("base64") };
}

interface Single {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: number;
}

/** TOPIC:PARTITION:OFFSET, or undefined for the words. @throws CountersignError usage */
function positionOf(from: string): Single | undefined {
  if (from === "beginning" || from === "now") return undefined;
  const [topic = "", partition = "", offset = ""] = from.split(":");
  if (isTopic(topic) && /^\d+$/.test(partition) && /^\d+$/.test(offset)) return { topic, partition: Number(partition), offset: Number(offset) };
  throw new CountersignError("usage", `--from ${from} is no place in the log`, {
    field: "--from",
    fix: `give beginning, now, or TOPIC:PARTITION:OFFSET such as decisions:3:120, with a topic of ${TOPICS.join(", ")}`,
  });
}

async function startOf({ log }: OpenedLog, options: Options, single: Single | undefined): Promise<Checkpoint> {
  if (options.from === "beginning" && options.item === undefined) return {};
  const { partitionOf } = await import("../../log/partitioner.ts");
  const only =
    single?.partition ?? (options.item !== undefined && /^[0-9a-f]{32}$|^policy:/.test(options.item) ? partitionOf(options.item, log.partitions) : undefined);
  if (single !== undefined && single.partition >= log.partitions)
    throw new CountersignError("usage", `The log has partitions 0 to ${log.partitions - 1}, not ${single.partition}`, {
      field: "--from",
      fix: "name one of them",
    });
  const from: MutableCheckpoint = {};
  for (const { topic, partition, next } of await log.heads()) {
    // Partitions that cannot hold what is asked for are passed over unread.
    const offset = only !== undefined && partition !== only ? next : options.from === "now" ? next : single?.topic === topic ? single.offset : 0;
    if (single?.topic === topic && single.partition === partition && single.offset > next)
      throw new CountersignError("not_found", `Partition ${partition} of ${topic} ends at offset ${next}`, {
        field: "--from",
        fix: "give an offset up to that",
      });
    if (offset > 0) from[topic] = { ...from[topic], [partition]: offset };
  }
  return from;
}

function topicArgument(text: string, before: Topic[] | undefined): Topic[] {
  if (!isTopic(text)) throw new InvalidArgumentError(`It must be one of ${TOPICS.join(", ")}.`);
  return [...(before ?? []), text];
}
