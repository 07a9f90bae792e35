import { canonicalArgs, sha256 } from "../../src/events/canonical.ts";
import { Codec } from "../../src/events/codec.ts";
import { complete, type Draft } from "../../src/events/draft.ts";
import { effectKeyOf, itemIdOf } from "../../src/events/ids.ts";
import { SCHEMA_TEXT } from "../../src/events/schemas.generated.ts";
import { TOPICS, type Topic } from "../../src/events/topics.ts";
import type { EventOf } from "../../src/events/types.generated.ts";
import { embeddedRegistry } from "../../src/log/embedded-registry.ts";
import { type MemoryLog, openMemoryLog } from "../../src/log/memory.ts";
import type { SchemaRegistry } from "../../src/log/registry.ts";

type Fields<T extends Topic> = Partial<Draft<EventOf[T]>>;
type Verdict = EventOf["verdicts"];
interface Made {
  readonly topic: Topic;
  readonly event: EventOf[Topic];
}

/** Writes ledgers by hand: each method appends one event that answers the one given, and returns it. Nothing is checked but the encoding. */
export class Script {
  readonly log: MemoryLog;
  readonly registry: SchemaRegistry;
  readonly codec = new Codec();
  private clock = 1_700_000_000_000;
  private made = 0;

  private constructor(log: MemoryLog) {
    this.log = log;
    this.registry = embeddedRegistry(log.schemas);
  }

  static async open(log: MemoryLog = openMemoryLog()): Promise<Script> {
    const script = new Script(log);
    for (const topic of TOPICS) script.codec.use(topic, await script.registry.register(topic, SCHEMA_TEXT[topic]));
    return script;
  }

  async append<T extends Topic>(topic: T, draft: object): Promise<{ topic: T; event: EventOf[T] }> {
    const event = complete(topic, { eventId: this.nextId(), occurredAt: this.clock++, workspace: "w", ...draft } as Draft<EventOf[T]>);
    await this.log.append([{ topic, key: event.itemId, value: this.codec.encode(topic, event) }]);
    return { topic, event };
  }

  /** Ids that are the same in every run, so that what is made of them can be compared byte by byte. */
  private nextId(): string {
    return `018f0000-0000-7000-8000-${String(++this.made).padStart(12, "0")}`;
  }

  propose(key: string, args: object, fields: Fields<"proposals"> = {}) {
    const action = { actionId: "a", tool: "pay", ...canonicalArgs(args) };
    const agent = { id: "payer" };
    return this.append("proposals", {
      itemId: itemIdOf(fields.workspace ?? "w", "payer", key),
      actor: { kind: "agent", id: "payer" },
      idempotencyKey: key,
      ask: "review",
      agent,
      actions: [action],
      ...fields,
    });
  }

  judge(of: Made, route: Verdict["route"], fields: Fields<"verdicts"> = {}) {
    return this.append("verdicts", {
      ...answering(of),
      actor: { kind: "policy", id: "policy" },
      policy: { id: "pay", version: "1", sha256: sha256("pay 1") },
      engineVersion: "1",
      route,
      risk: "high",
      score: 60,
      reversibility: "reversible",
      gate: "soft",
      matched: [{ rule: "large", effect: "risk: high" }],
      because: ["It is large"],
      owner: "role:lead",
      approvals: 1,
      allowedDecisions: ["approve", "edit", "reject", "respond"],
      editablePaths: [{ actionId: "a", path: "" }],
      onExpiry: "reject",
      grantTtlMs: 60_000,
      ...fields,
    });
  }

  decide(of: Made, kind: EventOf["decisions"]["kind"], fields: Fields<"decisions"> = {}, person = "ann") {
    return this.append("decisions", { ...answering(of), actor: { kind: "person", id: person, roles: ["lead"] }, kind, scope: "action", seen: {}, ...fields });
  }

  hash(args: object): string {
    return canonicalArgs(args).argsSha256;
  }

  edit(of: Made, args: object, fields: Fields<"decisions"> = {}) {
    return this.decide(of, "edit", { edits: [{ actionId: "a", ...canonicalArgs(args) }], ...fields });
  }

  resume(of: Made, outcome: EventOf["resumes"]["outcome"], args?: object, fields: Fields<"resumes"> = {}, tool = "pay") {
    const granted = args && canonicalArgs(args);
    const { itemId } = of.event;
    const actions = granted
      ? [{ actionId: "a", tool, ...granted, execution: "blind", leaseMs: 1000, effectKey: effectKeyOf(itemId, "a", granted.argsSha256) }]
      : [];
    return this.append("resumes", { ...answering(of), actor: { kind: "dispatcher", id: "dispatcher" }, outcome, actions, ...fields });
  }

  receipt(of: { topic: "resumes"; event: EventOf["resumes"] }, kind: EventOf["receipts"]["kind"], fields: Fields<"receipts"> = {}) {
    const kinds: { [kind: string]: string } = { unknown: "clock", lapsed: "clock", revoked: "clock" };
    return this.append("receipts", {
      ...answering(of),
      actor: { kind: kinds[kind] ?? "executor", id: "runner" },
      kind,
      actionId: "a",
      argsSha256: of.event.actions[0]?.argsSha256 ?? null,
      ...(kind === "started" && { lease: { id: "lease-1", endsAt: this.clock } }),
      ...fields,
    });
  }
}

function answering({ topic, event }: Made) {
  return { itemId: event.itemId, workspace: event.workspace, answers: { topic, eventId: event.eventId } };
}
