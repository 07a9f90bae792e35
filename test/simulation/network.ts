import { AppendOutcomeUnknown, CountersignError } from "../../src/errors.ts";
import { TOPICS, type Topic } from "../../src/events/topics.ts";
import type { Batch, Checkpoint, EventLog, LogRecord, MutableCheckpoint, NewRecord, Position, ReadOptions } from "../../src/log/log.ts";
import type { Rng } from "../ledger/generator.ts";

/** How badly the network of a history behaves: probabilities, 0 for a perfect one. */
export interface Weather {
  /** An append gets lost before the log has it; the writer may or may not be told that it cannot know. */
  readonly lost: number;
  /** An append is done and its answer gets lost. */
  readonly unanswered: number;
  /** An append is done twice. */
  readonly doubled: number;
  /** Records are delivered again. */
  readonly again: number;
}

export const CALM: Weather = { lost: 0, unanswered: 0, doubled: 0, again: 0 };

interface Append {
  readonly link: Link;
  readonly records: readonly NewRecord[];
  readonly resolve: (positions: readonly Position[]) => void;
  readonly reject: (error: Error) => void;
  /** Set once the log has them. */
  done: readonly Position[] | undefined;
}

/** One process's link to the log. */
interface Link {
  readonly name: string;
  readonly inner: EventLog;
  /** The driver's own reader, which follows the log: what it gives is what the nodes get, at other times. */
  readonly tap: AsyncIterator<Batch>;
  dead: boolean;
  /** How far this process has been told, by lane. */
  readonly at: number[];
  /** Lanes that reach it late. */
  readonly slow: ReadonlySet<number>;
  following: boolean;
  inbox: LogRecord[][];
  wake: (() => void) | undefined;
}

/** The network between processes and one log: it holds back appends and deliveries until the scheduler lets them pass. */
export interface Network {
  /** The log as one process sees it. What it is told of the lanes in `slow` (partition × topics + topic) is mostly late, as from a broker that lags. */
  connect(name: string, inner: EventLog, slow: ReadonlySet<number>): EventLog & { readonly kill: () => void };
  /** Everything that the log holds, in the order in which it took it. */
  readonly records: readonly LogRecord[];
  /** Called with every record that the log takes. */
  onRecord: (record: LogRecord) => void;
  /** Called when a process sends records. */
  onSend: (name: string, records: readonly NewRecord[]) => void;
  /** One thing happens, if there is any: an append arrives, an answer arrives, records are delivered. */
  step(rng: Rng, weather: Weather): Promise<boolean>;
  /** Bytes of a foreign producer, past every process. */
  inject(inner: EventLog, record: NewRecord): Promise<void>;
}

