const M = 0x5bd1e995;
const SEED = 0x9747b28c | 0;

/** Java's murmur2 as Kafka's clients use it, as a signed 32-bit number. Source: org.apache.kafka.common.utils.Utils.murmur2. */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  const whole = length & ~3;
  let h = SEED ^ length;
  for (let i = 0; i < whole; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k = Math.imul(k ^ (k >>> 24), M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = length - whole;
  if (rest >= 3) h ^= bytes[whole + 2]! << 16;
  if (rest >= 2) h ^= bytes[whole + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[whole]!, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

const encoder = new TextEncoder();

/** Partition of a key: what Kafka's Java producer picks for the same UTF-8 bytes, so that any client's records land beside ours. */
export function partitionOf(key: string, partitions: number): number {
  return ((copyAscii(key) ? murmur2(ascii, key.length) : murmur2(encoder.encode(key))) & 0x7fffffff) % partitions;
}

const ascii = new Uint8Array(64);

/** Item ids are ASCII, and encoding such a short text costs more than hashing it. False where it is none, or too long. */
function copyAscii(key: string): boolean {
  if (key.length > ascii.length) return false;
  for (let i = 0; i < key.length; i++) {
    const c = key.charCodeAt(i);
    if (c > 0x7f) return false;
    ascii[i] = c;
  }
  return true;
}
