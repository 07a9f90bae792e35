import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureJars, whyNoJava, withLock } from "../../scripts/kafka/download.ts";
import { freePort, type Java, stopProcess } from "../../scripts/kafka/java.ts";
import { CCOMPAT, startBroker, startRegistry } from "../../scripts/kafka/servers.ts";
import { type KafkaUrl, parseLogUrl } from "../../src/log/url.ts";

/** Folder in which the test files of one run share a broker; made by kafka-global.ts. */
export const SHARED_DIR = "COUNTERSIGN_TEST_KAFKA_DIR";

/** A broker and a registry that all test files of a run share. Use a prefix of your own. */
export interface SharedKafka {
  readonly brokers: string[];
  readonly registryUrl: string;
  /** A log URL under a prefix that nobody else has. */
  logUrl(options?: { partitions?: number; brokers?: string[] }): KafkaUrl;
}

/** A broker of one's own, to be killed. */
export interface OwnKafka {
  readonly port: number;
  readonly brokers: string[];
  /** Ends it as a power failure would. */
  kill9(): Promise<void>;
  /** Starts it again on the same data and port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Shared {
  readonly brokers: string[];
  readonly registryUrl: string;
  readonly pids: number[];
}

/** Why no real Kafka can be had here, or null. With CI=true that is an error: a suite that is not run must not look green there. */
export async function whyNoKafka(): Promise<string | null> {
  if (process.env.KAFKA_BROKERS && process.env.SCHEMA_REGISTRY_URL) return null;
  return explained(await whyNoJava());
}

/** Why no broker can be started, and killed, here, or null. */
export async function whyNoOwnKafka(): Promise<string | null> {
  return explained(await whyNoJava());
}

function explained(why: string | null): string | null {
  if (why === null) return null;
  const reason = `no real Kafka: ${why}; set KAFKA_BROKERS and SCHEMA_REGISTRY_URL, or install Java 17 and Maven`;
  if (process.env.CI === "true") throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

/** The broker of this run: KAFKA_BROKERS and SCHEMA_REGISTRY_URL, or one that is started when it is first needed. */
export async function sharedKafka(): Promise<SharedKafka> {
  const { brokers, registryUrl } = await shared();
  const logUrl: SharedKafka["logUrl"] = (options = {}) => {
    const parameters = new URLSearchParams({ registry: registryUrl, prefix: `t${randomBytes(6).toString("hex")}.` });
    if (options.partitions) parameters.set("partitions", String(options.partitions));
    return parseLogUrl(`kafka://${(options.brokers ?? brokers).join(",")}?${parameters}`) as KafkaUrl;
  };
  return { brokers, registryUrl, logUrl };
}

async function shared(): Promise<Shared> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = process.env;
  if (KAFKA_BROKERS && SCHEMA_REGISTRY_URL) return { brokers: KAFKA_BROKERS.split(","), registryUrl: SCHEMA_REGISTRY_URL.replace(/\/+$/, ""), pids: [] };
  const dir = process.env[SHARED_DIR];
  if (!dir) throw new Error(`${SHARED_DIR} is not set: vitest.config.ts must name test/support/kafka-global.ts as globalSetup`);
  const file = join(dir, "shared.json");
  return withLock(join(dir, "lock"), async () => {
    if (existsSync(file)) return JSON.parse(await readFile(file, "utf8")) as Shared;
    const jars = await ensureJars(say);
    // The run owns them, not the test file that happens to be first.
    const ownerPid = Number(await readFile(join(dir, "owner"), "utf8"));
    const [broker, registry] = await Promise.all([startBroker({ jars, dir, ownerPid, shortLived: true }), startRegistry({ jars, dir, ownerPid })]);
    const started = {
      brokers: [`127.0.0.1:${broker.port}`],
      registryUrl: `http://127.0.0.1:${registry.port}${CCOMPAT}`,
      pids: [broker.java.pid, registry.java.pid],
    };
    await writeFile(file, JSON.stringify(started));
    return started;
  });
}

/** Makes the folder of a run. Starts nothing: most runs need no Kafka. */
export async function beginRun(): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), "countersign-kafka-"));
  await writeFile(join(dir, "owner"), String(process.pid));
  process.env[SHARED_DIR] = dir;
  return async () => {
    const file = join(dir, "shared.json");
    if (existsSync(file)) for (const pid of (JSON.parse(await readFile(file, "utf8")) as Shared).pids) await stopProcess(pid, "SIGKILL");
    await rm(dir, { recursive: true, force: true });
  };
}

/** Starts a broker for one test file alone. `advertisedPort`: that of a proxy that clients are to go through. */
export async function ownKafka(options: { advertisedPort?: number } = {}): Promise<OwnKafka> {
  const jars = await ensureJars(say);
  const dir = await mkdtemp(join(tmpdir(), "countersign-broker-"));
  await mkdir(dir, { recursive: true });
  const port = await freePort();
  const start = async (): Promise<Java> => (await startBroker({ jars, dir, port, shortLived: true, ...options })).java;
  let java = await start();
  return {
    port,
    brokers: [`127.0.0.1:${options.advertisedPort ?? port}`],
    kill9: () => java.stop("SIGKILL"),
    restart: async () => void (java = await start()),
    stop: async () => {
      await java.stop("SIGKILL");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
