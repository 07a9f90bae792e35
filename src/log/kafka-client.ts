import kafkajs from "kafkajs";
import { CountersignError } from "../errors.ts";
import { Admin } from "./kafka-admin.ts";
import type { Sockets } from "./kafka-wire.ts";
import { type KafkaUrl, kafkaCredentials } from "./url.ts";

/** Times of the driver, in milliseconds. */
export interface KafkaOptions {
  /** How long an append is tried again where nothing was appended. Default 10 s. */
  readonly appendTimeoutMs?: number;
  /** How long an answer of a broker is waited for. Default 15 s. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may take. Default 3 s. */
  readonly connectTimeoutMs?: number;
  /** A reader that has heard nothing for so long connects anew. Default 10 s. */
  readonly stallMs?: number;
}

/** A line that the client wrote to its own log. */
export type LogEntry = kafkajs.LogEntry;

/** An admin client, which connects when it is first asked. */
export function adminOf(url: KafkaUrl, options: KafkaOptions): Admin {
  return new Admin((sockets) => clientOf(url, options, sockets.connect).admin({ retry: { retries: 2, initialRetryTime: 50 } }));
}

/** A client whose own log lines reach nobody but `onLog`. */
export function clientOf(url: KafkaUrl, options: KafkaOptions, connect: Sockets["connect"], onLog: (entry: LogEntry) => void = () => undefined): kafkajs.Kafka {
  const credentials = kafkaCredentials();
  const { saslMechanism: mechanism } = url;
  if (mechanism && !credentials)
    throw new CountersignError("unauthenticated", `The log URL asks for saslMechanism=${mechanism}, but there is no user name`, {
      field: "saslMechanism",
      fix: "set KAFKA_USERNAME and KAFKA_PASSWORD in the environment",
    });
  return new kafkajs.Kafka({
    clientId: "countersign",
    brokers: url.brokers,
    ssl: url.ssl,
    ...(mechanism ? { sasl: { mechanism, ...credentials } as kafkajs.SASLOptions } : {}),
    connectionTimeout: options.connectTimeoutMs ?? 3000,
    requestTimeout: options.requestTimeoutMs ?? 15_000,
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 500 },
    socketFactory: connect as unknown as kafkajs.ISocketFactory,
    logCreator: () => onLog,
  });
}
