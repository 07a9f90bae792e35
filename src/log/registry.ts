import type { Topic } from "../events/topics.ts";

/** Outcome of a compatibility check. */
export interface Compatibility {
  readonly compatible: boolean;
  /** Why not, as sentences. */
  readonly messages: readonly string[];
}

/** Schemas by id. Subjects are `<prefix><topic>-value`, compatibility is FULL_TRANSITIVE. */
export interface SchemaRegistry {
  /** Text of a schema by id, or null when the registry has no such id. @throws CountersignError registry_unreachable (retryable), registry_refused */
  textOf(id: number): Promise<string | null>;
  /** Id of exactly this schema in the topic's subject, or null when it is not registered there. @throws as textOf */
  idOf(topic: Topic, text: string): Promise<number | null>;
  /** Whether a schema may be registered beside all earlier versions. @throws as textOf */
  check(topic: Topic, text: string): Promise<Compatibility>;
  /** Registers a schema; the same text again gives the same id. Sets FULL_TRANSITIVE on the subject. @throws CountersignError schema_incompatible, registry_* */
  register(topic: Topic, text: string): Promise<number>;
  /** Lets go of what it holds. */
  close(): Promise<void>;
}
