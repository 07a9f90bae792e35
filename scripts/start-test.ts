/** `npm start` as a newcomer runs it: it becomes healthy, its demo makes progress, and SIGTERM ends it with 0. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, startServer } from "./support/server.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const data = mkdtempSync(join(tmpdir(), "countersign-start-"));
try {
  const port = await freePort();
  const server = await startServer("npm", ["start", "--", "--port", String(port), "--data", data], { cwd: root, port });
  const linesAtStart = server.output().split("\n").length;
  const progress = () => server.output().split("\n").length - linesAtStart;
  for (const deadline = Date.now() + 30_000; progress() < 5 && Date.now() < deadline; ) await sleep(200);
  const more = progress();
  const code = await server.stop();
  console.log(server.output());
  if (more < 5) throw new Error(`the demo printed only ${more} lines in 30 s`);
  if (code !== 0) throw new Error(`npm start ended with ${code} after SIGTERM, not with 0`);
  console.log(`npm start: healthy, ${more} more lines, ended with 0`);
} finally {
  rmSync(data, { recursive: true, force: true });
}
