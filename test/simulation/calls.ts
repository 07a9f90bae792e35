import { inProcessTransport } from "../../src/gateway/in-process.ts";
import type { Identity } from "../../src/gateway/service/identity.ts";
import type { Transport } from "../../src/producers/transport.ts";
import type { Member, World } from "./world.ts";

const person = (id: string, ...roles: string[]): Identity => ({ kind: "person", id, roles, workspace: "default" });

/** Everybody who calls the gateway. */
export const WHO = {
  agents: [
    { kind: "agent", id: "bot-1", roles: [], workspace: "default", owner: "boss" },
    { kind: "agent", id: "bot-2", roles: [], workspace: "default" },
  ] as readonly Identity[],
  executors: ["x1", "x2"].map((id): Identity => ({ kind: "executor", id, roles: [], workspace: "default" })),
  reviewers: [person("ann", "lead"), person("bob", "lead"), person("cyd", "lead", "takeover"), person("dan", "director"), person("boss", "lead")],
  intern: person("eve", "intern"),
  halter: person("hal", "halt"),
} as const;

/** Codes that a client may be refused with. Anything else is a fault of ours. */
const NAMED: ReadonlySet<string> = new Set([
  ...["forbidden", "not_found", "request_invalid", "schema_invalid", "conflict", "not_judged_yet", "not_allowed", "not_entitled", "stale", "settled"],
  ...["claimed", "already_voted", "already_started", "not_running", "no_grant", "flagged", "halted", "late", "timeout", "unavailable"],
  ...["log_unavailable", "append_outcome_unknown"],
]);

/** Codes after which a client cannot know whether its event was written. */
const UNSURE: ReadonlySet<string> = new Set(["timeout", "unavailable", "append_outcome_unknown"]);

/** The gateway of a process for somebody. */
export function gatewayOf({ process }: Member, who: Identity): Transport {
  return inProcessTransport(process.ledger, who);
}

/** What a client made of a call. */
export interface Heard<T> {
  /** True when the call was answered. */
  readonly ok: boolean;
  readonly value?: T;
  readonly code?: string;
  /** True when the client cannot tell whether it took effect. */
  readonly unsure: boolean;
}

/** Calls the gateway of a process. Nobody waits for the answer but `then`; a process that was killed answers nothing. */
export function call<T>(world: World, member: Member, what: string, run: () => Promise<T>, then: (heard: Heard<T>) => void = () => {}): void {
  const work = run().then(
    (value) => {
      if (!member.process.alive) return then({ ok: false, unsure: true, code: "gone" });
      world.note(`${member.process.name} ${what}: done`);
      then({ ok: true, value, unsure: false });
    },
    (error: Error & { code?: string }) => {
      if (!member.process.alive) return then({ ok: false, unsure: true, code: "gone" });
      const { code = "" } = error;
      world.note(`${member.process.name} ${what}: ${code} ${error.message}`);
      world.count(`refused ${code}`);
      if (!NAMED.has(code)) world.violate("refused by name", `${what} was refused without a name: ${code} ${error.stack}`);
      then({ ok: false, unsure: UNSURE.has(code), code });
    },
  );
  const tracked: Promise<void> = work.finally(() => world.calls.delete(tracked));
  world.calls.add(tracked);
}
