/** A small seeded source of chance (mulberry32): the same seed gives the same history on every machine. */
export interface Rng {
  /** A number from 0 to below 1. */
  next(): number;
  /** A whole number from 0 to below n. */
  below(n: number): number;
  /** True with this probability. */
  chance(p: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** One of the keys, as often as its weight says. */
  weighted<K extends string>(weights: { readonly [key in K]: number }): K;
}

export function createRng(seed: number): Rng {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n: number) => Math.floor(next() * n);
  return {
    next,
    below,
    chance: (p) => next() < p,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
    weighted: (weights) => {
      let sum = 0;
      let last = "" as keyof typeof weights;
      for (const key in weights) {
        sum += weights[key];
        last = key;
      }
      let at = next() * sum;
      for (const key in weights) {
        at -= weights[key];
        if (at < 0) return key;
      }
      return last;
    },
  };
}
