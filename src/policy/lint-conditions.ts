import { canonicalize, type Json } from "../events/canonical.ts";
import type { Check, Found } from "./lint.ts";
import { pointerKeys } from "./pointer.ts";
import { shown } from "./problems.ts";
import { glob, isGlob } from "./regex.ts";
import { fieldSchemas, fieldTypes, requiredNames } from "./schema-fields.ts";
import type { PolicyContent } from "./shape.ts";
import type { Condition, Leaf } from "./shape-condition.ts";
import { DEFAULT_THRESHOLDS, TIERS } from "./tiers.ts";

/** Whether a condition may concern an action, as far as its `action` says. */
export function reaches(when: Condition | undefined, name: string): boolean {
  return when?.action === undefined || when.action.some((wanted) => wanted === name || (isGlob(wanted) && glob(wanted)(name) === true) || isGlob(name));
}

/** A comparison of an argument, with where it stands. */
interface Spot extends Leaf {
  readonly pointer: string;
  readonly path: readonly PropertyKey[];
  readonly negated: boolean;
  /** Actions that it is about. */
  readonly actions: readonly string[];
}

function spotsOf(content: PolicyContent, when: Condition, path: readonly PropertyKey[], negated = false, outer = Object.keys(content.actions)): Spot[] {
  const actions = outer.filter((name) => reaches(when, name));
  const own = Object.entries(when.args ?? {}).map(([pointer, leaf]) => ({ ...leaf, pointer, path: [...path, "args", pointer], negated, actions }));
  const inner = (["all", "any"] as const).flatMap((word) =>
    (when[word] ?? []).flatMap((part, i) => spotsOf(content, part, [...path, word, i], negated, actions)),
  );
  return [...own, ...inner, ...(when.not === undefined ? [] : spotsOf(content, when.not, [...path, "not"], !negated, actions))];
}

/** Conditions of rules, floors and routes with their place. */
function conditionsOf(content: PolicyContent): { when: Condition; path: readonly PropertyKey[]; name: string }[] {
  return (["rules", "floors", "routes"] as const).flatMap((layer) =>
    content[layer].flatMap((part, i) =>
      part.when === undefined ? [] : [{ when: part.when, path: [layer, i, "when"], name: "id" in part ? part.id : `route ${i + 1}` }],
    ),
  );
}

const TYPES: Readonly<Record<string, readonly string[]>> = {
  above: ["number", "integer"],
  at_least: ["number", "integer"],
  below: ["number", "integer"],
  at_most: ["number", "integer"],
  between: ["number", "integer"],
  contains: ["string", "array"],
  prefix: ["string"],
  suffix: ["string"],
  glob: ["string"],
  matches: ["string"],
  domain_in: ["string", "array"],
  length_is: ["string", "array"],
  length_above: ["string", "array"],
  length_at_least: ["string", "array"],
  length_below: ["string", "array"],
  length_at_most: ["string", "array"],
};

/** What a comparison comes to for every value that the schema lets through: always or never, with the reason. undefined: it depends. */
function foregone(content: PolicyContent, spot: Spot): { holds: boolean; reason: string } | undefined {
  const verdicts = spot.actions.map((name) => foregoneFor(content.actions[name]?.arguments as Json | undefined, spot));
  const [first] = verdicts;
  return first !== undefined && verdicts.every((verdict) => verdict?.holds === first.holds) ? first : undefined;
}

function foregoneFor(schema: Json | undefined, { pointer, operator, threshold }: Spot): { holds: boolean; reason: string } | undefined {
  const keys = pointerKeys(pointer) ?? [];
  const required = keys.length === 1 && requiredNames(schema).includes(keys[0] as string);
  if (operator === "exists") return required ? { holds: threshold === true, reason: "the schema requires it" } : undefined;
  const parts = fieldSchemas(schema, keys);
  const bound = (key: string) => parts.map((part) => part[key]).find((value): value is number => typeof value === "number");
  const [low, high] = [bound("minimum"), bound("maximum")];
  if (typeof threshold === "number" && operator === "above" && high !== undefined && threshold >= high)
    return { holds: false, reason: `the schema allows at most ${high}` };
  if (typeof threshold === "number" && operator === "above" && low !== undefined && threshold < low && required)
    return { holds: true, reason: `the schema asks for at least ${low}` };
  if (typeof threshold === "number" && operator === "below" && low !== undefined && threshold <= low)
    return { holds: false, reason: `the schema asks for at least ${low}` };
  if (typeof threshold === "number" && operator === "below" && high !== undefined && threshold > high && required)
    return { holds: true, reason: `the schema allows at most ${high}` };
  const allowed = parts.map((part) => part.enum).find((value) => Array.isArray(value)) as readonly Json[] | undefined;
  if (allowed === undefined || !["is", "in"].includes(operator)) return undefined;
  const wanted = (operator === "in" ? (threshold as readonly Json[]) : [threshold]).map((value) => canonicalize(value));
  const possible = allowed.filter((value) => wanted.includes(canonicalize(value)));
  if (possible.length === 0) return { holds: false, reason: `the schema allows only ${allowed.map(shown).join(", ")}` };
  return possible.length === allowed.length && required ? { holds: true, reason: "the schema allows nothing else" } : undefined;
}

