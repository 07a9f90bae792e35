import { hash } from "node:crypto";

/** Bytes of a digest: two texts with one digest are taken for the same. */
export const DIGEST_BYTES = 16;

/** A short digest of some texts. */
export function digestOf(...parts: string[]): Buffer {
  // By way of a text, which Node makes three times as fast as bytes.
  return Buffer.from(hash("sha256", parts.join("\0"), "binary").slice(0, DIGEST_BYTES), "latin1");
}

/** Numbers digests as they come, from 0: what a map of texts would do in a fifth of the memory, so that it holds what grows with the rows. */
export class Digests {
  /** Number of digests. */
  size = 0;
  private words = new Uint32Array(4 * 256);
  /** Number of the digest + 1 at the place where it is looked for; 0 where there is none. */
  private slots = new Uint32Array(1024);

  /** The number of a digest; a new one gets the next. */
  add(bytes: Uint8Array, at = 0): number {
    if (2 * this.size >= this.slots.length) this.grow();
    const [a, b, c, d] = [word(bytes, at), word(bytes, at + 4), word(bytes, at + 8), word(bytes, at + 12)];
    const { words, slots } = this;
    let slot = a & (slots.length - 1);
    for (let n = slots[slot] as number; n > 0; n = slots[slot] as number) {
      const i = 4 * (n - 1);
      if (words[i] === a && words[i + 1] === b && words[i + 2] === c && words[i + 3] === d) return n - 1;
      slot = (slot + 1) & (slots.length - 1);
    }
    if (4 * this.size === words.length) {
      this.words = new Uint32Array(2 * words.length);
      this.words.set(words);
    }
    this.words.set([a, b, c, d], 4 * this.size);
    slots[slot] = ++this.size;
    return this.size - 1;
  }

  /** All digests in the order of their numbers, one behind the other. */
  bytes(): Uint8Array {
    const out = Buffer.alloc(DIGEST_BYTES * this.size);
    for (let i = 0; i < 4 * this.size; i++) out.writeUInt32LE(this.words[i] as number, 4 * i);
    return out;
  }

  private grow(): void {
    const slots = new Uint32Array(2 * this.slots.length);
    for (let n = 1; n <= this.size; n++) {
      let slot = (this.words[4 * (n - 1)] as number) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = n;
    }
    this.slots = slots;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/** The least number for each of many digests. */
export class Least {
  private readonly digests = new Digests();
  private least = new Float64Array(256).fill(Number.POSITIVE_INFINITY);

  /** Takes note of a number; infinity only of the digest. */
  add(value: number, bytes: Uint8Array, at = 0): void {
    const n = this.digests.add(bytes, at);
    if (n >= this.least.length) {
      const least = new Float64Array(2 * this.least.length).fill(Number.POSITIVE_INFINITY);
      least.set(this.least);
      this.least = least;
    }
    if (value < (this.least[n] as number)) this.least[n] = value;
  }

  /** The numbers, in the order in which the digests came. */
  values(): Float64Array {
    return this.least.subarray(0, this.digests.size);
  }

  /** As plain data. */
  parts(): LeastParts {
    return { digests: this.digests.bytes(), least: this.values().slice() };
  }

  /** Takes note of what another one knows. */
  merge({ digests, least }: LeastParts): void {
    for (const [i, value] of least.entries()) this.add(value, digests, DIGEST_BYTES * i);
  }

  /** The number of a digest; infinity where none is known. */
  of(bytes: Uint8Array, at = 0): number {
    const before = this.digests.size;
    const n = this.digests.add(bytes, at);
    return n < before ? (this.least[n] as number) : Number.POSITIVE_INFINITY;
  }
}

/** What `Least` knows, as plain data. */
export interface LeastParts {
  readonly digests: Uint8Array;
  readonly least: Float64Array;
}