export function network(): Network {
  const appends: Append[] = [];
  const links: Link[] = [];
  const records: LogRecord[] = [];
  /** The records of each partition of each topic. */
  const lanes: LogRecord[][] = [];

  /** Takes from the driver's reader until these positions have been seen. */
  async function see(link: Pick<Link, "tap">, positions: readonly Position[]): Promise<void> {
    while (positions.some((p) => laneAt(lanes, laneOf(p)).length <= p.offset)) {
      const { value } = (await link.tap.next()) as { value: Batch };
      for (const record of value.records) {
        const lane = laneAt(lanes, laneOf(record));
        if (record.offset < lane.length) continue;
        lane.push(record);
        records.push(record);
        net.onRecord(record);
      }
    }
  }

  async function arrive(append: Append, rng: Rng, weather: Weather): Promise<void> {
    const { link, records: sent } = append;
    if (append.done === undefined) {
      if (rng.chance(weather.lost)) {
        remove(append);
        append.reject(
          rng.chance(0.5)
            ? new CountersignError("log_unavailable", "the log cannot be reached", { retryable: true })
            : new AppendOutcomeUnknown("the request was lost"),
        );
        return;
      }
      append.done = await link.inner.append(sent);
      await see(link, append.done);
      if (rng.chance(weather.doubled)) await see(link, await link.inner.append(sent));
      // Most answers come at once; some while other things happen.
      if (rng.chance(0.3)) return;
    }
    remove(append);
    if (rng.chance(weather.unanswered)) append.reject(new AppendOutcomeUnknown("the answer was lost"));
    else append.resolve(append.done);
  }

  function remove(append: Append): void {
    appends.splice(appends.indexOf(append), 1);
  }

  /** Gives a process some of what it has not seen: of some topics, in their order. */
  function deliver(link: Link, rng: Rng, weather: Weather): void {
    const batch: LogRecord[] = [];
    for (const [n, lane] of lanes.entries()) {
      const from = link.at[n] ?? 0;
      if (from >= lane.length || rng.chance(weather !== CALM && link.slow.has(n) ? 0.95 : 0.3)) continue;
      const count = rng.chance(0.6) ? lane.length - from : 1 + rng.below(lane.length - from);
      batch.push(...lane.slice(from, from + count));
    }
    if (batch.length === 0) return;
    if (rng.chance(weather.again)) {
      const n = rng.below(lanes.length);
      const known = link.at[n] ?? 0;
      if (known > 0) link.inbox.push((lanes[n] as LogRecord[]).slice(rng.below(known), known));
    }
    for (const record of batch) link.at[laneOf(record)] = record.offset + 1;
    link.inbox.push(batch);
    link.wake?.();
  }

  const isBehind = ({ following, at }: Link) => following && lanes.some((lane, n) => (at[n] ?? 0) < lane.length);

  const net: Network = {
    records,
    onRecord: () => {},
    onSend: () => {},
    connect(name, inner, slow) {
      const link: Link = {
        ...{ name, inner, dead: false, at: [], slow, following: false, inbox: [], wake: undefined },
        tap: inner.read(checkpointOf(lanes))[Symbol.asyncIterator](),
      };
      links.push(link);
      const closed = () => new CountersignError("log_closed", "the process was killed");
      return {
        partitions: inner.partitions,
        url: inner.url,
        ...("id" in inner ? { id: inner.id } : {}),
        append(sent) {
          if (link.dead) return Promise.reject(closed());
          net.onSend(name, sent);
          return new Promise((resolve, reject) => appends.push({ link, records: sent, resolve, reject, done: undefined }));
        },
        read: (from, options) => (options?.until === undefined ? follow(link, from, options) : inner.read(from, options)),
        heads: () => inner.heads(),
        kill() {
          if (link.dead) return;
          link.dead = true;
          links.splice(links.indexOf(link), 1);
          // What was on its way may still arrive, but nobody waits for the answer.
          for (const append of appends.filter((a) => a.link === link)) {
            remove(append);
            append.reject(closed());
          }
          link.wake?.();
        },
        async close() {
          this.kill();
          await inner.close();
        },
      };
    },
    async step(rng, weather) {
      const lagging = links.filter(isBehind);
      const total = appends.length + lagging.length;
      if (total === 0) return false;
      const chosen = rng.below(total);
      if (chosen < appends.length) await arrive(appends[chosen] as Append, rng, weather);
      else deliver(lagging[chosen - appends.length] as Link, rng, weather);
      return true;
    },
    async inject(inner, record) {
      await inner.append([record]);
      await Promise.all(links.filter((l) => l.inner === inner).map((l) => see(l, [])));
      const link = links.find((l) => l.inner === inner);
      if (link !== undefined) await see(link, await headsOf(inner));
    },
  };
  return net;
}

async function headsOf(log: EventLog): Promise<Position[]> {
  return (await log.heads()).filter((h) => h.next > 0).map((h) => ({ ...h, offset: h.next - 1 }));
}

const TOPIC_NUMBER = Object.fromEntries(TOPICS.map((topic, n) => [topic, n])) as { readonly [topic in Topic]: number };

function laneOf({ topic, partition }: { readonly topic: Topic; readonly partition: number }): number {
  return partition * TOPICS.length + TOPIC_NUMBER[topic];
}

function laneAt(lanes: LogRecord[][], n: number): LogRecord[] {
  while (lanes.length <= n) lanes.push([]);
  return lanes[n] as LogRecord[];
}

function checkpointOf(lanes: readonly (readonly LogRecord[])[]): Checkpoint {
  const checkpoint: MutableCheckpoint = {};
  for (const [n, lane] of lanes.entries()) (checkpoint[TOPICS[n % TOPICS.length] as Topic] ??= {})[Math.floor(n / TOPICS.length)] = lane.length;
  return checkpoint;
}

async function* follow(link: Link, from: Checkpoint, { signal }: ReadOptions = {}): AsyncGenerator<Batch> {
  link.at.length = 0;
  for (const topic of TOPICS)
    for (const [partition, next] of Object.entries(from[topic] ?? {})) link.at[laneOf({ topic, partition: Number(partition) })] = next;
  link.following = true;
  const wake = () => link.wake?.();
  signal?.addEventListener("abort", wake);
  try {
    for (;;) {
      if (signal?.aborted || link.dead) return;
      const batch = link.inbox.shift();
      if (batch !== undefined) yield { records: batch, atHead: link.inbox.length === 0 };
      else {
        await new Promise<void>((resolve) => {
          link.wake = resolve;
        });
      }
    }
  } finally {
    link.following = false;
    signal?.removeEventListener("abort", wake);
  }
}
