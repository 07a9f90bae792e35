import { CommanderError } from "commander";
import { CountersignError, type ErrorCode, messageOf } from "../errors.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { RemoteProblem } from "./http.ts";
import { type Cli, jsonLine, typed } from "./io.ts";
import { safeLines } from "./text.ts";

const INTERRUPTED = 130;

/** Prints what went wrong on stderr, never a stack trace, and gives the exit code. */
export function report(cli: Cli, error: unknown): number {
  cli.progress(null);
  if (error instanceof CommanderError) return reportUsage(cli, error);
  // Ended from outside: what that breaks off is not worth a sentence.
  if (cli.io.signal.aborted) return INTERRUPTED;
  if (cli.json()) cli.io.err.write(jsonLine(problem(error)));
  else cli.io.err.write(sentences(error));
  return exitCodeOf(error);
}

function reportUsage(cli: Cli, error: CommanderError): number {
  // Help and version are no errors: commander has printed them already.
  if (error.exitCode === 0) return EXIT.done;
  const detail = error.message.replace(/^error: /, "");
  if (error.code === "commander.help") return EXIT.usage;
  if (cli.json()) cli.io.err.write(jsonLine(problem(new CountersignError("usage", detail, { fix: "see --help" }))));
  else cli.io.err.write(`countersign: ${safeLines(detail).join("\n")}\n  See --help.\n`);
  return EXIT.usage;
}

/** An error as RFC 9457 says. */
export function problem(error: unknown): Record<string, unknown> {
  if (error instanceof RemoteProblem) return { ...error.problem };
  const code: ErrorCode = error instanceof CountersignError ? error.code : "internal";
  const { field, value, fix } = error instanceof CountersignError ? error : {};
  return {
    type: `urn:countersign:problem:${code.replaceAll("_", "-")}`,
    title: code.replaceAll("_", " "),
    detail: messageOf(error),
    code,
    retryable: error instanceof CountersignError && error.retryable,
    ...(field !== undefined && { field }),
    ...(value !== undefined && { value }),
    ...(fix !== undefined && { fix }),
  };
}

/** An error for people: what is wrong, where, and what to do. */
export function sentences(error: unknown): string {
  const [first = "", ...rest] = safeLines(messageOf(error));
  const known = error instanceof CountersignError;
  const field =
    known && rest.length === 0 && error.field !== undefined && error.field !== "" && !first.includes(error.field)
      ? ` (${safeLines(error.field).join(" ")})`
      : "";
  const out = [`countersign: ${first}${field} [${known ? error.code : "internal"}]`, ...rest];
  if (known && error.fix !== undefined) out.push(`  ${upper(safeLines(typed(error.fix)).join(" "))}.`.replace(/([.!?])\.$/, "$1"));
  return `${out.join("\n")}\n`;
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
