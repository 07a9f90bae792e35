/**
 * Folds a file of histories and prints where each delivery ends: JSON Lines `{"name", "delivery", "state"}` on stdout, a summary on
 * stderr. Usage: `npm run --silent fold:histories -- FILE`. Exit codes: 0 folded, 1 the file is missing or broken, 2 usage.
 */
import { CountersignError, messageOf } from "../src/errors.ts";
import { entriesOfHistory, foldDelivery, readHistories } from "./histories.ts";

/** Folds every delivery of every history of a file, in its order. */
async function foldHistories(path: string): Promise<void> {
  const started = performance.now();
  let histories = 0;
  let answers = 0;
  const skipped: string[] = [];
  const tell = process.stderr.isTTY ? (text: string) => process.stderr.write(`\r${text}`) : () => {};
  for await (const history of readHistories(path)) {
    histories++;
    let entries: ReturnType<typeof entriesOfHistory>;
    try {
      entries = entriesOfHistory(history);
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      skipped.push(`skipped ${history.name}: ${error.message}`);
      continue;
    }
    for (const [delivery, positions] of history.deliveries.entries()) {
      await write(`${JSON.stringify({ name: history.name, delivery, state: foldDelivery(entries, positions) })}\n`);
      answers++;
    }
    if (histories % 100 === 0) tell(`${histories} histories …`);
  }
  tell("");
  for (const line of skipped) console.error(line);
  console.error(`${histories} histories, ${answers} deliveries folded, ${skipped.length} skipped, ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** Waits for a slow reader, so that a large file is not held in memory. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
}

// Whoever reads may have enough: that is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const [file, ...rest] = process.argv.slice(2);
if (file === undefined || rest.length > 0) {
  console.error("usage: npm run --silent fold:histories -- FILE");
  process.exitCode = 2;
} else {
  await foldHistories(file).catch((error) => {
    console.error(error instanceof CountersignError && error.fix ? `${error.message}. To mend it: ${error.fix}` : messageOf(error));
    process.exitCode = 1;
  });
}
