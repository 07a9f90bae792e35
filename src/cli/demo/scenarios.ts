import { between, pick, randomOf } from "./random.ts";

/** What a proposal of the demo leads to under the sample policies. */
export type Kind = "flows" | "waits" | "forbidden" | "asks";

/** One piece of work of the demo agent: the body of a proposal. */
export interface Scenario {
  readonly kind: Kind;
  readonly body: Readonly<Record<string, unknown>>;
}

type Random = () => number;
type Make = (random: Random, now: number) => Record<string, unknown>;

const CUSTOMERS = ["mia.berg", "jo.tanaka", "sam.okafor", "li.wen", "ana.costa", "acct"] as const;
const ORDERS = (random: Random) => `A-${between(random, 10_000, 99_999)}`;
const TICKET = (random: Random) => `${between(random, 18_000, 18_999)}`;
const SERVICES = ["catalog", "search", "mailer", "checkout-web"] as const;
const email = (random: Random) => `${pick(random, CUSTOMERS)}@example.com`;
/** One action; `target`: the state of what it changes, as the agent has read it. */
const action = (tool: string, args: Record<string, unknown>, confidence: number, target?: { state: object; readAt: number }) => ({
  actions: [{ tool, args, confidence: Math.round(confidence * 100) / 100, confidenceSource: "self_rating", ...(target && { targetState: target }) }],
});
const sure = (random: Random) => 0.9 + random() * 0.09;
const fairly = (random: Random) => 0.86 + random() * 0.1;

const FLOWS: readonly Make[] = [
  (r) => ({ ...action("get_order", { order_id: ORDERS(r) }, sure(r)), intent: "Look the order up before answering the customer" }),
  (r) => action("search_knowledge_base", { query: pick(r, ["late delivery", "change of address", "gift card balance", "two-factor reset"]) }, sure(r)),
  (r) => action("get_customer", { customer_id: `C-${between(r, 1000, 9999)}` }, sure(r)),
  (r) => action("describe_table", { database: "shop", table: pick(r, ["orders", "customers", "invoices"]) }, sure(r)),
  (r) =>
    action(
      "add_ticket_note",
      { ticket_id: TICKET(r), text: pick(r, ["Asked for the order number.", "Customer confirmed the address.", "Parcel is with the carrier."]) },
      sure(r),
    ),
  (r) => action("draft_email", { to: email(r), subject: "Your parcel", body: "Hello, your parcel is on its way and should arrive tomorrow." }, sure(r)),
];

const WAITS: readonly Make[] = [
  (r, now) => {
    const [order_id, amount] = [ORDERS(r), between(r, 12, 420)];
    return {
      ...action(
        "issue_refund",
        { order_id, customer_email: email(r), amount, reason: pick(r, ["Parcel lost", "Arrived damaged", "Charged twice", "Cancelled in time"]) },
        fairly(r),
        { state: { state: "paid" }, readAt: now },
      ),
      intent: "Make good for an order that went wrong",
      evidence: [{ label: "order", value: order_id }],
      origin: { system: "tickets", id: TICKET(r) },
    };
  },
  (r) => ({
    ...action(
      "send_email",
      {
        to: email(r),
        subject: "Your refund",
        body: `Hello, we are refunding USD ${between(r, 12, 90)} for your order. It arrives within two days.`,
        ticket_id: TICKET(r),
      },
      fairly(r),
    ),
    reasoning: "The customer was promised an answer today.",
  }),
  (r, now) =>
    action(
      "deploy_to_production",
      {
        service: pick(r, SERVICES),
        version: `v2.${between(r, 1, 30)}.${between(r, 0, 9)}`,
        percent: pick(r, [5, 10, 25]),
        change_ref: `CHG-${between(r, 400, 999)}`,
      },
      fairly(r),
      { state: { freeze: false, open_incidents: 0 }, readAt: now },
    ),
  (r, now) =>
    action("update_customer", { customer_id: `C-${between(r, 1000, 9999)}`, changes: { email: email(r) } }, fairly(r), {
      state: { locked: false },
      readAt: now,
    }),
  (r, now) =>
    action("update_customer", { customer_id: `C-${between(r, 1000, 9999)}`, changes: { tier: "plus" } }, fairly(r), { state: { locked: false }, readAt: now }),
  (r) => ({
    ...action(
      "run_migration",
      {
        database: "shop",
        environment: "production",
        migration: `2026${between(r, 1000, 1231)}_add_index`,
        sql: "create index concurrently orders_by_customer on orders (customer_id)",
        estimated_rows: between(r, 1000, 900_000),
        backup_id: `bk-${between(r, 100, 999)}`,
      },
      fairly(r),
    ),
    intent: "The order list of large customers is slow",
  }),
];

const FORBIDDEN: readonly Make[] = [
  (r, now) => {
    const order_id = ORDERS(r);
    const args = { order_id, customer_email: email(r), amount: between(r, 12, 420), reason: "Not recognised" };
    return { ...action("issue_refund", args, fairly(r), { state: { state: "charged_back" }, readAt: now }), evidence: [{ label: "order", value: order_id }] };
  },
  (r) => action("send_email", { to: email(r), subject: "Your account", body: "Hello, your new password: hunter2. Please change it." }, fairly(r)),
  (r) =>
    action(
      "run_migration",
      { database: "shop", environment: "production", migration: "20261121_clean_up", sql: "drop database shop", estimated_rows: between(r, 1000, 9000) },
      fairly(r),
    ),
];

const ASKS: readonly Make[] = [
  (r) => ({ ask: "question", question: `Customer ${pick(r, CUSTOMERS)} has two accounts. Which one is meant in ticket ${TICKET(r)}?` }),
  (r) => ({ ask: "question", question: `The carrier says that order ${ORDERS(r)} was delivered, the customer says not. Whom do I believe?` }),
];

const ALL: Readonly<Record<Kind, readonly Make[]>> = { flows: FLOWS, waits: WAITS, forbidden: FORBIDDEN, asks: ASKS };
const SEED = 20_261_121;

/** The n-th piece of work, always the same one. `calm`: nothing that waits for a person. `now`: when the agent read what it changes. */
export function scenario(n: number, calm: boolean, now: number): Scenario {
  const random = randomOf(SEED + n * 7919);
  const kind = kindOf(random(), calm);
  const thread = `thread-${(between(random, 0, 0xfff) | 0x1000).toString(16).slice(1)}`;
  return {
    kind,
    body: {
      idempotencyKey: `demo-${n}`,
      ...pick(random, ALL[kind])(random, now),
      agent: { version: "1.4", model: "demo-scripted" },
      run: { framework: "demo", threadId: thread, checkpointId: `cp-${between(random, 1, 40)}` },
      traceUrl: `https://traces.example.com/${thread}`,
    },
  };
}

function kindOf(x: number, calm: boolean): Kind {
  if (x < 0.06) return "forbidden";
  if (x < 0.55 || calm) return "flows";
  return x < 0.63 ? "asks" : "waits";
}
