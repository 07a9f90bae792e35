import { shown } from "../problems.ts";
import { TIERS } from "../tiers.ts";
import { type Change, change, fewerApprovals, list, longer, lowered, type Raw, shifted } from "./change.ts";

/** Mistakes in a gate: none at all, other thresholds, a longer review. */
export function ofGate(gate: Raw, path: readonly PropertyKey[], name: string, irreversible: boolean): Change[] {
  const test = `${name} where only its gate asks a person`;
  const out: Change[] = [];
  // An irreversible action has a hard gate whatever stands there: taking it out changes nothing.
  if (gate.kind !== "none" && !irreversible) out.push({ path, to: { kind: "none" }, what: `gate ${shown(gate.kind)} became none`, test });
  const from = TIERS.indexOf(gate.from_risk as (typeof TIERS)[number]);
  for (const other of from < 0 ? [] : [TIERS[from - 1], TIERS[from + 1]])
    if (other !== undefined) out.push(change([...path, "from_risk"], gate.from_risk, other, `${name} at the risk ${other}, and at ${gate.from_risk}`));
  if (typeof gate.window === "string")
    out.push(change([...path, "window"], gate.window, longer(gate.window), `${name} and expires_in: how long its review may take`));
  if (gate.review === "run_end") out.push({ path: [...path, "review"], to: undefined, what: "review no longer waits for the end of the run", test });
  if (typeof gate.below_confidence === "number") out.push(...shifted(gate.below_confidence, [...path, "below_confidence"], test));
  return out;
}

/** Mistakes in what a rule or a limit raises to. */
export function ofRaise(raise: Raw, path: readonly PropertyKey[], id: string): Change[] {
  const test = (what: string) => `a case in which ${id} matches, and its ${what}`;
  const out = lowered(raise.risk, [...path, "risk"], test("risk"));
  if (typeof raise.points === "number") out.push(change([...path, "points"], raise.points, raise.points - 1, test("score")));
  out.push(...fewerApprovals(raise.approvals, [...path, "approvals"], test("approvals")));
  if (raise.gate !== undefined && Object.keys(raise).length > 1)
    out.push({ path: [...path, "gate"], to: undefined, what: `${id} no longer asks for a hard gate`, test: test("gate") });
  for (const [i, word] of list(raise.separation).entries())
    out.push({ path: [...path, "separation", i], to: undefined, what: `${shown(word)} was dropped`, test: test("separation") });
  return out;
}
