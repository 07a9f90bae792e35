import type { parse } from "@bufbuild/cel";

/** A node of a CEL expression. */
export type Expr = ReturnType<typeof parse>["expr"];

/** How large a value is that an expression reads: characters in all, and members of the largest list or map. */
export interface InputSize {
  readonly characters: number;
  readonly members: number;
}

/** What evaluating a node may take at most, in nanoseconds, and how large its value may be. */
interface Bound {
  readonly ns: number;
  readonly characters: number;
  readonly members: number;
}

/** For one node, with a wide margin: measured are 0.2 to 2 µs. */
const NODE = 3000;

/** For each character of an operand: what a function does with it. Comparing lists and maps is the dearest. */
const PER_CHARACTER: Readonly<Record<string, number>> = { contains: 5, startsWith: 5, endsWith: 5, size: 50, "_<_": 50, "_<=_": 50, "_>_": 50, "_>=_": 50 };
const DEAREST = 300;

/** For each step that a pattern takes for a character. */
const PER_STEP = 50;

/** How large the value is that a path of names leads to, such as ["args", "customer", "id"]. */
export type SizeAt = (path: readonly string[]) => InputSize;

/** An upper bound for the time that an expression takes on inputs of a size, whatever they hold. */
export function costOf(expr: Expr, size: SizeAt, stepsOf: (pattern: string) => number): number {
  return bound(expr, size, new Map(), stepsOf).ns;
}

/** args.a.b as its names; undefined where it does not start with a name. */
export function selected(expr: Expr): string[] | undefined {
  const { exprKind } = expr;
  if (exprKind.case === "identExpr") return [exprKind.value.name];
  if (exprKind.case !== "selectExpr" || exprKind.value.operand === undefined) return undefined;
  const before = selected(exprKind.value.operand);
  return before && [...before, exprKind.value.field];
}

type Known = ReadonlyMap<string, Bound>;

function bound(expr: Expr | undefined, size: SizeAt, known: Known, stepsOf: (pattern: string) => number): Bound {
  const of = (part: Expr | undefined, more: Known = known): Bound => bound(part, size, more, stepsOf);
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case "constExpr":
      return { ns: NODE, characters: literalLength(expr as Expr), members: 0 };
    case "identExpr":
      return { ...(known.get(kind.value.name) ?? size([kind.value.name])), ns: NODE };
    case "selectExpr": {
      const path = selected(expr as Expr);
      if (path !== undefined && !known.has(path[0] as string)) return { ...size(path), ns: NODE * path.length };
      return plus(of(kind.value.operand), NODE);
    }
    case "listExpr":
      return together(kind.value.elements.map((part) => of(part)));
    case "structExpr":
      return together(kind.value.entries.flatMap((entry) => [of(entry.value), ...(entry.keyKind.case === "mapKey" ? [of(entry.keyKind.value)] : [])]));
    case "callExpr": {
      const { target, args } = kind.value;
      const parts = [...(target === undefined ? [] : [target]), ...args];
      const all = together(parts.map((part) => of(part)));
      if (kind.value.function === "matches") return { ns: all.ns + all.characters * PER_STEP * stepsOf(literal(args[0]) ?? ""), characters: 0, members: 0 };
      const perCharacter = PER_CHARACTER[kind.value.function] ?? DEAREST;
      // Comparing with a literal ends where the literal ends.
      const compared = parts.some((part) => part.exprKind.case === "constExpr") ? Math.min(...parts.map((part) => of(part).characters)) : all.characters;
      const reads = kind.value.function === "_==_" || kind.value.function === "_!=_" ? compared : all.characters;
      const free = ["_&&_", "_||_", "!_", "_?_:_", "_[_]", "@not_strictly_false"].includes(kind.value.function);
      return plus(all, NODE + (free ? 0 : reads * perCharacter));
    }
    case "comprehensionExpr": {
      const { iterVar, iterRange, accuVar, accuInit, loopCondition, loopStep, result } = kind.value;
      const range = of(iterRange);
      const inside: Known = new Map([...known, [iterVar, { ...range, ns: NODE }], [accuVar, { ns: NODE, characters: 0, members: 0 }]]);
      const each = together([of(loopCondition, inside), of(loopStep, inside)]);
      const gathers = accuInit?.exprKind.case === "listExpr";
      const grown = { ns: 0, characters: gathers ? range.members * each.characters : 0, members: gathers ? range.members : 0 };
      const rounds = range.members * (each.ns + 3 * NODE);
      const last = of(result, new Map([...inside, [accuVar, grown]]));
      return { ns: range.ns + of(accuInit).ns + rounds + last.ns, characters: grown.characters, members: grown.members };
    }
    default:
      return { ns: NODE, characters: 0, members: 0 };
  }
}

const plus = (of: Bound, ns: number): Bound => ({ ...of, ns: of.ns + ns });

function together(parts: readonly Bound[]): Bound {
  const sum = (key: keyof Bound) => parts.reduce((total, part) => total + part[key], 0);
  return { ns: sum("ns") + NODE, characters: sum("characters"), members: sum("members") + parts.length };
}

/** The text of a literal; undefined for anything else. */
export function literal(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== "constExpr") return undefined;
  const { constantKind } = expr.exprKind.value;
  return constantKind.case === "stringValue" ? constantKind.value : undefined;
}

function literalLength(expr: Expr): number {
  return literal(expr)?.length ?? 20;
}
