import { Ajv } from "ajv";
import { firstOf, illegal, isText, isTime, type Judgement, type Loose, list, type Node, superseded } from "./model.ts";
import {
  applyEdit,
  cardOf,
  entitled,
  grantsAtOnce,
  hashOf,
  inOrder,
  isAudit,
  isForbiddenEdit,
  nothingToDecide,
  type Review,
  reviewOf,
  separated,
  type Terms,
  termsOf,
} from "./terms.ts";

const DECIDING = ["approve", "edit", "reject", "respond", "acknowledge"];
const ACTORS: Record<string, string[]> = {
  claim: ["person"],
  release: ["person", "clock"],
  escalate: ["clock"],
  expire: ["clock"],
  withdraw: ["agent", "clock"],
  settle: ["person", "clock"],
  report: ["person"],
  clear: ["person"],
};

/** Whether a decision is one of those that answer this cause, by somebody who may make it at all. */
function shape(cause: Node, event: Loose): Judgement {
  const { kind, actor } = event;
  const actors = DECIDING.includes(kind) ? ["person"] : ACTORS[kind];
  if (!actors?.includes(actor?.kind)) return illegal(`a ${actor?.kind} does not ${kind}`);
  const due = kind === "settle" || kind === "report" ? "receipts" : "verdicts";
  if (cause.topic !== due) return illegal(`${kind} answers ${due}`);
  return null;
}

export function judgeDecision(cause: Node, before: readonly Node[], event: Loose): Judgement {
  const bad = shape(cause, event);
  if (bad) return bad;
  if (event.kind === "settle") return judgeSettle(cause, before, event);
  if (event.kind === "report")
    return ["succeeded", "failed", "compensated", "lapsed", "revoked"].includes(cause.event.kind) ? null : illegal("report answers a final receipt");
  const terms = termsOf(cause);
  const review = reviewOf(cause, before);
  const ctx = { cause, terms, review, before, event };
  const rules = RULES[event.kind as string] as Rules;
  return firstOf(
    () => rules.past(ctx),
    () => (review.closedBy && event.kind !== "clear" ? superseded(`closed by ${review.closedBy.event.kind} ${review.closedBy.id}`) : null),
    () => rules.now(ctx),
  );
}

interface Context {
  readonly cause: Node;
  readonly terms: Terms;
  readonly review: Review;
  readonly before: readonly Node[];
  readonly event: Loose;
}
interface Rules {
  readonly past: (ctx: Context) => Judgement;
  readonly now: (ctx: Context) => Judgement;
}

const decidable = ({ cause }: Context): Judgement => (nothingToDecide(cause) ? illegal("nothing is left to decide") : null);

/** Reasons that the verdict alone gives against one of the five. */
function pastOfDeciding(ctx: Context): Judgement {
  const { cause, terms, event } = ctx;
  const { kind } = event;
  const ask = terms.proposal.ask;
  return firstOf(
    () => decidable(ctx),
    () => (isAudit(cause.event) && kind !== "approve" && kind !== "reject" ? illegal("an audit is approved or rejected") : null),
    () => (list(terms.ruling.allowedDecisions).includes(kind) ? null : illegal(`${kind} is not allowed`)),
    () => (ask === "question" && kind !== "respond" ? illegal("a question is answered") : null),
    () => (ask === "notify" && kind !== "acknowledge" ? illegal("a notice is acknowledged") : null),
    () => (event.seen && (event.seen.cardSha256 ?? null) === cardOf(terms) ? null : illegal("another card was seen")),
  );
}

