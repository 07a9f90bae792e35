import pc from "picocolors";

/** A stream to write to, as far as the commands need one. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Everything a command touches outside its arguments, so that tests run commands without a process of their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: Sink;
  readonly err: Sink;
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Ends what runs on: `up`, `tail --follow`, waiting. */
  readonly signal: AbortSignal;
}

/** One run of the command line. */
export interface Cli {
  readonly io: Io;
  /** Set by `--json`. */
  readonly json: () => boolean;
  /** Colours for stdout: none where NO_COLOR is set or where it is no terminal. */
  readonly colors: Colors;
  /** Columns to fill, from 40 to 100. */
  readonly width: number;
  /** Prints a line for people, or nothing with --json. */
  say(text: string): void;
  /** Prints one object as a line of JSON. */
  data(value: unknown): void;
  /** Prints a note on stderr, also with --json. */
  note(text: string): void;
  /** Shows how far something is, on stderr when it is a terminal; null clears it. */
  progress(text: string | null): void;
  /** Sets the exit code. */
  exit(code: number): void;
}

export type Colors = ReturnType<typeof pc.createColors>;

/** How a reader types this program: from the repository through npm, installed by its name. */
export const SELF = import.meta.url.endsWith(".ts") ? "npm run -s countersign --" : "countersign";

/** A hint as it can be typed: ours name the installed program. */
export function typed(hint: string): string {
  return hint.replace(/\bcountersign (?=[a-z])/g, `${SELF} `);
}

/** Characters that change how a terminal shows what follows: written as escapes in JSON. */
const STEERING = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A value as one line of JSON that is safe to print. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(STEERING, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
}

/** The helpers around an io. */
export function cliOf(io: Io, json: () => boolean, exit: (code: number) => void): Cli {
  const columns = Number(io.env.COLUMNS) || io.out.columns || 80;
  const colored = io.out.isTTY === true && !io.env.NO_COLOR && io.env.TERM !== "dumb";
  let shown = false;
  const clear = () => {
    if (shown) io.err.write("\r\u001b[K");
    shown = false;
  };
  return {
    io,
    json,
    exit,
    colors: pc.createColors(colored),
    width: Math.max(40, Math.min(100, columns)),
    say(text) {
      clear();
      if (!json()) io.out.write(`${text}\n`);
    },
    data(value) {
      clear();
      io.out.write(jsonLine(value));
    },
    note(text) {
      clear();
      io.err.write(`${text}\n`);
    },
    progress(text) {
      clear();
      if (text === null || io.err.isTTY !== true) return;
      io.err.write(`\r\u001b[K${text}`);
      shown = true;
    },
  };
}
