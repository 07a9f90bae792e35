import { canonicalize, type Json } from "../../events/canonical.ts";
import { shown } from "../problems.ts";
import { codePoints } from "../render.ts";
import { type Find, glob, regex, type Steps, take } from "./regex.ts";

/** A comparison with its threshold built in. undefined: it could not be made, because the value is of another type or takes more steps than are left. */
export type Test = (value: Json, steps: Steps) => boolean | undefined;

interface Operator {
  /** What the threshold must be, for messages. */
  readonly takes: string;
  /** Throws an Error that says what is wrong with the threshold. */
  readonly compile: (threshold: Json) => Test;
}

/** Every operator of a leaf. `exists` is not here: it is the only one that looks at a missing value. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  is: { takes: "any value", compile: (t) => equalsOne([t]) },
  not: { takes: "any value", compile: (t) => negate(equalsOne([t])) },
  in: { takes: "a list of values", compile: (t) => equalsOne(list(t)) },
  not_in: { takes: "a list of values", compile: (t) => negate(equalsOne(list(t))) },
  above: { takes: "a number", compile: (t) => above(number(t)) },
  at_least: { takes: "a number", compile: (t) => atLeast(number(t)) },
  below: { takes: "a number", compile: (t) => below(number(t)) },
  at_most: { takes: "a number", compile: (t) => atMost(number(t)) },
  between: { takes: "two numbers, both included", compile: between },
  contains: { takes: "a text, or a member of a list", compile: contains },
  prefix: { takes: "a text", compile: (t) => prefix(text(t)) },
  suffix: { takes: "a text", compile: (t) => suffix(text(t)) },
  glob: { takes: "a text with * and ?", compile: (t) => onString(glob(text(t))) },
  matches: { takes: "a pattern in RE2 syntax", compile: (t) => onString(regex(text(t))) },
  domain_in: { takes: "a list of domains", compile: domainIn },
  length_is: { takes: "a number", compile: (t) => compareLength(t, (v, bound) => v === bound) },
  length_above: { takes: "a number", compile: (t) => compareLength(t, (v, bound) => v > bound) },
  length_at_least: { takes: "a number", compile: (t) => compareLength(t, (v, bound) => v >= bound) },
  length_below: { takes: "a number", compile: (t) => compareLength(t, (v, bound) => v < bound) },
  length_at_most: { takes: "a number", compile: (t) => compareLength(t, (v, bound) => v <= bound) },
};

/** Operators of a leaf, `exists` included. */
export const OPERATOR_NAMES: readonly string[] = [...Object.keys(OPERATORS), "exists"];

/** The comparison that a value would have to pass for the operator not to match: above 1000 is escaped by at_most 1000. */
export const OPPOSITE: Readonly<Record<string, string>> = {
  above: "at_most",
  at_least: "below",
  below: "at_least",
  at_most: "above",
  length_above: "length_at_most",
  length_at_least: "length_below",
  length_below: "length_at_least",
  length_at_most: "length_above",
  in: "not_in",
  not_in: "in",
  is: "not",
  not: "is",
};

function negate(test: Test): Test {
  return (value, steps) => {
    const result = test(value, steps);
    return result === undefined ? undefined : !result;
  };
}

/** A value of a type that the list does not hold cannot be told apart from a mistake ("1000" for 1000): that is unknown, never "no". */
function equalsOne(values: readonly Json[]): Test {
  const plain = new Set(values.filter((value) => typeof value !== "object" || value === null));
  const objects = new Set(values.filter((value) => typeof value === "object" && value !== null).map((value) => canonicalize(value)));
  const types = new Set(values.map(typeName));
  // The usual list, of texts only.
  if (types.size === 1 && types.has("string")) return (value) => (typeof value === "string" ? plain.has(value) : value === null ? false : undefined);
  types.add("null");
  return (value) => {
    const held = typeof value === "object" && value !== null ? objects.size > 0 && objects.has(canonicalOnce(value)) : plain.has(value);
    return held || (types.size > 1 && !types.has(typeName(value)) ? undefined : held);
  };
}

const canonical = new WeakMap<object, string>();

/** The canonical text of a value that many rules may ask for: it is made once. */
export function canonicalOnce(value: Json & object): string {
  let text = canonical.get(value);
  if (text === undefined) canonical.set(value, (text = canonicalize(value)));
  return text;
}

function typeName(value: Json): string {
  return value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
}

// Written out one by one: a comparison that calls another function takes twice as long.
const above =
  (bound: number): Test =>
  (value) =>
    typeof value === "number" ? value > bound : undefined;
