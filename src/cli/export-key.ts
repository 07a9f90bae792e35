import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CountersignError, messageOf } from "../errors.ts";
import { makeFolder } from "../make-folder.ts";
import { fileText } from "./args.ts";
import type { Io } from "./io.ts";

/** Shortest key that cannot be guessed. */
const LEAST = 16;

/**
 * The key of the pseudonyms: of a file that was named, of the environment, or of the data folder, where one is made at the first export. The
 * same key gives the same pseudonyms; without it nobody can test a guess.
 *
 * @throws CountersignError usage, file_unreadable
 */
export function exportKey(io: Io, options: { keyFile?: string | undefined; data: string }): string {
  if (options.keyFile !== undefined) return checked(fileText(options.keyFile, "--key-file").trim(), "--key-file");
  if (io.env.COUNTERSIGN_EXPORT_KEY) return checked(io.env.COUNTERSIGN_EXPORT_KEY, "COUNTERSIGN_EXPORT_KEY");
  const path = join(options.data, "export.key");
  try {
    if (!existsSync(path)) {
      makeFolder(dirname(path));
      // wx: of two exports that start together, one makes the key and the other reads it.
      writeFileSync(path, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST")
      throw new CountersignError("file_unreadable", `The key of the pseudonyms cannot be kept in ${path}: ${messageOf(cause)}`, {
        cause,
        fix: "give one with --key-file or COUNTERSIGN_EXPORT_KEY",
      });
  }
  return checked(readFileSync(path, "utf8").trim(), path);
}

function checked(key: string, field: string): string {
  if (key.length >= LEAST) return key;
  throw new CountersignError("usage", `The export key of ${field} has ${key.length} characters`, {
    field,
    fix: `give at least ${LEAST} random characters, such as those of openssl rand -base64 32`,
  });
}
