import { Command, InvalidArgumentError } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Codec } from "../../events/codec.ts";
import { isTopic, TOPICS, type Topic } from "../../events/topics.ts";
import type { Checkpoint, LogRecord, MutableCheckpoint } from "../../log/log.ts";
import type { OpenedLog } from "../../log/open.ts";
import { examples, listArgument, moreArgument } from "../args.ts";
import type { Cli } from "../io.ts";
import { type Bound, boundOf, checkOrder } from "../range.ts";
import { sinkOf } from "../tail-sink.ts";
import { learnFor, openExisting, type WhereOptions, where, whereOf } from "../where.ts";

interface Options extends WhereOptions {
  topic?: Topic[];
  item?: string;
  kind?: string[];
  actor?: string[];
  workspace?: string;
  from: string;
  to?: string;
  format: string;
  out?: string;
  follow?: boolean;
}

/** `countersign tail`: the topics, decoded, as JSON Lines. */
export function tail(cli: Cli): Command {
  const command = new Command("tail")
    .summary("the topics, decoded, as JSON Lines")
    .description("Prints the records of the topics as JSON Lines: position, append time and the decoded event, or why it cannot be decoded.")
    .option("--topic <name>", `only this topic; may be repeated (${TOPICS.join(", ")})`, topicArgument)
    .option("--item <id>", "only this item: its whole id, or the beginning of it")
    .option("--kind <name>", "only events of this kind, route or outcome, such as edit; may be repeated", listArgument)
    .option("--actor <id>", "only events written by this one; may be repeated", moreArgument)
    .option("--workspace <name>", "only this workspace")
    .option("--from <where>", "beginning, now, an instant, a manifest.json, or TOPIC:PARTITION:OFFSET", "beginning")
    .option("--to <where>", "where to end, exclusive: an instant, a manifest.json, or TOPIC:PARTITION:OFFSET,…")
    .option("--format <name>", "jsonl, or parquet with --out", "jsonl")
    .option("--out <file>", "write to this file instead of stdout")
    .option("-f, --follow", "go on with what is appended, until interrupted")
    .addHelpText(
      "after",
      examples(
        "tail --topic decisions",
        "tail --item 4f2a91c0",
        "tail --from now --follow",
        "tail --topic decisions --kind edit,reject --from 2026-01-01 --to 2026-02-01 --format parquet --out january.parquet",
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
  const [{ Codec }, { lineOf, matches }] = await Promise.all([import("../../events/codec.ts"), import("../../evals/lines.ts")]);
  const codec: Codec = new Codec();
  log.onTrouble = (sentence) => cli.note(sentence ?? "The log can be reached again.");
  checkOptions(options);
  const bounded = await boundsOf(options, log);
  const single = bounded.from === undefined ? positionOf(options.from) : undefined;
  const topics = single !== undefined ? [single.topic] : options.topic;
  const from = bounded.from?.offsets ?? (await startOf(opened, options, single));
  const until = options.follow === true ? {} : { until: bounded.to?.offsets ?? ("heads" as const) };
  const sink = await sinkOf(cli, options);
  for await (const batch of log.read(from, { ...until, signal: cli.io.signal, ...(topics && { topics }) })) {
    await learnFor(batch.records, opened, codec);
    for (const record of batch.records) {
      if (!isWanted(record, options, single) || !isIn(record, bounded)) continue;
      const line = lineOf(record, codec);
      if (matches(line, options)) sink.add(line);
    }
  }
  sink.finish();
}

function isWanted(record: LogRecord, { item }: Options, single: Single | undefined): boolean {
  if (single !== undefined && record.partition !== single.partition) return false;
  return item === undefined || record.key?.startsWith(item) === true;
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

function checkOptions({ format, out, follow, to }: Options): void {
  const usage = (message: string, field: string, fix: string) => new CountersignError("usage", message, { field, fix });
  if (format !== "jsonl" && format !== "parquet") throw usage(`There is no format ${format}`, "--format", "give jsonl or parquet");
  if (format === "parquet" && out === undefined) throw usage("Parquet is binary and goes to a file", "--out", "name one with --out");
  if (format === "parquet" && follow === true) throw usage("A Parquet file ends: it cannot follow the log", "--follow", "leave it out, or take jsonl");
  if (to !== undefined && follow === true) throw usage("--to and --follow exclude each other", "--follow", "leave one of them out");
}

interface Bounds {
  /** Undefined where --from is a word or one position, which `startOf` reads. */
  readonly from?: Bound;
  readonly to?: Bound;
}

async function boundsOf(options: Options, log: OpenedLog["log"]): Promise<Bounds> {
  const isPlain = options.from === "beginning" || options.from === "now" || /^[a-z]+:\d+:\d+$/.test(options.from) || !/^\d{4}-|[:/.]/.test(options.from);
  const bounds: Bounds = {
    ...(!isPlain && { from: await boundOf(options.from, "--from", log) }),
    ...(options.to !== undefined && { to: await endOf(options.to, log) }),
  };
  checkOrder(bounds.from ?? {}, bounds.to ?? {});
  return bounds;
}

/** Partitions that --to does not name end at the head. */
async function endOf(text: string, log: OpenedLog["log"]): Promise<Bound> {
  const bound = await boundOf(text, "--to", log);
  if (bound.offsets === undefined) return bound;
  const offsets: MutableCheckpoint = {};
  for (const { topic, partition, next } of await log.heads()) {
    const end = Math.min(bound.offsets[topic]?.[partition] ?? next, next);
    offsets[topic] = { ...offsets[topic], [partition]: end };
  }
  return { offsets };
}

/** Instants are about when the log appended. */
function isIn({ appendedAt, topic, partition, offset }: LogRecord, { from, to }: Bounds): boolean {
  if (from?.instant !== undefined && appendedAt < from.instant) return false;
  if (to?.instant !== undefined && appendedAt >= to.instant) return false;
  return to?.offsets === undefined || offset < (to.offsets[topic]?.[partition] ?? Number.POSITIVE_INFINITY);
}
