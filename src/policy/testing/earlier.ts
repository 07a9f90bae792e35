import { canonicalArgs, type Json } from "../../events/canonical.ts";
import { add, decimalText, ZERO } from "../../events/decimal.ts";
import type { ActionProposed } from "../../events/types.generated.ts";
import type { CompiledPolicy } from "../compile.ts";
import type { Counted, UsageReader } from "../usage.ts";
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
  const actions = earlier.flatMap(({ ago, times = 1, action, args = {}, reviewed = false, ...by }) => {
    const of = { agent: by.agent ?? agent.id, onBehalfOf: by.on_behalf_of ?? onBehalfOf?.id ?? null, thread: by.thread ?? run?.threadId ?? null };
    const given = { workspace, ...of, tool: action, args: args as Json, argsSha256: canonicalArgs(args).argsSha256, flowed: !reviewed };
    return Array.from({ length: times }, () => ({ at: now - ago, action: given }));
  });
  const meters = new Map(policies.flatMap((policy) => policy.meters.map((meter) => [meter.id, meter])));
  return ({ id, key, windowMs, asOf, without = [] }) => {
    const meter = meters.get(id);
    const counted = actions.flatMap(({ at, action }): Counted[] => {
      const read = at > asOf - windowMs ? meter?.read(action) : undefined;
      return read?.key === key ? [read] : [];
    });
    const values = new Set(counted.flatMap((one) => one.values).filter((value) => !without.includes(value)));
    const sum = counted.reduce((total, { amount }) => add(total, amount ?? ZERO), ZERO);
    return { count: meter?.kind === "distinct" ? values.size : counted.length, sum: decimalText(sum) };
  };
}
