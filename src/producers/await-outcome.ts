import { CountersignError } from "../errors.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import type { Transport } from "./transport.ts";
import type { OutcomeAnswer } from "./wire/answers.ts";

/** How long to wait. */
export interface AwaitOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds. Default: for ever. */
  readonly timeoutMs?: number;
}

/** One request of a long wait, in milliseconds: short enough for proxies. */
const SLICE_MS = 20_000;
/** Pause while nobody answers, in milliseconds. */
const PAUSE_MS = 1000;

/**
 * Waits for an outcome. Once somebody has answered, an outage does not end the wait: approvals take hours, restarts take seconds.
 *
 * @throws the signal's reason when it is aborted; CountersignError as Transport.outcome
 */
export async function awaitOutcome(transport: Transport, itemId: string, { signal, timeoutMs }: AwaitOptions = {}): Promise<Outcome> {
  signal?.throwIfAborted();
  const until = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  if (timeoutMs === undefined) return outcomeOf(await untilDecided(transport, itemId, until, signal));
  // One look without waiting, so that a short time still tells what is there.
  const soon = outcomeOf(await transport.outcome(itemId, 0, signal));
  if (soon.status !== "pending" || performance.now() >= until) return soon;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.min(until - performance.now(), 2 ** 31 - 1));
  try {
    return outcomeOf(await untilDecided(transport, itemId, until, signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]), true));
  } catch (error) {
    signal?.throwIfAborted();
    if (over.signal.aborted) return { status: "pending", itemId, stage: soon.stage };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function untilDecided(transport: Transport, itemId: string, until: number, signal: AbortSignal | undefined, answered = false): Promise<OutcomeAnswer> {
  let known = answered;
  for (;;) {
    signal?.throwIfAborted();
    const left = Math.max(0, until - performance.now());
    try {
      const answer = await transport.outcome(itemId, Math.min(left, SLICE_MS), signal);
      known = true;
      if (answer.status !== "pending" || performance.now() >= until) return answer;
    } catch (error) {
      if (!known || !(error instanceof CountersignError) || !error.retryable || signal?.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
