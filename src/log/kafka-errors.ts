import { CountersignError, messageOf } from "../errors.ts";

/** The Kafka client's errors, as far as we look into them. */
interface ClientError {
  readonly name?: string;
  readonly type?: string;
  readonly cause?: unknown;
}

/** Any error of the Kafka client in our words. What is no refusal counts as "cannot be reached", which is worth another try. */
export function errorOf(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error;
  for (let e = error as ClientError | undefined, depth = 0; e && depth < 5; e = e.cause as ClientError | undefined, depth++) {
    if (e.name === "KafkaJSSASLAuthenticationError" || e.type === "SASL_AUTHENTICATION_FAILED" || e.type === "UNSUPPORTED_SASL_MECHANISM")
      return new CountersignError("unauthenticated", `Kafka does not accept the credentials: ${messageOf(error)}`, {
        cause: error,
        fix: "check KAFKA_USERNAME, KAFKA_PASSWORD and the saslMechanism of the log URL",
      });
    if (e.type?.endsWith("_AUTHORIZATION_FAILED"))
      return new CountersignError("forbidden", `Kafka does not permit this: ${messageOf(error)}`, {
        cause: error,
        fix: "add an ACL: READ, WRITE and DESCRIBE on the topics, READ and DELETE on the groups that begin with countersign-, ALTER_CONFIGS and CREATE for topics apply",
      });
  }
  return new CountersignError("log_unavailable", `Kafka cannot be reached: ${messageOf(error)}`, {
    cause: error,
    retryable: true,
    fix: "check that the brokers run and that their advertised addresses can be reached from here (countersign doctor)",
  });
}

const SETTLING = [
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "OFFSET_NOT_AVAILABLE",
  "NOT_CONTROLLER",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
];

/** Whether a broker answered that it is not ready for this partition yet, as while a leader is elected or a topic has just been made. */
export function isSettling(error: unknown): boolean {
  let e = error as ClientError | undefined;
  for (let depth = 0; e && depth < 5; e = e.cause as ClientError | undefined, depth++) if (e.type && SETTLING.includes(e.type)) return true;
  return false;
}

/**
 * Node warns once per process of a timer with a negative delay, and kafkajs 2.2.4 sets one on its first request. The warning is used up
 * here, unseen, so that nobody has to wonder about it.
 */
export function silenceTimeoutWarning(): void {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  clearTimeout(setTimeout(() => undefined, -1));
  process.emitWarning = emitWarning;
}