const ADDRESS = /(^|[/_-])(e?mail|address|to|from|cc|bcc|recipient|sender|url|uri|link|host|domain|endpoint|webhook)s?($|[/_-])/i;

/** Checks of conditions: what never or always holds, what shadows what, what compares the incomparable. */
export const CONDITION_CHECKS: readonly Check[] = [
  ({ document: { content } }) =>
    conditionsOf(content).flatMap(({ when, path, name }) =>
      spotsOf(content, when, path).flatMap((spot): Found[] => {
        const wanted = TYPES[spot.operator];
        const types = [
          ...new Set(spot.actions.flatMap((action) => fieldTypes(content.actions[action]?.arguments as Json | undefined, pointerKeys(spot.pointer) ?? []))),
        ];
        if (wanted === undefined || types.length === 0 || types.some((type) => wanted.includes(type))) return [];
        return [
          {
            severity: "error",
            code: "type-mismatch",
            path: spot.path,
            message: `${name} compares ${spot.pointer}, which the schema declares as ${types.join(" or ")}, with ${spot.operator}: that can never be answered, and what is unknown raises`,
            fix: `use an operator for ${types.join(" or ")}, or correct the schema`,
          },
        ];
      }),
    ),
  ({ document: { content } }) =>
    conditionsOf(content).flatMap(({ when, path, name }) =>
      spotsOf(content, when, path).flatMap((spot): Found[] => {
        const known = foregone(content, spot);
        if (known === undefined) return [];
        const holds = known.holds !== spot.negated;
        const code = holds ? "always-true" : "never-true";
        const text = `${name}: ${spot.negated ? "not " : ""}${spot.pointer} ${spot.operator} ${shown(spot.threshold)} ${holds ? "always" : "never"} holds, because ${known.reason}`;
        return [{ code, path: spot.path, message: text, fix: "take it out, or correct the threshold" }];
      }),
    ),
  ({ document: { content } }) => conditionsOf(content).flatMap(({ when, path, name }) => emptyRanges(content, when, path, name)),
  ({ document: { content } }) =>
    conditionsOf(content).flatMap(({ when, path, name }) =>
      spotsOf(content, when, path).flatMap((spot): Found[] => {
        const anchored = /^(\(\?\w+\))?(\^|\\A)/.test(String(spot.threshold)) && /(\$|\\z)$/.test(String(spot.threshold));
        if (spot.operator !== "matches" || anchored || !ADDRESS.test(spot.pointer)) return [];
        return [
          {
            code: "unanchored",
            path: spot.path,
            message: `${name} looks for ${shown(spot.threshold)} anywhere in ${spot.pointer}: "x@evil.example/?example.com" has it as well`,
            fix: "use domain_in, or anchor the pattern with ^ and $",
          },
        ];
      }),
    ),
  ({ document: { content } }) =>
    content.routes.flatMap((route, i) => {
      const before = content.routes.findIndex((earlier, j) => j < i && covers(earlier.when, route.when));
      return before < 0
        ? []
        : [
            {
              code: "shadowed-route",
              path: ["routes", i],
              message: `route ${i + 1} is never reached: route ${before + 1} takes everything that it would`,
              fix: "move it up, or take it out",
            },
          ];
    }),
  ({ document: { content } }) => shadowedRules(content),
];