/** Reasons that the owner, the lease and the votes give. */
function nowOfDeciding({ terms, review, event }: Context): Judgement {
  const { actor } = event;
  return firstOf(
    () => (entitled(review.owner, actor) ? null : illegal("not the owner")),
    () => (review.lease && review.lease.person !== actor.id ? illegal("claimed by another") : null),
    () => (event.kind === "approve" && review.votes.includes(actor.id) ? superseded("has voted") : null),
    () => (event.kind === "approve" && !separated(terms.ruling, terms.proposal, terms.earlier, actor) ? illegal("separation of duties") : null),
    () => (event.kind === "approve" && !inOrder(terms.ruling, review.votes, actor) ? illegal("out of order") : null),
    () => (event.kind === "edit" ? judgeEdit(terms, event) : null),
  );
}

const deciding: Rules = { past: pastOfDeciding, now: nowOfDeciding };

const RULES: Record<string, Rules> = {
  approve: deciding,
  edit: deciding,
  reject: deciding,
  respond: deciding,
  acknowledge: deciding,
  claim: {
    past: (ctx) =>
      firstOf(
        () => (isText(ctx.event.lease?.id) && isTime(ctx.event.lease?.endsAt) ? null : illegal("a claim has a lease")),
        () => decidable(ctx),
      ),
    now: ({ review, before, event }) =>
      firstOf(
        () => (entitled(review.owner, event.actor) ? null : illegal("not the owner")),
        () => (before.some((d) => d.event.kind === "claim" && d.event.lease.id === event.lease.id) ? illegal("the lease id was used") : null),
        () => (review.lease && review.lease.person !== event.actor.id && !event.lease.takenOver ? illegal("is claimed by another") : null),
      ),
  },
  release: {
    past: (ctx) =>
      firstOf(
        () => (isText(ctx.event.lease?.id) ? null : illegal("a release names its lease")),
        () => decidable(ctx),
      ),
    now: ({ review, event }) =>
      firstOf(
        () => (review.lease?.id === event.lease.id ? null : superseded("not the standing lease")),
        () => (event.actor.kind === "clock" && event.occurredAt < review.lease.endsAt ? illegal("before the lease ends") : null),
        () => (event.actor.kind === "person" && event.actor.id !== review.lease.person ? illegal("another's lease") : null),
      ),
  },
  escalate: {
    past: (ctx) =>
      firstOf(
        () => decidable(ctx),
        () => {
          const step = list(ctx.terms.ruling.ladder).find((l) => l.step === ctx.event.escalation?.step);
          if (!step) return illegal("no such step");
          return ctx.event.occurredAt < step.at ? illegal("before the step") : null;
        },
      ),
    now: ({ review, event }) => {
      const { step } = event.escalation;
      if (step === review.step + 1) return null;
      return step <= review.step ? superseded("the step was taken") : illegal("not the next step");
    },
  },
  expire: {
    past: (ctx) =>
      firstOf(
        () => decidable(ctx),
        () => (isAudit(ctx.cause.event) ? illegal("an audit does not expire") : null),
        () => (isTime(ctx.terms.ruling.expiresAt) && ctx.event.occurredAt >= ctx.terms.ruling.expiresAt ? null : illegal("before it expires")),
      ),
    now: ({ review }) => (review.held ? superseded("is held") : null),
  },
  withdraw: {
    past: ({ cause, terms, event }) =>
      event.actor.kind === "agent" && event.actor.id !== terms.proposal.agent.id
        ? illegal("another agent's")
        : cause.event.route === "forbid" && !isForbiddenEdit(cause)
          ? illegal("nothing is left to withdraw")
          : null,
    now: ({ cause, before }) => (grantsAtOnce(cause) && before.some((d) => d.event.kind === "withdraw") ? superseded("is withdrawn") : null),
  },
  clear: {
    past: ({ event }) => (isText(event.cleared) ? null : illegal("names no record")),
    now: () => null,
  },
};

