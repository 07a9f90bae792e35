import { Readable } from "node:stream";
import type { Io } from "../../src/cli/io.ts";
import { run } from "../../src/cli/program.ts";

/** What a command printed, and how it ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How to run a command. */
export interface How {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  /** Hears of what is printed on stdout, as it is printed. */
  readonly onOut?: (text: string) => void;
}

/** Runs a command line in this process: the same code as the program, without the 0.3 seconds of a new process. */
export async function cli(argv: readonly string[], how: How = {}): Promise<Ended> {
  let [out, err] = ["", ""];
  const io: Io = {
    env: how.env ?? {},
    out: {
      write(text) {
        out += text;
        how.onOut?.(text);
      },
    },
    err: {
      write(text) {
        err += text;
      },
    },
    stdin: Readable.from(how.stdin === undefined ? [] : [how.stdin]) as Io["stdin"],
    now: how.now ?? Date.now,
    signal: how.signal ?? new AbortController().signal,
  };
  const code = await run(argv, io);
  return { code, out, err };
}

/** The objects of JSON Lines. */
export function lines<T = Record<string, unknown>>(text: string): T[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

/** A `countersign up` in this process. */
export interface Up {
  readonly url: string;
  /** Everything on stdout and stderr once it has ended. */
  stop(): Promise<Ended>;
}

/** Starts `up` on a free port and waits until it answers. */
export async function startUp(argv: readonly string[]): Promise<Up> {
  const stop = new AbortController();
  const ready = Promise.withResolvers<string>();
  const ended = cli(["up", "--port", "0", "--json", ...argv], {
    signal: stop.signal,
    onOut: (text) => ready.resolve((JSON.parse(text) as { url: string }).url),
  });
  ended.then((e) => ready.reject(new Error(`up ended with ${e.code}: ${e.err}`)));
  return {
    url: await ready.promise,
    stop() {
      stop.abort();
      return ended;
    },
  };
}

/** A new key of a data folder. */
export async function makeKey(data: string, ...argv: string[]): Promise<string> {
  const { out, err } = await cli(["keys", "create", "--data", data, "--json", ...argv]);
  if (out === "") throw new Error(err);
  return (JSON.parse(out) as { key: string }).key;
}
