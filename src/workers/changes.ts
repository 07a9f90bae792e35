import type { Json } from "../events/canonical.ts";
import { changedPaths } from "../ledger/edits.ts";
import type { ActionTerms } from "../ledger/item.ts";

type Step = Pick<ActionTerms, "actionId" | "tool" | "args" | "argsSha256">;

/** Values longer than this are not repeated: they are in the grant. */
const MOST_SHOWN = 60;

/** What edits made of a plan, in words for the model: values, steps that are gone, another order. */
export function changesOf(before: readonly Step[], after: readonly Step[]): string[] {
  const changed = after.flatMap((step) => {
    const proposed = before.find((a) => a.actionId === step.actionId);
    return proposed === undefined || proposed.argsSha256 === step.argsSha256 ? [] : valuesOf(step, JSON.parse(proposed.args), JSON.parse(step.args));
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

function valuesOf({ tool }: Step, before: Json, after: Json): string[] {
  return changedPaths(before, after).map((path) => {
    const [from, to] = [shown(before, path), shown(after, path)];
    const place = `${tool} ${path === "" ? "arguments" : path}`;
    return from === null || to === null ? place : `${place} from ${from} to ${to}`;
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