/** above 10 and below 5 of the same field, both asked for. */
function emptyRanges(content: PolicyContent, when: Condition, path: readonly PropertyKey[], name: string): Found[] {
  const asked = [when, ...(when.all ?? [])].flatMap((part) => Object.entries(part.args ?? {}));
  const bounds = new Map<string, { low: number; high: number }>();
  for (const [pointer, { operator, threshold }] of asked) {
    if (typeof threshold !== "number") continue;
    const range = bounds.get(pointer) ?? { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
    if (["above", "at_least"].includes(operator)) range.low = Math.max(range.low, threshold);
    if (["below", "at_most"].includes(operator)) range.high = Math.min(range.high, threshold);
    bounds.set(pointer, range);
  }
  return [...bounds].flatMap(([pointer, { low, high }]) =>
    low > high && Object.keys(content.actions).length > 0
      ? [
          {
            code: "never-true",
            path,
            message: `${name} asks for ${pointer} above ${low} and below ${high} at once: it never matches`,
            fix: "use any, or correct the thresholds",
          },
        ]
      : [],
  );
}

/** Whether a condition holds wherever another does, as far as their texts show. */
function covers(wide: Condition | undefined, narrow: Condition | undefined): boolean {
  if (wide === undefined) return true;
  const parts = Object.entries(wide).filter(([, part]) => part !== undefined);
  return parts.every(([key, part]) => {
    const other = narrow?.[key as keyof Condition];
    if (key === "action") return narrow?.action?.every((name) => (wide.action ?? []).some((w) => w === name || (isGlob(w) && glob(w)(name) === true))) === true;
    if (key === "args") return Object.entries(wide.args ?? {}).every(([pointer, leaf]) => implies(narrow?.args?.[pointer], leaf));
    return other !== undefined && canonicalize(part) === canonicalize(other);
  });
}

/** Whether one comparison of an argument holds only where another does: above 500 is also above 50. */
function implies(narrow: Leaf | undefined, wide: Leaf): boolean {
  if (narrow === undefined || narrow.operator !== wide.operator) return false;
  const [a, b] = [narrow.threshold, wide.threshold];
  if (typeof a === "number" && typeof b === "number") {
    if (["above", "at_least", "length_above", "length_at_least"].includes(wide.operator)) return a >= b;
    if (["below", "at_most", "length_below", "length_at_most"].includes(wide.operator)) return a <= b;
  }
  return canonicalize(a) === canonicalize(b);
}

type Rule = PolicyContent["rules"][number];

function shadowedRules(content: PolicyContent): Found[] {
  const rules = (["rules", "floors"] as const).flatMap((layer) => content[layer].map((rule, i) => ({ rule, path: [layer, i] as const, layer })));
  return rules.flatMap(({ rule, path, layer }): Found[] => {
    const stronger = rules.find(({ rule: other }) => other !== rule && covers(other.when, rule.when) && outdoes(other, rule, content));
    if (
      stronger !== undefined &&
      (stronger.path[0] !== layer || stronger.path[1] < path[1] || !(outdoes(rule, stronger.rule, content) && covers(rule.when, stronger.rule.when)))
    )
      return [
        {
          code: layer === "floors" ? "shadowed-floor" : "shadowed-rule",
          path,
          message: `${rule.id} adds nothing: ${stronger.rule.id} matches wherever it does, and ${(rule.raise?.points ?? 0) > 0 && !stronger.rule.forbid ? "is critical already" : "asks for as much"}`,
          fix: "take one of the two out",
        },
      ];
    return [];
  });
}

/** Whether one effect is at least as severe as another in every part. */
function outdoes(one: Rule, other: Rule, content: PolicyContent): boolean {
  if (one.forbid === true) return true;
  if (other.forbid === true) return false;
  const [a, b] = [one.raise, other.raise];
  const rank = (raise: Rule["raise"]) => (raise?.risk === undefined ? -1 : TIERS.indexOf(raise.risk));
  const separated = (b?.separation ?? []).every((word) => a?.separation?.includes(word));
  const raised = isCritical(a, content) || (rank(a) >= rank(b) && (b?.points ?? 0) === 0);
  const order = b?.approval_order ?? [];
  const ordered = order.length === 0 || canonicalize([...order]) === canonicalize([...(a?.approval_order ?? [])]);
  return raised && ordered && (a?.approvals ?? 1) >= (b?.approvals ?? 1) && (b?.gate === undefined || a?.gate === "hard") && separated;
}

/** Points add up, so a rule with points always adds something, unless what it adds to is as high as it gets. */
function isCritical(raise: Rule["raise"], { tiers = DEFAULT_THRESHOLDS }: PolicyContent): boolean {
  return raise?.risk === "critical" || (raise?.points ?? 0) >= tiers.critical;
}
