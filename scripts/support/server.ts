/** Starts `countersign up` in whatever form it comes, waits until it is healthy, and stops it the way an operator does. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A started server, with what it has printed so far. */
export interface RunningServer {
  readonly url: string;
  /** Everything on stdout and stderr up to now. */
  output(): string;
  /** Sends SIGTERM and waits. Gives the exit code. @throws when it has not ended after 20 s */
  stop(): Promise<number | null>;
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Starts the command and waits until `/healthz` on the port answers 200. @throws with its output when it ends or takes longer than a minute */
export async function startServer(command: string, args: string[], options: { cwd: string; port: number; env?: NodeJS.ProcessEnv }): Promise<RunningServer> {
  // A process group of its own, so that what it started can be ended with it.
  const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const output = () => Buffer.concat(chunks).toString();
  const url = `http://127.0.0.1:${options.port}`;
  const shown = [command, ...args].join(" ");
  try {
    for (const deadline = Date.now() + 60_000; !(await healthy(url)); await sleep(100)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${shown} ended with ${child.exitCode ?? child.signalCode}:\n${output()}`);
      if (Date.now() > deadline) throw new Error(`${shown} did not become healthy within a minute:\n${output()}`);
    }
  } catch (error) {
    killGroup(child);
    throw error;
  }
  return { url, output, stop: () => stopChild(child, shown) };
}

async function healthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) })).status === 200;
  } catch {
    return false;
  }
}

async function stopChild(child: ChildProcess, shown: string): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    const ended = await Promise.race([once(child, "exit").then(() => true), sleep(20_000, false, { ref: false })]);
    if (!ended) {
      killGroup(child);
      throw new Error(`${shown} did not end within 20 s of SIGTERM`);
    }
  }
  return child.exitCode;
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid) process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