const atLeast =
  (bound: number): Test =>
  (value) =>
    typeof value === "number" ? value >= bound : undefined;
const below =
  (bound: number): Test =>
  (value) =>
    typeof value === "number" ? value < bound : undefined;
const atMost =
  (bound: number): Test =>
  (value) =>
    typeof value === "number" ? value <= bound : undefined;
const prefix =
  (part: string): Test =>
  (value) =>
    typeof value === "string" ? value.startsWith(part) : undefined;
const suffix =
  (part: string): Test =>
  (value) =>
    typeof value === "string" ? value.endsWith(part) : undefined;

function compareLength(threshold: Json, holds: (value: number, bound: number) => boolean): Test {
  const bound = number(threshold);
  return (value) => (Array.isArray(value) ? holds(value.length, bound) : typeof value === "string" ? holds(codePoints(value), bound) : undefined);
}

function between(threshold: Json): Test {
  const [low, high, ...more] = Array.isArray(threshold) ? threshold : [];
  if (typeof low !== "number" || typeof high !== "number" || more.length > 0 || low > high)
    throw new Error(`takes two numbers, the smaller first, not ${shown(threshold)}`);
  return (value) => (typeof value === "number" ? value >= low && value <= high : undefined);
}

function contains(threshold: Json): Test {
  const member = equalsOne([threshold]);
  // A member of another type may mean the same: 7 and "7". Without it nobody can say that the list does not hold it.
  const inList = (value: readonly Json[], steps: Steps): boolean | undefined => {
    let answer: boolean | undefined = false;
    for (const one of value) {
      const is = member(one, steps);
      if (is === true) return true;
      if (is === undefined) answer = undefined;
    }
    return answer;
  };
  if (typeof threshold !== "string") return (value, steps) => (Array.isArray(value) ? inList(value, steps) : undefined);
  return (value, steps) => (typeof value === "string" ? value.includes(threshold) : Array.isArray(value) ? inList(value, steps) : undefined);
}

function onString(find: Find): Test {
  return (value, steps) => (typeof value === "string" ? find(value, steps) : undefined);
}

/** Steps for reading the domain of one address in a list. */
const PER_ADDRESS = 100;

/** Of a list of addresses, all or none must be inside: a mixed list is unknown, so that it raises whichever way round the rule is written. */
function domainIn(threshold: Json): Test {
  const exact = new Set<string>();
  const parents: string[] = [];
  for (const entry of list(threshold)) {
    const domain = text(entry).toLowerCase();
    if (!/^(\*\.)?[^\s@*]+$/.test(domain)) throw new Error(`takes domains such as example.com or *.example.com, not ${shown(entry)}`);
    if (domain.startsWith("*.")) parents.push(domain.slice(1));
    else exact.add(domain);
  }
  const one = (value: Json): boolean | undefined => {
    const domain = typeof value === "string" ? domainOf(value) : undefined;
    return domain === undefined ? undefined : exact.has(domain) || parents.some((parent) => domain.endsWith(parent));
  };
  return (value, steps) => {
    if (!Array.isArray(value)) return one(value);
    if (!take(steps, value.length * PER_ADDRESS)) return undefined;
    const found = new Set(value.map(one));
    return found.size === 1 ? [...found][0] : undefined;
  };
}

/** Only a plain local@domain has a domain: "x@evil.example,y@example.com" must not pass for example.com. */
function domainOf(address: string): string | undefined {
  if (address !== lastAddress) [lastDomain, lastAddress] = [readDomain(address), address];
  return lastDomain;
}

// Several rules ask for the domain of one address.
let lastAddress = "";
let lastDomain: string | undefined;

function readDomain(address: string): string | undefined {
  const match = address.length > 320 ? null : /^[^\s@,;:<>()"\\]+@([^\s@,;:<>()"\\]+)$/.exec(address);
  return match?.[1]?.toLowerCase().replace(/\.$/, "");
}

function list(threshold: Json): readonly Json[] {
  if (!Array.isArray(threshold) || threshold.length === 0) throw new Error(`takes a list with at least one value, not ${shown(threshold)}`);
  return threshold;
}

function number(threshold: Json): number {
  if (typeof threshold !== "number") throw new Error(`takes a number, not ${shown(threshold)}`);
  return threshold;
}

function text(threshold: Json): string {
  if (typeof threshold !== "string" || threshold === "") throw new Error(`takes a text, not ${shown(threshold)}`);
  return threshold;
}
