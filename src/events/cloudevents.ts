import { RECORD_NAME, type Topic } from "./topics.ts";
import type { EventOf } from "./types.generated.ts";

/** Headers of the CloudEvents Kafka protocol binding, binary mode, with W3C trace context. All are derived from the event. */
export function cloudEventHeaders<T extends Topic>(topic: T, event: EventOf[T]): Record<string, string> {
  const headers: Record<string, string> = {
    ce_specversion: "1.0",
    ce_id: event.eventId,
    ce_type: `countersign.${RECORD_NAME[topic]}`,
    ce_source: `/countersign/${encodeURIComponent(event.workspace)}/${event.actor.kind}/${encodeURIComponent(event.actor.id)}`,
    ce_time: new Date(event.occurredAt).toISOString(),
    ce_subject: event.itemId,
    "content-type": "application/avro",
  };
  if (event.traceparent !== null) headers.traceparent = event.traceparent;
  return headers;
}
