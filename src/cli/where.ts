import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { CountersignError } from "../errors.ts";
import type { LogRecord } from "../log/log.ts";
import type { OpenedLog } from "../log/open.ts";
import type { Io } from "./io.ts";

/** Options of the commands that open the log themselves. */
export interface WhereOptions {
  log?: string;
  data?: string;
}

/** Adds `--log` and `--data`. */
export function where(command: Command): Command {
  return command
    .option("--log <url>", "sqlite:DIR or kafka://HOST:PORT?registry=URL (default: COUNTERSIGN_LOG, else sqlite:<data>)", given)
    .option(...DATA_OPTION);
}

/** `--data` for commands that open no log. */
export const DATA_OPTION = ["--data <dir>", "folder of views and keys (default: COUNTERSIGN_DATA, else ./data)", given] as const;

/** A script whose variable is not set must not come to another log than it means. */
function given(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It is empty: name one, or leave the option out for the default.");
  return text;
}

/** Where log and data lie. */
export function whereOf(io: Io, options: WhereOptions): { log: string; data: string } {
  const data = options.data ?? (io.env.COUNTERSIGN_DATA || "data");
  return { data, log: options.log ?? (io.env.COUNTERSIGN_LOG || `sqlite:${data}`) };
}

/** Path of the views file in a data folder. */
export function viewsPath(data: string): string {
  return join(data, "views.db");
}

/** Opens a log that is there: a mistyped folder must not become a new, empty log. @throws CountersignError as openLog */
export async function openExisting(url: string): Promise<OpenedLog> {
  const { openLog, parseLogUrl } = await import("../log/open.ts");
  const parsed = parseLogUrl(url);
  if (parsed.kind === "memory")
    throw new CountersignError("log_url_invalid", "A log in memory ends with its process: there is nothing to open", {
      field: "--log",
      fix: "name a sqlite: or kafka:// log",
    });
  if (parsed.kind === "sqlite" && !existsSync(join(parsed.dir, "log.db")))
    throw new CountersignError("not_found", `There is no log in ${parsed.dir}`, {
      field: "--log",
      value: url,
      fix: "name the right one with --log or --data, or make one with `countersign up`",
    });
  return openLog(parsed, { create: false });
}

/** Fetches the schemas of records before they are decoded. */
export async function learnFor(records: readonly LogRecord[], { registry }: OpenedLog, codec: import("../events/codec.ts").Codec): Promise<void> {
  const { schemaIdOf } = await import("../events/codec.ts");
  for (const record of records) {
    const id = record.value === null ? undefined : schemaIdOf(record.value);
    if (id === undefined || codec.knows(id)) continue;
    const text = await registry.textOf(id);
    if (text !== null) codec.learn(id, text);
  }
}
