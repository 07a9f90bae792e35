import { CountersignError, type ErrorCode, messageOf } from "../errors.ts";

/** The Kafka client's errors, as far as we look into them. */
interface ClientError {
  readonly name?: string;
  readonly type?: string;
  readonly cause?: unknown;
}

/** Kafka's error codes that say "not appended" and pass. Source: the Kafka protocol guide, error codes. */
export const RETRY = new Map([
  [2, "the batch arrived damaged"],
  [3, "the topic or partition is not known to the broker"],
  [5, "the partition has no leader"],
  [6, "the broker is not the partition's leader"],
  [19, "there are fewer replicas in sync than min.insync.replicas asks for"],
  [74, "the leader's epoch is old"],
  [75, "the leader's epoch is not known yet"],
]);

/** Those that say "not appended" and stay. */
export const REFUSED = new Map<number, [ErrorCode, string]>([
  [10, ["event_too_large", "the broker takes no record of this size: raise max.message.bytes of the topic"]],
  [18, ["event_too_large", "the broker takes no batch of this size: raise segment.bytes of the topic"]],
  [29, ["forbidden", "this user may not write to the topic: add an ACL for WRITE"]],
  [31, ["forbidden", "this user may not write to the cluster"]],
  [32, ["log_unavailable", "the broker refuses the record's timestamp: set message.timestamp.type=LogAppendTime with countersign topics apply"]],
  [44, ["log_unavailable", "a policy of the broker refuses the record"]],
  [87, ["log_unavailable", "the broker refuses the record as invalid"]],
]);

/** Any error of the Kafka client in our words. What is no refusal is worth another try. */
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
  if (isSettling(error))
    return new CountersignError("log_unavailable", `Kafka is not ready for these topics yet: ${messageOf(error)}`, {
      cause: error,
      retryable: true,
      fix: "try again in a moment: leaders are still being elected",
    });
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
