/** Shortest text of a classified field that is looked for in the rest of the row, also inside of words. */
const SHORTEST_ANYWHERE = 4;

/** Shortest text that is looked for at all. It must stand there as a whole word or number: a card's security code has three digits, and so has much else. */
const SHORTEST_WORD = 3;

/** Names in scripts that put no space between words have two characters and more, and each of them says as much as a syllable. */
const SYLLABLES = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]{2,}$/u;

/** Words and codes of three letters that stand in most rows whatever a field holds: hiding them would hide nothing and spoil the row. */
const COMMON = new Set(
  (
    "all and any are ask bad but buy can day did due end few for get got had has her him his how its let lot low may new nil non nor not now off old one " +
    "out own pay per put say see set she six ten the too top try two use via was way who why yes yet you n/a tbd aud cad chf cny eur gbp inr jpy sek usd"
  ).split(" "),
);

/** Where a word may begin: also behind an escape of JSON or of a URL, which ends in a letter or a digit. */
const BEGIN = "(?:(?<![\\p{L}\\p{N}])|(?<=\\\\[bfnrt]|\\\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}))";
const END = "(?![\\p{L}\\p{N}])";

interface Form {
  readonly text: string;
  readonly instead: string;
  /** Where the text counts only as a whole word. */
  readonly word: RegExp | null;
}

/** Texts of classified fields, and what stands instead of each. */
export class Known {
  /** The longest first: a text that is part of another would leave the rest of it in the open. */
  #forms: Form[] = [];
  readonly #seen = new Map<string, string>();

  /** How many texts are looked for. */
  get size(): number {
    return this.#forms.length;
  }

  /** What was added, for the redaction of another row. */
  get all(): readonly (readonly [text: string, instead: string])[] {
    return [...this.#seen];
  }

  /** Learns a text, also as it stands inside a JSON text, with and without escapes of what is not ASCII. False where it is new and too short or too common to be looked for. */
  add(given: string, instead: string): boolean {
    const text = given.trim();
    if (text === "" || this.#seen.has(text)) return true;
    this.#seen.set(text, instead);
    const isLong = text.length >= SHORTEST_ANYWHERE || SYLLABLES.test(text);
    if (!isLong && (text.length < SHORTEST_WORD || COMMON.has(text.toLowerCase()))) return false;
    const escaped = JSON.stringify(text).slice(1, -1);
    const ascii = escaped.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
    for (const form of new Set([text, escaped, ascii])) this.#forms.push({ text: form, instead, word: isLong ? null : wholeWord(form) });
    this.#forms.sort((a, b) => b.text.length - a.text.length || (a.text < b.text ? -1 : 1));
    return true;
  }

  hiddenIn(given: string): string {
    let out = given;
    for (const { text, instead, word } of this.#forms) if (out.includes(text)) out = out.replaceAll(word ?? text, () => instead);
    return out;
  }
}

function wholeWord(text: string): RegExp {
  const literal = text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  // The cents of an amount, or what stands before them, are not the whole number.
  return /^\d+$/.test(text) ? new RegExp(`${BEGIN}(?<!\\d\\.)${literal}${END}(?!\\.\\d)`, "gu") : new RegExp(`${BEGIN}${literal}${END}`, "gu");
}
