import { canonicalArgs, type Json } from "../../events/canonical.ts";
import { add, decimalText, ZERO } from "../../events/decimal.ts";
import type { ActionProposed } from "../../events/types.generated.ts";
import type { Counted, UsageReader } from "../budgets/usage.ts";
import type { CompiledPolicy } from "../compiled.ts";
import type { PolicyCase } from "./case-shape.ts";

/** What came before a case. */
export type Earlier = NonNullable<PolicyCase["earlier"]>;

/**
 * Reads what earlier actions have used up with the meters of the policies, as a ledger does: a window holds what is younger than it is long,
 * and an action that names no agent is of the agent, the person and the run of the case itself.
 *
 * @throws CountersignError json_* where arguments are no JSON that survives
 */
export function usageOf(
  policies: readonly CompiledPolicy[],
  earlier: Earlier,
  { workspace, agent, onBehalfOf, run }: ActionProposed,
  now: number,
): UsageReader {
  const actions = earlier.map(({ ago, times = 1, action, args = {}, reviewed = false, ...by }) => {
    const of = { agent: by.agent ?? agent.id, onBehalfOf: by.on_behalf_of ?? onBehalfOf?.id ?? null, thread: by.thread ?? run?.threadId ?? null };
    const given = { workspace, ...of, tool: action, args: args as Json, argsSha256: canonicalArgs(args).argsSha256, flowed: !reviewed };
    return { at: now - ago, times, action: given };
  });
  const meters = new Map(policies.flatMap((policy) => policy.meters.map((meter) => [meter.id, meter])));
  return ({ id, key, windowMs, asOf, without = [] }) => {
    const meter = meters.get(id);
    const counted = actions.flatMap(({ at, times, action }): (Counted & { times: number })[] => {
      const read = at > asOf - windowMs ? meter?.read(action) : undefined;
      return read?.key === key ? [{ ...read, times }] : [];
    });
    const values = new Set(counted.flatMap((one) => one.values).filter((value) => !without.includes(value)));
    const sum = counted.reduce((total, { amount = ZERO, times }) => add(total, { ...amount, n: amount.n * BigInt(times) }), ZERO);
    const count = counted.reduce((total, { times }) => total + times, 0);
    return { count: meter?.kind === "distinct" ? values.size : count, sum: decimalText(sum) };
  };
}
