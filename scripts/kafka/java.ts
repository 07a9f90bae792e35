import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "./download.ts";

/** A Java process with its output in a file. */
export interface Java {
  readonly pid: number;
  /** Ends it; `SIGKILL` as a power failure would. Resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** How to start a Java process. */
export interface JavaOptions {
  /** What it is, for messages. */
  readonly name: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Resolves to true once it serves. */
  readonly ready: (output: string) => boolean | Promise<boolean>;
  /** It is killed when this process is gone, however that ended. */
  readonly ownerPid: number;
}

/** Starts Java and waits until it serves. @throws Error with the last lines of its output */
export async function startJava(options: JavaOptions): Promise<Java> {
  const out = openSync(options.logFile, "a");
  const from = readFileSync(options.logFile).length;
  const child = spawn("java", [...options.args], { stdio: ["ignore", out, out], detached: true });
  closeSync(out);
  child.unref();
  const failed = new Promise<never>((_, fail) => child.once("error", fail));
  failed.catch(() => undefined);
  const output = () => readFileSync(options.logFile).subarray(from).toString();
  const isReady = async () => {
    const deadline = Date.now() + 60_000;
    while (!(await options.ready(output()))) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        const why = Date.now() > deadline ? "did not start within 60 s" : "ended at once";
        child.kill("SIGKILL");
        throw new Error(`${options.name} ${why}. Its last lines:\n  ${output().trim().split("\n").slice(-8).join("\n  ")}`);
      }
      await sleep(50);
    }
  };
  const guard = child.pid ? guardOf(options.ownerPid, child.pid) : undefined;
  await Promise.race([isReady(), failed]);
  const pid = child.pid!;
  return { pid, stop: async (signal = "SIGTERM") => stopProcess(pid, signal).then(() => void guard?.kill()) };
}

/** Ends a process and waits until it is gone; one that does not follow within 10 s is killed. */
export async function stopProcess(pid: number, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const send = (s: NodeJS.Signals) => {
    try {
      process.kill(pid, s);
    } catch {
      // Already gone.
    }
  };
  send(signal);
  for (let waited = 0; isAlive(pid) && waited < 20_000; waited += 20) {
    if (waited === 10_000) send("SIGKILL");
    await sleep(20);
  }
}

/** Kills a process when its owner is gone: signals cannot tell of a SIGKILL, and a forgotten broker would hold 512 MB. */
function guardOf(owner: number, pid: number): ChildProcess {
  const script = `while kill -0 ${owner} 2>/dev/null && kill -0 ${pid} 2>/dev/null; do sleep 1; done; kill -9 ${pid} 2>/dev/null`;
  const guard = spawn("sh", ["-c", script], { stdio: "ignore", detached: true });
  guard.on("error", () => undefined);
  guard.unref();
  return guard;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}
