import { RE2JS } from "re2js";

/** Something personal that can be recognised in any text. */
export interface Detector {
  readonly kind: "card" | "iban" | "email" | "phone";
  /** Cheap and linear: whether looking is worth while. */
  readonly worth: (text: string) => boolean;
  readonly pattern: RE2JS;
  /** Whether what the pattern found is one: a checksum or a form. */
  readonly valid: (found: string) => boolean;
}

/** What stands between the groups of a number, for a class of characters: spaces and hyphens, also those that never break a line. */
const GAP = " \u00a0\u2007\u2009\u202f\u2010\u2011\\-";

/** What is looked for in texts, in this order. RE2 takes time in proportion to the text, whatever the text. */
export const DETECTORS: readonly Detector[] = [
  {
    kind: "email",
    worth: (text) => text.includes("@"),
    pattern: RE2JS.compile("[\\p{L}\\p{N}._%+'-]{1,64}@[\\p{L}\\p{N}](?:[\\p{L}\\p{N}.-]{0,251}[\\p{L}\\p{N}])?\\.[\\p{L}]{2,24}"),
    valid: () => true,
  },
  {
    kind: "iban",
    worth: (text) => /[A-Za-z]{2}\d{2}/.test(text),
    pattern: RE2JS.compile(`[A-Za-z]{2}[0-9]{2}(?:[${GAP}_]?[A-Za-z0-9]){11,30}`),
    valid: isIban,
  },
  {
    kind: "card",
    worth: (text) => digitsIn(text, 13),
    pattern: RE2JS.compile(`(?:[0-9][${GAP}._]?){12,18}[0-9]`),
    valid: isCard,
  },
  {
    kind: "phone",
    worth: (text) => digitsIn(text, 8),
    pattern: RE2JS.compile(
      `(?:\\+|\\b00[${GAP}]?)[1-9](?:[${GAP}./()]{0,2}[0-9]){6,14}|\\(?\\b[0-9]{3}\\)?[${GAP}.][0-9]{3}[${GAP}.][0-9]{4}\\b|\\b0[0-9]{1,4}[${GAP}/][0-9]{2,4}(?:[${GAP}]?[0-9]{2,4}){1,3}\\b`,
    ),
    valid: isPhone,
  },
];

/** Whether a text holds at least so many digits: most texts do not, and RE2 need not look at them. */
function digitsIn(text: string, least: number): boolean {
  let found = 0;
  for (let i = 0; i < text.length && found < least; i++) {
    const c = text.charCodeAt(i);
    if (c >= 48 && c <= 57) found++;
  }
  return found >= least;
}

/** Whether the digits begin as card numbers do, have the length of one, and pass the Luhn check. */
export function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  if (!/^([3-6]|2[2-7])\d{11,18}$/.test(digits) || digits.length < 13 || /^(\d)\1+$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}

/** Length of an IBAN by country, from the registry of ISO 13616. */
const IBAN_LENGTHS =
  "NO15 BE16 BI27 DK18 FI18 FK18 FO18 GL18 NL18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 XK20 MN20 CH21 HR21 LI21 LV21 BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 DZ26 ES24 MD24 PK24 RO24 SA24 SE24 SK24 TN24 VG24 AO25 CV25 GW25 MZ25 PT25 ST25 IR26 IS26 TR26 BF28 BJ28 CI28 CM27 CF27 CG27 TD27 KM27 DJ27 EG29 FR27 GA27 GQ27 GR27 IT27 MC27 MG27 MR27 SM27 SN28 AL28 AZ28 BY28 CY28 DO28 GT28 HN28 HU28 LB28 MA28 ML28 NE28 NI28 PL28 SV28 TG28 BR29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 MT31 SC31 LC32 LY25 RU33 SD18";
const IBAN_LENGTH = new Map(IBAN_LENGTHS.split(" ").map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]));

/** Whether the text is an IBAN: of a country and its length, and 1 modulo 97 (ISO 13616). */
export function isIban(text: string): boolean {
  const bare = text.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
  if (IBAN_LENGTH.get(bare.slice(0, 2)) !== bare.length || !/^[A-Z]{2}\d{2}[A-Z0-9]+$/.test(bare)) return false;
  let rest = 0;
  for (const c of bare.slice(4) + bare.slice(0, 4)) for (const d of String(Number.parseInt(c, 36))) rest = (rest * 10 + Number(d)) % 97;
  return rest === 1;
}

/** A date with its numbers in any order: 2024-05-15, 05-15-2024, 15/05/24. */
const DATE =
  /^(?:(?:19|20)\d{2}[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:0?[1-9]|[12]\d|3[01])|(?:0?[1-9]|[12]\d|3[01])[-/. ](?:0?[1-9]|[12]\d|3[01])[-/. ](?:(?:19|20)\d{2}|\d{2}))(?!\d)/;

/** Whether the text has the digits of a telephone number (E.164: 8 to 15) and is no date. */
export function isPhone(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  // After 00 the country and at least seven digits: shorter ones are numbers of orders that begin with zeros.
  const least = /^00/.test(text) ? 11 : 8;
  return digits.length >= least && digits.length <= 15 && !DATE.test(text);
}

/** The text with what the detectors find replaced. */
export function detected(text: string, instead: (kind: Detector["kind"], found: string) => string): string {
  let out = text;
  for (const detector of DETECTORS) if (detector.worth(out)) out = replaced(out, detector, instead);
  return out;
}

function replaced(text: string, detector: Detector, instead: (kind: Detector["kind"], found: string) => string): string {
  const matcher = detector.pattern.matcher(text);
  let out = "";
  let at = 0;
  for (let from = 0; from < text.length && matcher.find(from); ) {
    const start = matcher.start();
    const end = endOf(text, start, matcher.end(), detector);
    // Not one: the next may begin inside of what was found.
    from = end ?? start + 1;
    if (end === undefined) continue;
    out += text.slice(at, start) + instead(detector.kind, text.slice(start, end));
    at = end;
  }
  return at === 0 ? text : out + text.slice(at);
}

const LEAST: { readonly [kind: string]: number } = { iban: 15, card: 13 };

/**
 * Where what begins at `start` ends: the longest part that is valid and ends where a word or a number ends; undefined where there is none.
 * A match may run into the word or the date that follows.
 */
function endOf(text: string, start: number, end: number, { kind, valid }: Detector): number | undefined {
  const before = text.charAt(start - 1);
  const least = LEAST[kind];
  if (least === undefined) {
    // Groups in the middle of a longer chain of them are a part of a date, a version or an id.
    if (kind === "phone" && (/[\w.-]/.test(before) || /^-?\w/.test(text.slice(end, end + 2)))) return undefined;
    return valid(text.slice(start, end)) ? end : undefined;
  }
  // Digits in the middle of a longer number are no card, letters in the middle of a word no country.
  if (kind === "card" ? /\d/.test(before) : /[A-Za-z0-9]/.test(before)) return undefined;
  const inside = (at: number) => /[A-Za-z0-9]/.test(text.charAt(at));
  for (let to = end; to - start >= least; to--) if (inside(to - 1) && !inside(to) && valid(text.slice(start, to))) return to;
  return undefined;
}
