import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openHttpRegistry } from "../../src/log/http-registry.ts";
import { applyTopics } from "../../src/log/kafka.ts";
import { applySchemas } from "../../src/log/schemas.ts";
import { sharedKafka, whyNoKafka } from "./kafka.ts";

/** A place for a new ledger: where its log is, and a folder for its views. */
export interface Place {
  readonly log: string;
  readonly data: string;
  remove(): void;
}

/** A kind of log that whole ledgers are tested on. */
export interface LedgerKind {
  readonly name: string;
  /** Why it cannot be had here, or null. */
  readonly why: string | null;
  place(): Promise<Place>;
}

function folder(): { data: string; remove(): void } {
  const data = mkdtempSync(join(tmpdir(), "countersign-test-"));
  return { data, remove: () => rmSync(data, { recursive: true, force: true }) };
}

/** The embedded log, and a real broker under a prefix of its own with topics and schemas in place. */
export async function ledgerKinds(): Promise<LedgerKind[]> {
  return [
    {
      name: "the embedded log",
      why: null,
      place: async () => {
        const made = folder();
        return { ...made, log: `sqlite:${made.data}` };
      },
    },
    {
      name: "a Kafka broker",
      why: await whyNoKafka(),
      place: async () => {
        const url = (await sharedKafka()).logUrl({ partitions: 3 });
        await applyTopics(url, { replication: 1, minInsyncReplicas: 1 });
        const registry = openHttpRegistry({ url: url.registry, prefix: url.prefix });
        await applySchemas(registry, { prefix: url.prefix });
        await registry.close();
        return { ...folder(), log: url.text };
      },
    },
  ];
}
