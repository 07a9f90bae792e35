import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { CountersignError, type ErrorCode } from "../errors.ts";
import type { PartitionFacts } from "./facts.ts";
import type { PileSource } from "./pile.ts";
import type { Sibling } from "./siblings.ts";
import type { Temporary } from "./temporary.ts";
import { type Answer, type Final, type First, type Request, type Settings, Workshop } from "./work.ts";

/** Who makes the rows of partitions: this thread, and others beside it. */
export interface Crew {
  /** Says what is made of every partition alike, once and before anything is asked. */
  begin(settings: Settings): void;
  /** Makes the rows of a partition as if there were no others. */
  first(partition: number, source: PileSource): Promise<First>;
  /** What the items say that answer the same messages as others. */
  siblings(partition: number, facts: PartitionFacts): Promise<readonly Sibling[]>;
  /** What a partition came to, once all have been compared. */
  final(partition: number, facts: PartitionFacts): Promise<Final>;
  close(): Promise<void>;
}

/** One thread. It does what it is asked for in that order. */
interface Lane {
  begin(settings: Settings): void;
  ask(request: Request, transfer: ArrayBuffer[]): Promise<Answer>;
  close(): Promise<unknown>;
}

/**
 * So many threads, of which this is one, make the rows. Each partition has its thread: what a thread is to do next never waits for another.
 * The others load their code while this one reads the log, so ask for a crew before that.
 */
export function crewOf(threads: number, temporary: Temporary): Crew {
  const lanes: Lane[] = [inThisThread(temporary)];
  // The work of this thread comes last: the others are to have theirs before it is busy.
  while (lanes.length < threads) lanes.unshift(inThread(temporary.path()));
  const laneOf = (partition: number) => lanes[partition % lanes.length] as Lane;
  return {
    begin: (settings) => {
      for (const lane of lanes) lane.begin(settings);
    },
    first: (partition, source) => laneOf(partition).ask({ ask: "first", partition, source }, "bytes" in source ? [source.bytes.buffer] : []) as Promise<First>,
    siblings: (partition, facts) => laneOf(partition).ask({ ask: "siblings", partition, facts }, []) as Promise<readonly Sibling[]>,
    final: (partition, facts) => laneOf(partition).ask({ ask: "final", partition, facts }, []) as Promise<Final>,
    close: async () => {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}

function inThisThread(temporary: Temporary): Lane {
  let shop: Workshop;
  let before: Promise<unknown> = Promise.resolve();
  let closed = false;
  return {
    begin(settings) {
      shop = new Workshop(settings, () => temporary.path());
    },
    ask(request) {
      // In between, whoever wants to stop it is heard.
      const turn = before.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
      const done = turn.then(() => {
        if (closed) throw new Error("the export was stopped");
        return shop.answer(request);
      });
      before = done.catch(() => {});
      return done;
    },
    close() {
      closed = true;
      return before;
    },
  };
}

/** What a thread hears: first the settings, then what is asked for. */
export type Message = { readonly begin: Settings } | Request;

/** What a thread answers. */
export type Reply = { readonly result: Answer } | { readonly error: ThreadError };

/** An error on its way between threads. */
export interface ThreadError {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly field?: string;
  readonly fix?: string;
}

/** What an item needs is garbage with the next one: a small room for it is collected more often, and as fast. */
const YOUNG_MIB = 24;

function inThread(folder: string): Lane {
  // Published code is JavaScript, the repository's is not.
  const worker = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), {
    workerData: folder,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
  });
  const waiting: { resolve(result: Answer): void; reject(error: unknown): void }[] = [];
  let ended: unknown;
  const end = (error: unknown) => {
    ended ??= error;
    for (const { reject } of waiting.splice(0)) reject(ended);
  };
  worker.on("message", (reply: Reply) => {
    const asked = waiting.shift();
    if ("result" in reply) asked?.resolve(reply.result);
    else asked?.reject(errorOf(reply.error));
  });
  worker.on("error", end);
  worker.on("exit", () => end(new Error("a thread of the export has ended")));
  return {
    begin: (settings) => worker.postMessage({ begin: settings } satisfies Message),
    ask: (request, transfer) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        waiting.push({ resolve, reject });
        worker.postMessage(request, transfer);
      }),
    close: () => worker.terminate(),
  };
}

function errorOf({ message, code, field, fix }: ThreadError): Error {
  if (code === undefined) return new Error(message);
  return new CountersignError(code, message, { ...(field !== undefined && { field }), ...(fix !== undefined && { fix }) });
}
