import type { Rng } from "../ledger/generator.ts";
import type { Tool } from "./policy.ts";

type Weights<K extends string> = { readonly [k in K]: number };

/** What the parties of a history tend to do. */
export interface Theme {
  /** At most so many things of the network happen in a row: with more, more comes to an end before the next party acts. */
  readonly brisk: number;
  readonly happens: Weights<"agent" | "reviewer" | "executor" | "authority">;
  readonly proposes: Weights<"one" | "plan" | "question" | "notify">;
  readonly tools: Weights<Tool>;
  readonly amounts: readonly number[];
  /** How many agents there are, and how many runs each may have. */
  readonly agents: number;
  readonly runs: number;
  /** How often there is one process alone, which holds every bound; several may overshoot, and say so. */
  readonly alone: number;
  /** How often a proposal is about an item of before, and how often it replaces that one. */
  readonly follows: number;
  readonly replaces: number;
  readonly withdraws: number;
  readonly reviews: Weights<"approve" | "reject" | "edit" | "claim">;
  /** How often an approval stands for others as well, and a rejection is one of the branch. */
  readonly stands: number;
  readonly branches: number;
  readonly settles: Weights<"succeeded" | "failed" | "retry">;
  readonly ends: Weights<"end" | "fail" | "renew" | "die">;
}

const MIXED: Theme = {
  brisk: 4,
  happens: { agent: 2, reviewer: 3, executor: 4, authority: 0.3 },
  proposes: { one: 12, plan: 3, question: 0.7, notify: 0.7 },
  tools: { note: 3, sync: 2, pay: 5, wire: 1 },
  amounts: [50, 50, 200, 200, 280, 350, 600, 900, 1400, 4500, 6000],
  ...{ alone: 0.35, agents: 2, runs: 3, follows: 0.3, replaces: 0.5, withdraws: 2 },
  reviews: { approve: 8, reject: 3, edit: 2, claim: 2.5 },
  ...{ stands: 0.35, branches: 0.35 },
  settles: { succeeded: 1, failed: 1, retry: 2 },
  ends: { end: 7, fail: 1.5, renew: 1.5, die: 1.5 },
};

/** Histories in which everybody does everything seldom get far with anything: each is about something. */
const THEMES: { readonly [name: string]: Partial<Theme> } = {
  everything: {},
  "what is granted is run": {
    ...{ brisk: 10, happens: { agent: 2, reviewer: 3, executor: 7, authority: 0.15 }, tools: { note: 4, sync: 2, pay: 4, wire: 1.5 } },
    ...{ amounts: [50, 200, 280], withdraws: 1.5, reviews: { approve: 12, reject: 1.5, edit: 1.5, claim: 1.5 }, stands: 0.1 },
  },
  "executors die": {
    ...{ brisk: 10, happens: { agent: 1.6, reviewer: 4, executor: 6, authority: 0.25 }, tools: { note: 4, sync: 3, pay: 3, wire: 1 }, amounts: [50, 200] },
    ...{ settles: { succeeded: 1, failed: 1.5, retry: 5 }, ends: { end: 2, fail: 1, renew: 1.5, die: 6 }, agents: 1, runs: 1, withdraws: 2.5, branches: 0.7 },
  },
  "standing approvals": {
    ...{ brisk: 10, happens: { agent: 4, reviewer: 4, executor: 5, authority: 0.9 }, tools: { note: 0, sync: 0.2, pay: 8, wire: 0.2 } },
    ...{ amounts: [50, 50, 100, 120, 150, 200, 280], alone: 0.75, agents: 1, runs: 2, proposes: { one: 9, plan: 1, question: 0, notify: 0 }, follows: 0.1 },
    ...{ reviews: { approve: 14, reject: 1, edit: 0.5, claim: 1 }, stands: 0.9, withdraws: 0.7 },
  },
  replacing: {
    ...{ brisk: 8, happens: { agent: 3, reviewer: 3, executor: 5, authority: 0.15 }, agents: 1, runs: 1, follows: 0.8, replaces: 0.6, amounts: [50, 200, 280] },
    ...{ reviews: { approve: 10, reject: 2, edit: 2, claim: 1.5 }, withdraws: 1, proposes: { one: 12, plan: 2, question: 0, notify: 0 } },
    ...{ ends: { end: 4, fail: 3, renew: 1, die: 3 } },
  },
  plans: {
    ...{ brisk: 10, happens: { agent: 1.5, reviewer: 3.5, executor: 8, authority: 0.2 }, proposes: { one: 2, plan: 10, question: 0, notify: 0 } },
    ...{ tools: { note: 4, sync: 3, pay: 4, wire: 0.5 }, amounts: [50, 200, 280, 350], reviews: { approve: 9, reject: 2, edit: 4, claim: 1.5 }, follows: 0.1 },
    ...{ withdraws: 1.5 },
  },
  audits: {
    ...{ brisk: 10, happens: { agent: 2, reviewer: 4, executor: 7, authority: 0.2 }, tools: { note: 0.3, sync: 9, pay: 0.3, wire: 0 }, amounts: [50] },
    ...{ proposes: { one: 8, plan: 4, question: 0, notify: 0 }, reviews: { approve: 3, reject: 7, edit: 0.3, claim: 1 }, branches: 0.2, follows: 0.15 },
    ...{ ends: { end: 6, fail: 1.5, renew: 1, die: 3 } },
  },
  budgets: {
    ...{ brisk: 10, happens: { agent: 3, reviewer: 5, executor: 7, authority: 0.15 }, tools: { note: 0, sync: 0, pay: 8, wire: 0 }, agents: 1, runs: 2 },
    ...{
      amounts: [200, 200, 280, 900, 1400, 1400],
      alone: 0.85,
      reviews: { approve: 14, reject: 0.5, edit: 1.5, claim: 0.5 },
      follows: 0.1,
      withdraws: 0.7,
      stands: 0.3,
    },
    ...{ ends: { end: 7, fail: 3, renew: 1, die: 1 } },
  },
  "nobody to run it": {
    ...{ brisk: 8, happens: { agent: 3, reviewer: 5, executor: 1, authority: 0.4 }, proposes: { one: 8, plan: 2, question: 2, notify: 2 } },
    ...{ branches: 0.6, runs: 1, withdraws: 3 },
  },
};

/** The theme of a history. What needs several things to go well before it shows has more of them. */
export function themeOf(rng: Rng): Theme {
  const name = rng.pick([...Object.keys(THEMES), "standing approvals", "audits"]);
  return { ...MIXED, ...THEMES[name] };
}
