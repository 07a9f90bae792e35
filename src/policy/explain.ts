import type { VerdictReached } from "../events/types.generated.ts";
import { durationText } from "./duration.ts";
import type { Verdict } from "./testing/expect.ts";

/** One layer of a judgement, in words. */
export interface Layer {
  readonly name: string;
  readonly lines: readonly string[];
}

/** What beside the verdict helps to explain it. */
export interface Around {
  /** When it was judged, in milliseconds since the epoch. */
  readonly now: number;
  readonly confidence?: number | null | undefined;
  /** Rules, floors and grants of the documents, so that those that did not match can be named. */
  readonly rules?: readonly string[];
  /** Whether a document declares the arguments; undefined: nobody knows. */
  readonly schema?: boolean;
}

const MOST_OPERAND = 160;

/** A whole judgement as layers, from what was asked to who decides by when. Everything in it comes from the verdict. */
export function explain(verdict: Verdict, around: Around): Layer[] {
  const { error, policy, contributions, matched, budgets } = verdict;
  const base = contributions.find(({ rule }) => rule === "base");
  const sure = contributions.find(({ rule }) => rule === "confidence");
  const layers: Layer[] = [
    { name: "Verdict", lines: [`${verdict.route}: risk ${verdict.risk} (${verdict.score} points), gate ${verdict.gate}, ${verdict.reversibility}`] },
    { name: "Policy", lines: [policy === null ? "none" : `${policy.id} ${policy.version}`] },
    { name: "Schema", lines: [schemaLine(verdict, around.schema)] },
    { name: "Base", lines: [base === undefined ? "none" : `${base.points} points${base.tier === null ? "" : `, ${base.tier}`}`] },
    { name: "Confidence", lines: [confidenceLine(sure?.tier ?? null, around.confidence)] },
    { name: "Rules", lines: error !== null && matched.length === 0 ? ["not asked"] : [...matchLines(verdict), ...missedLine(matched, around.rules)] },
    {
      name: "Budgets",
      lines: budgets.map(({ name, key, used, limit, windowMs }) => `${name} for ${key}: ${used} used before this, limit ${limit} in ${durationText(windowMs)}`),
    },
    { name: "Because", lines: verdict.because },
    { name: "People", lines: peopleLines(verdict) },
    { name: "Times", lines: timeLines(verdict, around.now) },
    { name: "Milder if", lines: verdict.wouldPass.map(({ path, operator, value }) => `${path} ${operator} ${value}`) },
    { name: "Shadow", lines: verdict.shadow.map((shadow) => `${shadow.policy}: ${shadow.route}, ${shadow.risk}`) },
  ];
  return layers.filter(({ lines }) => lines.length > 0);
}

/** What is said of the arguments: nothing is claimed of a check that nobody made. */
function schemaLine({ error, policy, allowedDecisions }: Verdict, declared: boolean | undefined): string {
  if (error?.code === "schema_invalid") return error.message;
  if (error !== null) return `${error.code}: ${error.message}`;
  if (allowedDecisions.some((decision) => decision === "respond" || decision === "acknowledge")) return "there are no arguments";
  if (policy === null) return "none: no document describes the action";
  return declared === undefined ? "not broken" : declared ? "the arguments conform" : "none: the document does not declare the arguments";
}

function confidenceLine(tier: string | null, confidence: number | null | undefined): string {
  const given = confidence === undefined ? "" : confidence === null ? "none was given; " : `${confidence}; `;
  return `${given}${tier === null ? "does not raise the base risk" : `raises the base risk to ${tier}`}`;
}

/** Each rule once with its effect; under it what it found. */
function matchLines({ matched, contributions }: Verdict): string[] {
  const lines: string[] = [];
  for (const rule of new Set(matched.map((match) => match.rule))) {
    const own = matched.filter((match) => match.rule === rule);
    const points = contributions.find((contribution) => contribution.rule === rule)?.points ?? 0;
    lines.push(`${rule}: ${own[0]?.effect ?? ""}${points > 0 && !own[0]?.effect.includes("points") ? ` (+${points})` : ""}`);
    for (const { path, operator, threshold, operand } of own)
      if (path === "cel") lines.push(`  cel ${threshold ?? ""}`);
      else if (path !== null)
        lines.push(`  ${path} ${operator ?? ""} ${threshold ?? ""}: ${operand === null ? "it is missing" : `it is ${shortened(operand)}`}`);
  }
  return lines.length === 0 ? ["none matched"] : lines;
}

function missedLine(matched: VerdictReached["matched"], rules: readonly string[] | undefined): string[] {
  const missed = (rules ?? []).filter((id) => !matched.some(({ rule }) => rule === id));
  return missed.length === 0 ? [] : [`did not match: ${missed.join(", ")}`];
}

function peopleLines(verdict: Verdict): string[] {
  if (verdict.route === "forbid") return ["nobody: it is forbidden, and no person is asked"];
  if (verdict.allowedDecisions.length === 0) return ["nobody: it runs without being asked"];
  const order = verdict.approvalOrder.length === 0 ? "" : `, in this order: ${verdict.approvalOrder.join(", ")}`;
  const paths = [...new Set(verdict.editablePaths.map(({ path }) => (path === "" ? "everything" : path)))];
  const audited = verdict.gate === "audit" && (verdict.route === "allow" || verdict.route === "batch");
  const owner = verdict.owner ?? "nobody";
  return [
    `${audited ? `it runs at once, and ${owner} reviews it afterwards` : `${owner} decides`}; ${verdict.approvals === 1 ? "1 approval" : `${verdict.approvals} approvals`}${order}`,
    `may ${verdict.allowedDecisions.join(", ")}${paths.length === 0 ? "" : `; may edit ${paths.join(", ")}`}`,
    ...(verdict.separation.length === 0 ? [] : [`not: ${verdict.separation.join(", ").replaceAll("_", " ")}`]),
    ...(verdict.batchKey === null ? [] : [`in batches of at most ${verdict.batchMax}, within ${durationText(verdict.batchWindowMs ?? 0)}`]),
  ];
}

function timeLines({ expiresAt, ladder, onExpiry, grantTtlMs }: Verdict, now: number): string[] {
  const steps = ladder.map(({ to, at, page }) => `after ${durationText(at - now)} to ${to}${page ? ", paged" : ""}`);
  const end = expiresAt === null ? [] : [`after ${durationText(expiresAt - now)} ${onExpiry === "hold" ? "held for manual work" : "expired"}; never approved`];
  return [...steps, ...end, ...(grantTtlMs === null ? [] : [`a grant may be started for ${durationText(grantTtlMs)}`])];
}

function shortened(text: string): string {
  return text.length <= MOST_OPERAND ? text : `${text.slice(0, MOST_OPERAND)}… (${text.length} characters)`;
}
