import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Jars, run } from "./download.ts";
import { freePort, type Java, startJava } from "./java.ts";

/** A running server. */
export interface Server {
  readonly port: number;
  readonly java: Java;
}

/** How to start a broker. */
export interface BrokerOptions {
  readonly jars: Jars;
  /** Folder for its data and settings; a second start on the same folder continues. */
  readonly dir: string;
  readonly port?: number;
  /** Port that clients are told to connect to: that of a proxy in front of it. Default: its own. */
  readonly advertisedPort?: number;
  readonly ownerPid?: number;
  /** Starts in half the time, and is slower later: for tests. */
  readonly shortLived?: boolean;
}

/** Path of the Confluent-compatible API of the registry. */
export const CCOMPAT = "/apis/ccompat/v7";

/** Starts a single-node Kafka (KRaft: broker and controller in one). */
export async function startBroker(options: BrokerOptions): Promise<Server> {
  const { jars, dir } = options;
  const port = options.port ?? (await freePort());
  const properties = join(dir, "server.properties");
  const log4j = join(dir, "log4j2.xml");
  const data = join(dir, "data");
  const fresh = !existsSync(join(data, "meta.properties"));
  await mkdir(dir, { recursive: true });
  await writeFile(properties, serverProperties({ port, advertisedPort: options.advertisedPort ?? port, controllerPort: await freePort(), data }));
  await writeFile(log4j, LOG4J);
  const base = [`-Dlog4j2.configurationFile=${log4j}`, "-cp", jars.kafka];
  if (fresh) await run("java", ["-XX:TieredStopAtLevel=1", ...base, "kafka.tools.StorageTool", "format", "-t", clusterId(), "-c", properties]);
  const java = await startJava({
    name: "The Kafka broker",
    args: ["-Xmx512m", "-XX:+UseSerialGC", ...(options.shortLived ? ["-XX:TieredStopAtLevel=1"] : []), ...base, "kafka.Kafka", properties],
    logFile: join(dir, "kafka.log"),
    ready: (output) => output.includes("Kafka Server started"),
    ownerPid: options.ownerPid ?? process.pid,
  });
  return { port, java };
}

/** Starts a schema registry that keeps its schemas in memory. */
export async function startRegistry(options: { jars: Jars; dir: string; port?: number; ownerPid?: number }): Promise<Server> {
  const port = options.port ?? (await freePort());
  await mkdir(options.dir, { recursive: true });
  const java = await startJava({
    name: "The schema registry",
    args: ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${port}`, "-jar", options.jars.registry],
    logFile: join(options.dir, "registry.log"),
    ready: () =>
      fetch(`http://127.0.0.1:${port}${CCOMPAT}/subjects`).then(
        (r) => r.ok,
        () => false,
      ),
    ownerPid: options.ownerPid ?? process.pid,
  });
  return { port, java };
}

/** The log URL of a broker and a registry on this machine. */
export function logUrlOf(brokerPort: number, registryPort: number): string {
  return `kafka://127.0.0.1:${brokerPort}?registry=http://127.0.0.1:${registryPort}${CCOMPAT}`;
}

/** An id as `kafka-storage random-uuid` makes it; one that begins with a dash would be read as an option. */
function clusterId(): string {
  return `C${randomBytes(16).toString("base64url").slice(1, 21)}A`;
}

function serverProperties(o: { port: number; advertisedPort: number; controllerPort: number; data: string }): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${o.controllerPort}
listeners=PLAINTEXT://127.0.0.1:${o.port},CONTROLLER://127.0.0.1:${o.controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${o.advertisedPort}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=${o.data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.ms=-1
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
`;
}

const LOG4J = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1}: %m%n"/></Console></Appenders>
  <Loggers>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Logger name="kafka.server" level="WARN"/>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
`;
