import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { cacheFolder, ensureJars, whyNoJava } from "./kafka/download.ts";
import { logUrlOf, type Server, startBroker, startRegistry } from "./kafka/servers.ts";

const HELP = `npm run kafka -- [options]
Starts a Kafka broker and a schema registry on this machine, for development. Ctrl-C stops both.

  --port N            port of the broker (default 9092)
  --registry-port N   port of the registry (default 8081)
  --data DIR          where the broker keeps its records (default: a fresh folder in the cache)
  --json              print one line of JSON once both serve
The registry keeps its schemas in memory: register them again after a restart (countersign schemas apply).
`;

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: "string" }, "registry-port": { type: "string" }, data: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help) return void process.stdout.write(HELP);
  const ports = { port: portOf("port", values.port, 9092), "registry-port": portOf("registry-port", values["registry-port"], 8081) };
  for (const [option, port] of Object.entries(ports))
    if (await isTaken(port)) throw new Error(`Port ${port} is taken by another program: stop it, or choose another with --${option} N`);
  const why = await whyNoJava();
  if (why) throw new Error(`Kafka cannot be started: ${why}. Install Java 17 and Maven, or use a broker of your own.`);
  const jars = await ensureJars(say);
  const dir = values.data === undefined ? await mkdtemp(join(cacheFolder(), "data-")) : resolve(values.data);
  say("starting Kafka and the schema registry");
  const started = await Promise.allSettled([startBroker({ jars, dir, port: ports.port }), startRegistry({ jars, dir, port: ports["registry-port"] })]);
  const servers = started.filter((s) => s.status === "fulfilled").map((s): Server => s.value);
  let stopping = false;
  const stop = () => {
    stopping = true;
    return Promise.all(servers.map((server) => server.java.stop()));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop().then(() => process.exit(0)));
  const failure = started.find((s) => s.status === "rejected");
  if (failure) {
    await stop();
    throw failure.reason;
  }
  const [broker, registry] = servers as [Server, Server];
  const url = logUrlOf(broker.port, registry.port);
  if (values.json) process.stdout.write(`${JSON.stringify({ url, data: dir, pids: servers.map((s) => s.java.pid) })}\n`);
  else process.stdout.write(guide(url, dir));
  setInterval(() => {
    const dead = servers.find((server) => !isAlive(server.java.pid));
    if (stopping || dead === undefined) return;
    say(`${dead === broker ? "The Kafka broker" : "The schema registry"} has ended by itself: what it said last is in ${dir}. Stopping the other.`);
    void stop().finally(() => process.exit(1));
  }, 1000);
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(true));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(false)));
  });
}

function portOf(name: string, text: string | undefined, byDefault: number): number {
  const port = text === undefined ? byDefault : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`--${name} ${text} is no port`);
  return port;
}

function guide(url: string, dir: string): string {
  return `
Kafka and the schema registry are running. Records and logs: ${dir}

  ${url}

Next, in a second terminal:
  export LOG='${url}'
  npm run -s countersign -- topics apply --log "$LOG" --replication 1 --min-isr 1
  npm run -s countersign -- schemas apply --log "$LOG"
  npm run -s countersign -- up --log "$LOG" --policy policies/refunds.yaml

Ctrl-C stops both.
`;
}

main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
