import { existsSync } from "node:fs";
import { CountersignError } from "../errors.ts";
import type { Manifest } from "../evals/manifest.ts";
import { isTopic, TOPICS } from "../events/topics.ts";
import { identityOf } from "../log/identity.ts";
import type { Checkpoint, EventLog, MutableCheckpoint } from "../log/log.ts";
import { fileText, instantMs } from "./args.ts";

/** One end of a range: offsets, an instant, or nothing (the beginning, or the head). */
export interface Bound {
  readonly offsets?: Checkpoint;
  /** Milliseconds since the epoch. */
  readonly instant?: number;
}

const FORMS = "an ISO 8601 instant, the manifest.json of an export, or TOPIC:PARTITION:OFFSET (several with commas)";

/**
 * Reads `--from` or `--to`: beginning or now, an instant, an earlier export's manifest (where it ended), or offsets.
 *
 * @throws CountersignError usage, file_invalid
 */
export async function boundOf(text: string | undefined, flag: string, log: Pick<EventLog, "heads" | "partitions" | "url">): Promise<Bound> {
  if (text === undefined || text === "beginning") return text === undefined || flag === "--from" ? {} : { offsets: everywhere(0, log.partitions) };
  if (text === "now") return flag === "--to" ? {} : { offsets: await headOf(log) };
  const instant = instantMs(text);
  if (instant !== undefined) return { instant };
  if (/^[a-z]+:\d+:\d+(,|$)/.test(text)) return { offsets: positionsOf(text, flag, log.partitions) };
  if (existsSync(text)) return { offsets: (await earlierExport(text, flag, log)).end };
  throw new CountersignError("usage", `${flag} ${text} names no place in the log`, { field: flag, value: text, fix: `give ${FORMS}` });
}

/** Refuses instants that are not in order. @throws CountersignError usage */
export function checkOrder(from: Bound, to: Bound): void {
  if (from.instant === undefined || to.instant === undefined || from.instant <= to.instant) return;
  const [begin, end] = [new Date(from.instant).toISOString(), new Date(to.instant).toISOString()];
  throw new CountersignError("usage", `--from ${begin} is later than --to ${end}`, {
    field: "--from",
    value: begin,
    fix: "give an instant that is not later than --to",
  });
}

function everywhere(offset: number, partitions: number): Checkpoint {
  return Object.fromEntries(TOPICS.map((topic) => [topic, Object.fromEntries(Array.from({ length: partitions }, (_, p) => [p, offset]))]));
}

async function headOf(log: Pick<EventLog, "heads">): Promise<Checkpoint> {
  const out: MutableCheckpoint = {};
  for (const { topic, partition, next } of await log.heads()) out[topic] = { ...out[topic], [partition]: next };
  return out;
}

function positionsOf(text: string, flag: string, partitions: number): Checkpoint {
  const out: MutableCheckpoint = {};
  for (const part of text.split(",")) {
    const [topic = "", partition = "", offset = ""] = part.trim().split(":");
    if (!isTopic(topic) || !/^\d+$/.test(partition) || !/^\d+$/.test(offset) || Number(partition) >= partitions)
      throw new CountersignError("usage", `${flag} ${part} is no place in this log`, {
        field: flag,
        value: part,
        fix: `give TOPIC:PARTITION:OFFSET such as decisions:3:120, with a topic of ${TOPICS.join(", ")} and a partition below ${partitions}`,
      });
    out[topic] = { ...out[topic], [Number(partition)]: Number(offset) };
  }
  return out;
}

/** An export that another one goes on from. */
export interface EarlierExport {
  readonly path: string;
  readonly manifest: Manifest;
  /** Where it ended. */
  readonly end: Checkpoint;
}

/** Reads the manifest of an export of this log. @throws CountersignError file_invalid, usage */
export async function earlierExport(path: string, flag: string, log: Pick<EventLog, "partitions" | "url">): Promise<EarlierExport> {
  const { endOf } = await import("../evals/ranges.ts");
  try {
    const manifest = JSON.parse(fileText(path, flag)) as Manifest;
    if (manifest.kind !== "countersign.dataset") throw new Error("it does not say countersign.dataset");
    checkSameLog(manifest.log, path, flag, log);
    return { path, manifest, end: endOf(manifest) };
  } catch (cause) {
    throw cause instanceof CountersignError ? cause : noManifest(path, flag, cause);
  }
}

/** A file that is no manifest, or not a whole one. */
export function noManifest(path: string, flag: string, cause: unknown): CountersignError {
  return new CountersignError("file_invalid", `${path} is no manifest of an export`, {
    cause,
    field: flag,
    fix: "name the manifest.json of an earlier export",
  });
}

/** Offsets of one log mean nothing in another: what lies before them would silently be left out. */
function checkSameLog(of: Manifest["log"], path: string, flag: string, log: Pick<EventLog, "partitions" | "url">): void {
  const id = identityOf(log);
  if (of.id === id && of.partitions === log.partitions) return;
  const said = of.id === undefined ? "an earlier version, and does not say of which log" : `another log: ${of.id} with ${of.partitions} partitions`;
  throw new CountersignError("usage", `${path} is of ${said}; this one is ${id} with ${log.partitions} partitions`, {
    field: flag,
    value: of.id ?? path,
    fix: "export this log into a folder of its own; where it is the same log at another address, give the offsets as TOPIC:PARTITION:OFFSET",
  });
}
