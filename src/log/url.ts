import { CountersignError } from "../errors.ts";

/** The embedded log: a folder that holds `log.db`. */
export interface SqliteUrl {
  readonly kind: "sqlite";
  /** Folder, as given. */
  readonly dir: string;
  readonly text: string;
}

/** A log in this process's memory: for tests and for pure in-process use. */
export interface MemoryUrl {
  readonly kind: "memory";
  readonly text: string;
}

/** A Kafka cluster with its schema registry. Credentials are never part of it. */
export interface KafkaUrl {
  readonly kind: "kafka";
  /** `host:port` of each bootstrap broker. */
  readonly brokers: string[];
  /** Base URL of the Confluent-compatible API, without a slash at the end. */
  readonly registry: string;
  /** Put before every topic name and subject. May be empty. */
  readonly prefix: string;
  readonly ssl: boolean;
  readonly saslMechanism?: SaslMechanism;
  /** Number of partitions that `topics apply` creates and the driver expects. */
  readonly partitions?: number;
  /** The whole URL, as given. */
  readonly text: string;
}

/** What kind of log, and where. */
export type LogUrl = SqliteUrl | MemoryUrl | KafkaUrl;

/** Ways to authenticate at a broker that the driver speaks. */
export type SaslMechanism = (typeof SASL)[number];

/** User name and password for broker and registry. */
export interface KafkaCredentials {
  readonly username: string;
  readonly password: string;
}

const SASL = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const PARAMETERS = ["registry", "prefix", "ssl", "saslMechanism", "partitions"];
const ACCEPTED =
  "use sqlite:DIR, memory: or kafka://HOST:PORT[,HOST:PORT…]?registry=http://HOST:PORT[&prefix=…][&ssl=true][&saslMechanism=plain|scram-sha-256|scram-sha-512][&partitions=N]";
const BROKER = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;
const PREFIX = /^[A-Za-z0-9._-]{0,100}$/;

/** Reads a log URL. @throws CountersignError log_url_invalid, with the part at fault and what is accepted */
export function parseLogUrl(text: string): LogUrl {
  if (text === "memory:" || text === "memory://") return { kind: "memory", text };
  if (text.startsWith("sqlite:")) return parseSqlite(text);
  if (text.startsWith("kafka://")) return parseKafka(text);
  throw invalid(text, "it begins with none of sqlite:, memory: and kafka://", "log");
}

/** Credentials for Kafka from KAFKA_USERNAME and KAFKA_PASSWORD, or undefined. @throws CountersignError log_url_invalid when only one of them is set */
export function kafkaCredentials(env: NodeJS.ProcessEnv = process.env): KafkaCredentials | undefined {
  const { KAFKA_USERNAME: username, KAFKA_PASSWORD: password } = env;
  if (!username && !password) return undefined;
  if (username && password) return { username, password };
  const missing = username ? "KAFKA_PASSWORD" : "KAFKA_USERNAME";
  throw new CountersignError("log_url_invalid", `${missing} is not set, but its counterpart is`, {
    field: missing,
    fix: "set both KAFKA_USERNAME and KAFKA_PASSWORD, or none",
  });
}

function parseSqlite(text: string): SqliteUrl {
  // sqlite:///abs and sqlite://rel are common spellings of the same thing.
  const dir = text.slice("sqlite:".length).replace(/^\/\/(?=.)/, "");
  if (dir === "" || dir === "//") throw invalid(text, "it names no folder", "dir");
  if (dir.includes("?")) throw invalid(text, "a sqlite log takes no parameters", "dir");
  if (dir.endsWith(".db")) throw invalid(text, "it names a file where a folder is meant (log.db is made inside it)", "dir");
  return { kind: "sqlite", dir, text };
}

function parseKafka(text: string): KafkaUrl {
  const [authority = "", query = "", ...rest] = text.slice("kafka://".length).split("?");
  // The credentials must not be repeated in the message, which ends up in logs.
  if (authority.includes("@"))
    throw invalid("kafka://…@…", "credentials do not belong in the URL", "authority", "set KAFKA_USERNAME and KAFKA_PASSWORD in the environment");
  const shown = text.replace(/\/\/[^/?#]*@/g, "//…@");
  if (rest.length > 0) throw invalid(shown, "it has more than one ? (write ? inside a value as %3F)", "query");
  if (authority.includes("/")) throw invalid(shown, "it has a path, which means nothing here (use prefix=)", "path");
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) throw invalid(shown, `it has an unknown parameter ${name}`, name);
    if (parameters.getAll(name).length > 1) throw invalid(shown, `it has ${name} twice`, name);
  }
  const saslMechanism = parameters.get("saslMechanism") ?? "";
  if (saslMechanism !== "" && !isSasl(saslMechanism)) throw invalid(shown, `saslMechanism=${saslMechanism} is not one of ${SASL.join(", ")}`, "saslMechanism");
  const prefix = parameters.get("prefix") ?? "";
  if (!PREFIX.test(prefix)) throw invalid(shown, `prefix=${prefix} holds characters that no topic may have`, "prefix");
  const partitions = partitionsOf(shown, parameters.get("partitions") ?? "");
  return {
    kind: "kafka",
    brokers: authority.split(",").map((b) => brokerOf(shown, b)),
    registry: registryOf(shown, parameters.get("registry") ?? ""),
    prefix,
    ssl: booleanOf(shown, "ssl", parameters.get("ssl") ?? ""),
    ...(saslMechanism === "" ? {} : { saslMechanism }),
    ...(partitions === undefined ? {} : { partitions }),
    text,
  };
}

function brokerOf(text: string, broker: string): string {
  const match = BROKER.exec(broker);
  const port = Number(match?.[2] ?? 9092);
  if (!match || port < 1 || port > 65535) throw invalid(text, `"${broker}" is no HOST:PORT`, "brokers");
  return `${match[1]}:${port}`;
}

function registryOf(text: string, registry: string): string {
  if (registry === "")
    throw invalid(text, "the schema registry is missing", "registry", "add ?registry=http://HOST:PORT, the base URL of its Confluent-compatible API");
  const url = URL.canParse(registry) ? new URL(registry) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol)) throw invalid(text, `registry=${registry} is no http or https URL`, "registry");
  if (url.username || url.password)
    throw invalid(
      "kafka://…?registry=…",
      "credentials do not belong in the registry's URL",
      "registry",
      "set KAFKA_USERNAME and KAFKA_PASSWORD in the environment",
    );
  return registry.replace(/\/+$/, "");
}

function booleanOf(text: string, name: string, value: string): boolean {
  if (value === "" || value === "false" || value === "0") return false;
  if (value === "true" || value === "1") return true;
  throw invalid(text, `${name}=${value} is neither true nor false`, name);
}

function partitionsOf(text: string, value: string): number | undefined {
  if (value === "") return undefined;
  const n = Number(value);
  if (!/^\d+$/.test(value) || n < 1 || n > 10_000) throw invalid(text, `partitions=${value} is no number from 1 to 10000`, "partitions");
  return n;
}

function isSasl(name: string): name is SaslMechanism {
  return (SASL as readonly string[]).includes(name);
}

function invalid(text: string, why: string, field: string, fix = ACCEPTED): CountersignError {
  return new CountersignError("log_url_invalid", `The log URL "${text}" cannot be used: ${why}`, { field, fix });
}
