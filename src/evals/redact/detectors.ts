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

/** How telephone numbers are written. What is found may still be a date, or have too few digits. */
const PHONES = [
  // With the country: +41 44 668 18 00, 0041446681800, +49 (0)30 1234567, and %2B as in the query of a URL.
  `(?:\\+|%2[Bb]|\\b00[${GAP}]?)[1-9](?:[${GAP}./()]{0,2}[0-9]){6,14}`,
  // North America: (415)555-2671, 415.555.2671, 1-415-555-2671.
  `(?:\\b1[${GAP}.]?)?(?:\\([2-9][0-9]{2}\\)[${GAP}.]{0,2}[0-9]{3}[${GAP}.]?|\\(?\\b[0-9]{3}\\)?[${GAP}.][0-9]{3}[${GAP}.])[0-9]{4}\\b`,
  // The area in brackets: (020) 7946 0958, (030) 1234567.
  `\\(0[0-9]{1,5}\\)[${GAP}]{0,2}[0-9]{2,8}(?:[${GAP}.]?[0-9]{2,4}){0,4}\\b`,
  // Five pairs, as in France: 06 12 34 56 78, 06.98.76.54.32.
  `\\b0[1-9](?:[${GAP}./][0-9]{2}){4}\\b`,
  // With the area: 044 668 18 00, 030/1234567, 089 / 123 456, 079.123.45.67.
  `\\b0[0-9]{1,4}(?:[${GAP}./]|[${GAP}]/[${GAP}])[0-9]{2,4}(?:[${GAP}.]?[0-9]{2,4}){1,3}\\b`,
];

/** Whether any of them may begin in the text: cheap, and most numbers are none. */
const PHONE_BEGINS = new RegExp(
  [
    "\\+[1-9]|%2[Bb][1-9]|\\(\\d{2,6}\\)",
    `(?<!\\w|\\w-|\\d[./])(?:00[${GAP}]?[1-9]|0\\d{1,4}[${GAP}./]{1,3}\\d{2}|(?:1[${GAP}.])?\\d{3}\\)?[${GAP}.]\\d{3}[${GAP}.]\\d{4})`,
  ].join("|"),
);

/** The least of an IBAN and of a card number: flight numbers and dates are less. */
const IBAN_BEGINS = new RegExp(`[A-Za-z]{2}\\d{2}(?:[${GAP}_]?[A-Za-z0-9]){11}`);
const CARD_BEGINS = new RegExp(`(?:\\d[${GAP}._]?){12}\\d`);