function judgeSettle(unknown: Node, before: readonly Node[], event: Loose): Judgement {
  if (unknown.event.kind !== "unknown") return illegal("settle answers an unknown receipt");
  const outcome = event.settlement?.outcome;
  const grant = unknown.cause as Node;
  const { verdict, at } = deciders(grant);
  const execution = list(termsOf(verdict).ruling.steps).find((s) => s.actionId === unknown.event.actionId)?.execution;
  return firstOf(
    () => (["succeeded", "failed", "retry"].includes(outcome) ? null : illegal("no outcome")),
    () => (outcome === "retry" && execution !== "idempotent" && execution !== "queryable" ? illegal("cannot be retried") : null),
    () => (outcome === "succeeded" && !event.settlement.externalRef ? illegal("without a reference") : null),
    () => {
      if (event.actor.kind === "clock") return outcome === "retry" && execution === "idempotent" ? null : illegal("not for the clock");
      return entitled(reviewOf(verdict, at).owner, event.actor) ? null : illegal("not the owner");
    },
    () => (before.length > 0 ? superseded("is settled") : null),
  );
}

/** The verdict that a grant rests on, and the decisions on it when the grant was called for. */
export function deciders(grant: Node): { verdict: Node; at: readonly Node[] } {
  const cause = grant.cause as Node;
  if (cause.topic === "verdicts") return { verdict: cause, at: [] };
  if (cause.event.kind === "settle") return deciders((cause.cause as Node).cause as Node);
  return { verdict: cause.cause as Node, at: cause.before };
}

const ajv = new Ajv({ strict: false });
const compiled = new Map<string, (value: unknown) => boolean>();

function fits(schema: string | null | undefined, value: unknown): boolean {
  if (!schema) return true;
  let check = compiled.get(schema);
  if (!check) compiled.set(schema, (check = ajv.compile(JSON.parse(schema))));
  return check(value);
}

function judgeEdit(terms: Terms, edit: Loose): Judgement {
  const known = terms.actions.map((a) => a.actionId);
  const dropped: string[] = list(edit.dropped);
  const kept = known.filter((id) => !dropped.includes(id));
  const order: string[] = list(edit.order);
  const edits = list(edit.edits);
  const same = (a: string[], b: string[]) => a.length === b.length && new Set(a).size === a.length && a.every((x) => b.includes(x));
  if (!dropped.every((id) => known.includes(id)) || new Set(dropped).size !== dropped.length) return illegal("drops what is not there");
  if (kept.length === 0) return illegal("drops everything");
  if (order.length > 0 && !same(order, kept)) return illegal("the order is no order of what is kept");
  if (new Set(edits.map((e) => e.actionId)).size !== edits.length) return illegal("edits an action twice");
  for (const change of edits) {
    const action = terms.actions.find((a) => a.actionId === change.actionId);
    if (!action || !kept.includes(change.actionId)) return illegal("edits what is not there");
    if (typeof change.args !== "string" || hashOf(change.args) !== change.argsSha256) return illegal("the hash is not that of the arguments");
    const value = parse(change.args);
    if (value === undefined) return illegal("the arguments are no JSON");
    if (!fits(action.argsSchema, value)) return illegal("breaks the schema");
    const paths = list(terms.ruling.editablePaths).filter((p) => p.actionId === change.actionId);
    for (const path of changed(parse(action.args), value, ""))
      if (!paths.some((p) => path === p.path || path.startsWith(`${p.path}/`))) return illegal(`${path} may not be edited`);
  }
  const after = applyEdit(terms.actions, edit);
  const unchanged =
    after.length === terms.actions.length && after.every((a, i) => a.actionId === terms.actions[i]?.actionId && a.argsSha256 === terms.actions[i]?.argsSha256);
  return unchanged ? illegal("changes nothing") : null;
}

function parse(text: string): Loose {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Paths of what differs, as deep as both sides are objects. */
function changed(a: Loose, b: Loose, path: string): string[] {
  if (a !== null && b !== null && typeof a === "object" && typeof b === "object" && Array.isArray(a) === Array.isArray(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].flatMap((key) => changed(a[key], b[key], `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`));
  }
  return a === b ? [] : [path];
}
