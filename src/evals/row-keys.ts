import type { Draft } from "./build-example.ts";
import { DIGEST_BYTES, digestOf } from "./digests.ts";
import { isNegativeByIncident, qualityOf } from "./quality.ts";
import type { Tier } from "./reviewed-example.ts";

/** What a row is compared with others by. */
export interface RowKeys {
  /** The same call, where the model saw the same. */
  readonly call: Uint8Array;
  /** The same decision on the same call. */
  readonly same: Uint8Array;
  /** The same messages in the same run; null where nobody asks, or where the row only repeats an edit. */
  readonly prompt: Uint8Array | null;
  /** 1: somebody approved the call; 2: somebody edited or rejected it. */
  readonly verdict: number;
  /** Of rows that say the same the one with the lowest rank gives the labels. */
  readonly rank: number;
}

/** The better an example, the lower; what only repeats an edit gives no labels itself, so that it comes last. */
const RANKS: { readonly [tier in Tier]: number } = { gold: 0, silver: 1, bronze: 2, disputed: 3 };
const REPEATS = 4;

/**
 * What a row is compared by. Before redaction, so that a profile changes neither splits nor duplicates.
 *
 * @param withPrompt whether siblings are looked for
 */
export function keysOf(draft: Draft, withPrompt: boolean): RowKeys {
  // A call is the same call where the model saw the same. Without a transcript only the run and its step tell.
  const context = draft.context.sha256 ?? `${draft.run?.threadId ?? draft.itemId}\0${draft.run?.checkpointId ?? draft.itemId}`;
  const call = digestOf(draft.workspace, draft.agent.id, context, calledIn(draft.presented), draft.question ?? "");
  const { kind, message } = draft.decision;
  const same =
    kind === "edit"
      ? digestOf(call.toString("latin1"), kind, draft.final === null ? "" : calledIn(draft.final))
      : kind === "respond"
        ? digestOf(call.toString("latin1"), kind, message ?? "")
        : marked(call, KINDS.indexOf(kind));
  // What stands for a run that is not named is known when all items are.
  const prompt = withPrompt && draft.repeats === null ? digestOf(draft.workspace, draft.agent.id, context, draft.run?.threadId ?? "") : null;
  const rank = draft.repeats !== null ? REPEATS : RANKS[qualityOf(draft, false).tier];
  // What was reported is no repetition of what was not: it says the contrary.
  if (draft.outcome.incidents.length > 0) {
    const isNegative = isNegativeByIncident(draft);
    return { call, same: marked(same, isNegative ? GRAVE : SLIGHT), prompt, verdict: isNegative ? 2 : 0, rank };
  }
  return { call, same, prompt, verdict: { approve: 1, edit: 2, reject: 2, respond: 0, acknowledge: 0 }[kind], rank };
}

/** Kinds of which a call tells all: what is approved is what was presented. */
const KINDS: readonly string[] = ["approve", "reject", "acknowledge"];

/** Marks of what was reported, which meet none of a kind. */
const GRAVE = 16;
const SLIGHT = 32;

/** Another digest for each mark. */
function marked(digest: Buffer, mark: number): Buffer {
  const other = Buffer.from(digest);
  other[0] = (other[0] as number) ^ (mark + 1);
  return other;
}

/** What is called. The fold takes no arguments that are not those of their hash, so the hash stands for them. */
function calledIn(actions: Draft["presented"]): string {
  return JSON.stringify(actions.map(({ tool, argsSha256 }) => [tool, argsSha256]));
}

/** Id, call, same, prompt, verdict and rank of each row, one behind the other: 66 bytes. */
const ROW_BYTES = 4 * DIGEST_BYTES + 2;
const NO_PROMPT = new Uint8Array(DIGEST_BYTES);

/** The keys of many rows in little memory, with the item that each is of. */
export class RowList {
  size = 0;
  private bytes = Buffer.alloc(64 * ROW_BYTES);
  private ordinals = new Uint32Array(64);

  /** @param id 32 hex digits */
  add(ordinal: number, id: string, { call, same, prompt, verdict, rank }: RowKeys): void {
    if (this.size === this.ordinals.length) {
      const [bytes, ordinals] = [Buffer.alloc(2 * this.bytes.length), new Uint32Array(2 * this.ordinals.length)];
      bytes.set(this.bytes);
      ordinals.set(this.ordinals);
      this.bytes = bytes;
      this.ordinals = ordinals;
    }
    const at = this.size * ROW_BYTES;
    this.bytes.write(id, at, "hex");
    this.bytes.set(call, at + DIGEST_BYTES);
    this.bytes.set(same, at + 2 * DIGEST_BYTES);
    this.bytes.set(prompt ?? NO_PROMPT, at + 3 * DIGEST_BYTES);
    this.bytes[at + 4 * DIGEST_BYTES] = verdict;
    this.bytes[at + 4 * DIGEST_BYTES + 1] = rank;
    this.ordinals[this.size] = ordinal;
    this.size++;
  }

  /** As plain data. */
  parts(): RowParts {
    return { bytes: Uint8Array.prototype.slice.call(this.bytes, 0, this.size * ROW_BYTES), ordinals: this.ordinals.slice(0, this.size) };
  }
}

/** The keys of many rows, as plain data. */
export interface RowParts {
  readonly bytes: Uint8Array;
  readonly ordinals: Uint32Array;
}

/** Where the parts of a row's keys lie in the bytes of a list. */
export const rowAt = {
  call: (row: number): number => row * ROW_BYTES + DIGEST_BYTES,
  same: (row: number): number => row * ROW_BYTES + 2 * DIGEST_BYTES,
  prompt: (row: number): number => row * ROW_BYTES + 3 * DIGEST_BYTES,
  verdict: (row: number): number => row * ROW_BYTES + 4 * DIGEST_BYTES,
  rank: (row: number): number => row * ROW_BYTES + 4 * DIGEST_BYTES + 1,
};

/** Whether a row is compared with those that answer the same messages. */
export function hasPrompt({ bytes }: RowParts, row: number): boolean {
  const at = rowAt.prompt(row);
  for (let i = at; i < at + DIGEST_BYTES; i++) if (bytes[i] !== 0) return true;
  return false;
}

/** The id of a row. */
export function rowId({ bytes }: RowParts, row: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + row * ROW_BYTES, DIGEST_BYTES).toString("hex");
}