/** What is looked for in texts, in this order. RE2 takes time in proportion to the text, whatever the text. */
export const DETECTORS: readonly Detector[] = [
  {
    kind: "email",
    // In the query of a URL the sign is written %40.
    worth: (text) => text.includes("@") || text.includes("%40") || text.includes("%2540") || text.includes("\uff20"),
    pattern: RE2JS.compile("[\\p{L}\\p{N}._%+'-]{1,64}(?:[@\uff20]|%(?:25)?40)[\\p{L}\\p{N}](?:[\\p{L}\\p{N}.-]{0,251}[\\p{L}\\p{N}])?\\.[\\p{L}]{2,24}"),
    valid: () => true,
  },
  {
    kind: "iban",
    worth: (text) => IBAN_BEGINS.test(text),
    pattern: RE2JS.compile(`[A-Za-z]{2}[0-9]{2}(?:[${GAP}_]?[A-Za-z0-9]){11,30}`),
    valid: isIban,
  },
  {
    kind: "card",
    worth: (text) => digitsIn(text, 13) && CARD_BEGINS.test(text),
    pattern: RE2JS.compile(`(?:[0-9][${GAP}._]?){12,18}[0-9]`),
    valid: isCard,
  },
  {
    kind: "phone",
    worth: (text) => digitsIn(text, 8) && PHONE_BEGINS.test(text),
    pattern: RE2JS.compile(PHONES.join("|")),
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

/** A month and its year: 05/2024. */
const MONTH = /^(?:0[1-9]|1[0-2])[-/.](?:19|20)\d{2}(?!\d)/;

/** Five pairs with one sign between them; with hyphens or slashes they can be a date and a time. */
const PAIRS = /^0[1-9]([^\d])\d\d(?:\1\d\d){3}$/;
const DATE_AND_TIME = /^0[1-9][-/](?:0[1-9]|[12]\d|3[01])[-/][0-3]\d[-/](?:[01]\d|2[0-3])[-/][0-5]\d$/;

/** Whether the text has the digits of a telephone number (E.164: 8 to 15) and is no date. */
export function isPhone(text: string): boolean {
  const digits = digitsOf(text);
  // After 00 the country and at least seven digits: shorter ones are numbers of orders that begin with zeros.
  const least = /^00/.test(text) ? 11 : 8;
  if (digits.length < least || digits.length > 15) return false;
  if (PAIRS.test(text)) return !DATE_AND_TIME.test(text);
  if (/^0\d*\./.test(text) && !isDotted(text)) return false;
  // Also behind a number in brackets, as in a list.
  const rest = text.replace(/^\(0\d+\)\D*/, "");
  return !DATE.test(rest) && !MONTH.test(rest);
}

/** Whether points alone part the groups, as in 044.668.18.00: prices and times in a row have spaces as well, addresses of machines three digits in each. */
function isDotted(text: string): boolean {
  return /^[\d.]{10,}$/.test(text) && digitsOf(text).length >= 9 && !/^\d{3}(?:\.\d{3}){3}$/.test(text);
}

/** The digits of a telephone number, however it is written. */
function digitsOf(text: string): string {
  return text.replace(/^%2B/i, "").replace(/\D/g, "");
}

/** What was found as it is compared: one number or address written in two ways is one. */
export function normal(kind: Detector["kind"], found: string): string {
  if (kind === "email") return found.toLowerCase().replace(/\uff20|%(?:25)?40/, "@");
  return kind === "phone" ? digitsOf(found) : found.replace(/[^A-Za-z0-9]/g, "").toUpperCase();
}

/** The text with what the detectors find replaced. */
export function detected(text: string, instead: (kind: Detector["kind"], found: string) => string, detectors = DETECTORS): string {
  let out = text;
  for (const detector of detectors) if (detector.worth(out)) out = replaced(out, detector, instead);
  return out;
}

function replaced(text: string, detector: Detector, instead: (kind: Detector["kind"], found: string) => string): string {
  const matcher = detector.pattern.matcher(text);
  let out = "";
  let at = 0;
  for (let from = 0; from < text.length && matcher.find(from); ) {
    const start = matcher.start();
    // What was replaced is not a part of what follows.
    const end = isBegin(text.slice(Math.max(at, start - 2), start), detector.kind) ? endOf(text, start, matcher.end(), detector) : undefined;
    // Not one: the next may begin inside of what was found.
    from = end ?? start + 1;
    if (end === undefined) continue;
    out += text.slice(at, start) + instead(detector.kind, text.slice(start, end));
    at = end;
  }
  return at === 0 ? text : out + text.slice(at);
}

/** Fewest characters of what is found. */
const LEAST: { readonly [kind in Detector["kind"]]: number } = { iban: 15, card: 13, email: 0, phone: 8 };

/**
 * Where what begins at `start` ends: the longest part that is valid and ends where a word or a number ends; undefined where there is none.
 * A match may run into the word or the date that follows.
 */
function endOf(text: string, start: number, end: number, { kind, valid }: Detector): number | undefined {
  if (kind === "email") return end;
  const inside = (at: number) => /[A-Za-z0-9]/.test(text.charAt(at));
  for (let to = end; to - start >= LEAST[kind]; to--) {
    if (!inside(to - 1) || inside(to)) continue;
    if (kind === "phone" && (to < end ? !DATE.test(text.slice(to + 1, to + 12)) : /^-?\w/.test(text.slice(to, to + 2)))) continue;
    if (valid(text.slice(start, to))) return to;
  }
  return undefined;
}

/**
 * Whether one may begin behind these characters: digits in the middle of a longer number are no card, letters in the middle of a word no
 * country, and groups in the middle of a longer chain a part of a date, a version or an id.
 */
function isBegin(before: string, kind: Detector["kind"]): boolean {
  switch (kind) {
    case "card":
      return !/\d$/.test(before);
    case "iban":
      return !/[A-Za-z0-9]$/.test(before);
    case "phone":
      return !/\w$|\w-$|\d[./]$/.test(before);
    case "email":
      return true;
  }
}
