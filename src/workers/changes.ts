import type { Json } from "../events/canonical.ts";
import { changedPaths } from "../events/changed-paths.ts";
import type { EventOf } from "../events/types.generated.ts";
import type { ActionTerms } from "../ledger/item.ts";
import { MASKED } from "../policy/render.ts";

type Step = Pick<ActionTerms, "actionId" | "tool" | "args" | "argsSha256">;

/** Values longer than this are not repeated: they are in the grant. */
const MOST_SHOWN = 60;

/** Where the arguments of an action hold what nobody is shown. */
export type Secrets = (actionId: string, path: string) => boolean;

/** What the cards of these verdicts hide. A verdict that cannot be read hides everything. */
export function secretsIn(verdicts: readonly (Pick<EventOf["verdicts"], "card"> | undefined)[]): Secrets {
  if (verdicts.includes(undefined)) return () => true;
  const secrets = verdicts.flatMap((verdict) => (verdict?.card?.fields ?? []).filter(({ value }) => value === MASKED));
  const lies = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}/`);
  return (actionId, path) => secrets.some((field) => field.actionId === actionId && (lies(field.path, path) || lies(path, field.path)));
}

/** What edits made of a plan, in words for the model: values (never those that are secret), steps that are gone, another order. */
export function changesOf(before: readonly Step[], after: readonly Step[], isSecret: Secrets): string[] {
  const changed = after.flatMap((step) => {
    const proposed = before.find((a) => a.actionId === step.actionId);
    return proposed === undefined || proposed.argsSha256 === step.argsSha256 ? [] : valuesOf(step, JSON.parse(proposed.args), JSON.parse(step.args), isSecret);
  });
  const gone = before.filter((a) => !after.some((b) => b.actionId === a.actionId));
  const kept = before.filter((a) => after.some((b) => b.actionId === a.actionId));
  const moved = kept.some((a, i) => a.actionId !== after[i]?.actionId);
  return [
    ...changed,
    ...gone.map((step) => `${nameOf(step)} is dropped: do not run it`),
    ...(moved ? [`the order is ${after.map(nameOf).join(", then ")}`] : []),
  ];
}

/** Which steps of a plan were the reason for refusing it, in words for the model. */
export function refusedSteps(plan: readonly Step[], ids: readonly string[]): string | null {
  const named = plan.filter((step) => ids.includes(step.actionId)).map(nameOf);
  return named.length === 0 ? null : `Refused because of ${named.join(" and ")}; nothing of the plan runs.`;
}

function nameOf({ actionId, tool }: Step): string {
  return `${actionId} (${tool})`;
}

function valuesOf({ actionId, tool }: Step, before: Json, after: Json, isSecret: Secrets): string[] {
  return changedPaths(before, after).map((path) => {
    const [from, to] = [shown(before, path), shown(after, path)];
    const place = `${tool} ${path === "" ? "arguments" : path}`;
    return from === null || to === null || isSecret(actionId, path) ? place : `${place} from ${from} to ${to}`;
  });
}

/** A value as JSON, "nothing" where there is none; null where it is too long to be repeated. */
function shown(value: Json, path: string): string | null {
  let at: Json | undefined = value;
  for (const key of path.split("/").slice(1)) {
    const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
    at = typeof at === "object" && at !== null && Object.hasOwn(at, name) ? (at as { [key: string]: Json })[name] : undefined;
  }
  if (at === undefined) return "nothing";
  const text = JSON.stringify(at);
  return text.length > MOST_SHOWN ? null : text;
}
