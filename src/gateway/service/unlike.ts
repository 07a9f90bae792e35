/** What of a member is compared with the others. */
export interface Comparable {
  readonly itemId: string;
  readonly amount: number | null;
  /** 0 to 1, as the agent says. */
  readonly confidence: number | null;
  /** Key fields by their label. */
  readonly fields: readonly { readonly label: string; readonly value: string }[];
}

/** With fewer members nothing is usual. */
const LEAST = 4;
/** Modified z-score beyond which a value is an outlier (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993). */
const OUTLIER = 3.5;
/** So much of the median an amount must differ as well: among equal amounts a cent is no outlier. */
const AMOUNT_SHARE = 0.5;
/** So much lower than the median a confidence must be as well. Less a trifle, as 0.9 - 0.8 is less than 0.1 in doubles. */
const CONFIDENCE_GAP = 0.1 - 1e-9;
/** Share of the members from which on something is usual. */
const USUAL = 2 / 3;

/** How members differ from the others in amount, domain or confidence: sentences by item, none for those that are like the rest. */
export function unlikeMembers(members: readonly Comparable[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  if (members.length < LEAST) return found;
  const say = (itemId: string, sentence: string) => found.set(itemId, [...(found.get(itemId) ?? []), sentence]);
  for (const [itemId, sentence] of [...amounts(members), ...confidences(members), ...domains(members)]) say(itemId, sentence);
  return found;
}

type Saying = readonly [itemId: string, sentence: string];

function amounts(members: readonly Comparable[]): Saying[] {
  const known = members.filter((m): m is Comparable & { amount: number } => m.amount !== null);
  if (known.length < LEAST) return [];
  const values = known.map((m) => m.amount);
  const middle = median(values);
  return known
    .filter((m) => Math.abs(score(m.amount, values)) > OUTLIER && Math.abs(m.amount - middle) > AMOUNT_SHARE * Math.abs(middle))
    .map((m) => [m.itemId, `the amount is ${m.amount}, where the others have ${middle} in the middle`]);
}

function confidences(members: readonly Comparable[]): Saying[] {
  const known = members.filter((m): m is Comparable & { confidence: number } => m.confidence !== null);
  if (known.length < Math.max(LEAST - 1, USUAL * members.length)) return [];
  const values = known.map((m) => m.confidence);
  const middle = median(values);
  const low = known
    .filter((m) => score(m.confidence, values) < -OUTLIER && middle - m.confidence >= CONFIDENCE_GAP)
    .map((m): Saying => [m.itemId, `the agent's confidence is ${m.confidence}, where the others have ${middle} in the middle`]);
  const none = members.filter((m) => m.confidence === null).map((m): Saying => [m.itemId, "the agent gives no confidence, where the others have one"]);
  return [...low, ...none];
}

function domains(members: readonly Comparable[]): Saying[] {
  const labels = new Set(members.flatMap((m) => m.fields.map((f) => f.label)));
  return [...labels].flatMap((label) => {
    const of = members.flatMap((m) => m.fields.filter((f) => f.label === label).map((f) => ({ itemId: m.itemId, domain: domainOf(f.value) })));
    const known = of.filter((d): d is { itemId: string; domain: string } => d.domain !== null);
    const usual = [...Map.groupBy(known, (d) => d.domain)].find(([, list]) => list.length >= USUAL * members.length);
    if (usual === undefined) return [];
    const [domain, list] = usual;
    return known
      .filter((d) => d.domain !== domain)
      .map((d): Saying => [d.itemId, `${label} is at ${d.domain}, where ${list.length} of ${members.length} are at ${domain}`]);
  });
}

/** The domain of an email address or of a web address; null where the text is neither. */
export function domainOf(value: string): string | null {
  const text = value.trim();
  const email = /^[^\s@<>]+@([^\s@<>]+\.[^\s@<>]+)$/.exec(/<([^<>]+)>$/.exec(text)?.[1] ?? text)?.[1];
  if (email !== undefined) return email.toLowerCase();
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return new URL(text).hostname.toLowerCase();
}

/**
 * Modified z-score: how far a value is from the median, in robust deviations. Where at least half are equal there is no usual deviation, so any
 * other value is as far as can be: a mean deviation in its place would grow with the outliers that it is to tell.
 */
function score(value: number, values: readonly number[]): number {
  const middle = median(values);
  const deviations = values.map((v) => Math.abs(v - middle));
  const mad = median(deviations);
  if (mad > 0) return (0.6745 * (value - middle)) / mad;
  return value === middle ? 0 : Math.sign(value - middle) * Number.POSITIVE_INFINITY;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[half] as number) : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}
