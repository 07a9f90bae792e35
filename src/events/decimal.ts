/** An exact decimal number: n × 10^-scale. Amounts are only added, subtracted and compared, so nothing is ever rounded. */
export interface Decimal {
  readonly n: bigint;
  readonly scale: number;
}

export const ZERO: Decimal = { n: 0n, scale: 0 };

const DECIMAL = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/;

/** The decimal of a number or of a text such as "12.50"; undefined for anything else. A double counts as the number that is written: 0.1 is one tenth. */
export function decimalOf(value: unknown): Decimal | undefined {
  if (typeof value !== "string" && !(typeof value === "number" && Number.isFinite(value))) return undefined;
  const [, sign, whole, fraction = "", exponent = "0"] = DECIMAL.exec(String(value)) ?? [];
  if (whole === undefined) return undefined;
  const n = BigInt(`${sign}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { n, scale } : { n: n * 10n ** BigInt(-scale), scale: 0 };
}

/** a + b */
export function add(a: Decimal, b: Decimal): Decimal {
  if (a.scale === b.scale) return { n: a.n + b.n, scale: a.scale };
  const scale = Math.max(a.scale, b.scale);
  return { n: at(a, scale) + at(b, scale), scale };
}

/** a - b */
export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { n: -b.n, scale: b.scale });
}

/** Negative, zero or positive, as a is below, equal to or above b. */
export function compare(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const [x, y] = [at(a, scale), at(b, scale)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Whether a is b times a whole number. Nothing is a multiple of zero. */
export function isMultiple(a: Decimal, b: Decimal): boolean {
  const scale = Math.max(a.scale, b.scale);
  const step = at(b, scale);
  return step !== 0n && at(a, scale) % step === 0n;
}

/** As a decimal string, without an exponent and without zeros at the end: "1250.5". */
export function decimalText({ n, scale }: Decimal): string {
  const digits = String(n < 0n ? -n : n).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, "");
  return `${n < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

function at({ n, scale }: Decimal, wanted: number): bigint {
  return n * 10n ** BigInt(wanted - scale);
}
