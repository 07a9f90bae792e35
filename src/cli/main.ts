import type { Io } from "./io.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second signal ends what does not want to end.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
}
// A reader that has gone (`| head`) is no fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

const io: Io = { env: process.env, out: process.stdout, err: process.stderr, stdin: process.stdin, now: Date.now, signal: stop.signal };
const { run } = await import("./program.ts");
process.exitCode = await run(process.argv.slice(2), io);
// Whatever a library has left open must not keep a command alive that has ended: nothing would start it again. What was printed goes out first.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))));
setTimeout(() => process.exit(), 3000).unref();
