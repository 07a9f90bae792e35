import type { Draft } from "../events/draft.ts";
import type { EventOf } from "../events/types.generated.ts";
import { owedTo, STALLED } from "../ledger/owed.ts";
import type { Todo } from "../projector/list-queries.ts";
import type { Queries } from "../projector/queries.ts";
import type { StepTime } from "./step-time.ts";
import type { Body, Write } from "./write.ts";

type ClockActor = Draft<EventOf["decisions"]["actor"]>;

/** The clock: writes what deadlines call for. Each event names what it saw, so a late or doubled one has no effect. */
export function timekeeper(
  queries: Queries,
  write: Write,
  now: () => number,
  stepTime: StepTime = (_view, _verdict, due) => due,
): (todo: Todo) => Promise<"wait" | undefined> {
  return async (todo) => {
    const view = queries.item(todo.itemId);
    // The views may have moved on since the list was read.
    if (view === undefined || !owedTo(view.item).some((o) => o.worker === "clock" && o.duty === todo.duty && o.cause === todo.cause && o.names === todo.names))
      return undefined;
    const [, eventId] = todo.cause.split("/") as [string, string];
    const actor: ClockActor = { kind: "clock", id: "timekeeper" };
    const workspace = view.summary.workspace ?? "default";
    const occurredAt = Math.max(now(), todo.due);
    const node = view.item.nodes.get(todo.cause);
    if (node?.topic === "verdicts") {
      if (todo.duty === "escalate" || todo.duty === "expire") {
        const over = stepTime(view, node, todo.due, now());
        if (now() < (typeof over === "number" ? over : await over)) return "wait";
      }
      const answers = { topic: "verdicts", eventId } as const;
      const base: Body<"decisions"> = { workspace, answers, actor, occurredAt, scope: "action", kind: "expire" };
      if (todo.duty === "expire") await write("decisions", todo.itemId, base);
      else if (todo.duty === "release")
        await write("decisions", todo.itemId, { ...base, kind: "release", lease: { id: todo.names as string, endsAt: todo.due, takenOver: false } });
      else if (todo.duty === "escalate") {
        const step = node.terms.ladder.find((s) => s.step === Number(todo.names));
        await write("decisions", todo.itemId, {
          ...base,
          kind: "escalate",
          escalation: { step: Number(todo.names), from: node.group.owner ?? "", to: step?.to ?? "" },
        });
      }
      return undefined;
    }
    const answers = { topic: "resumes", eventId } as const;
    const running = node?.topic === "resumes" ? node.group.running : null;
    if (todo.duty === "unknown" && running !== null) {
      const { actionId, leaseId: id, endsAt } = running;
      await write("receipts", todo.itemId, { workspace, answers, actor, occurredAt, kind: "unknown", actionId, lease: { id, endsAt } });
    } else if (todo.duty === "lapsed" || todo.duty === "revoked") {
      const error = todo.names === STALLED ? { code: "plan_stalled", message: "Its next step was not started in time: the rest was taken back." } : null;
      await write("receipts", todo.itemId, { workspace, answers, actor, occurredAt, kind: todo.duty, error });
    }
    return undefined;
  };
}
