import { CountersignError, messageOf } from "../errors.ts";
import type { Claimed, Deliveries, Planned } from "../local/deliveries.ts";
import { type Channel, SendFailed, safeText } from "../notify/channels/channel.ts";
import { type NotifyConfig, routeFor } from "../notify/config.ts";
import type { Message, Notice } from "../notify/notice.ts";
import { dueOf } from "../notify/schedule.ts";
import { wordsOf } from "../notify/words.ts";
import type { FoldedBatch } from "../projector/fold-batch.ts";
import type { Notices } from "./notices.ts";
import type { RunningWorker } from "./worker.ts";

/** What the notifier works with. */
export interface NotifierContext {
  readonly notices: Notices;
  readonly deliveries: Deliveries;
  readonly channels: ReadonlyMap<string, Channel>;
  readonly config: NotifyConfig;
  readonly onFolded: (listener: (batch: FoldedBatch) => void) => () => void;
  readonly now: () => number;
  /** Hears of trouble in sentences. Nothing that goes wrong here reaches anybody else. */
  readonly onTrouble: (sentence: string) => void;
  /** Pause before the second attempt, in milliseconds; each further one is twice as long, up to a quarter of an hour (a pager: a minute). Default 5000. */
  readonly retryMs?: number;
}

const RETRY_MS = 5_000;
/** Longest pause between attempts in milliseconds, and how many there are: about a day, for a pager more often. */
const TELLING = { longest: 15 * 60_000, most: 100 };
const PAGING = { longest: 60_000, most: 1500 };
const PAGERS: ReadonlySet<string> = new Set(["pagerduty", "opsgenie"]);
/** Messages under way on one channel at a time: a channel that is slow holds up nobody else's. */
const MOST_SENDING = 2;
/** What changes within this time is looked at together. */
const GATHER_MS = 50;
const LONGEST_SLEEP_MS = 1_000;
/** Items that are looked at in one go, before others have their turn. */
const MOST_ITEMS = 100;
/** Beyond what a channel may take to answer, before somebody else may try. */
const LEASE_MARGIN_MS = 30_000;
/** How long what is under way may take to end at the stop: what is broken off is sent again at the next start. */
const GRACE_MS = 3_000;
/** How long ended notices are kept to be looked at. */
const KEPT_MS = 90 * 86_400_000;

/**
 * Tells owners what waits for them. What is to be noticed comes from the views, what was noticed lies in local.db: a restart, a rebuild or
 * a second notifier on the same folder finds it there. A crash between sending and writing down that it was sent leads to a second
 * delivery under the same id.
 */
export function runNotifier(context: NotifierContext): RunningWorker {
  const { notices, deliveries, config, channels, now, onTrouble } = context;
  /** Those that still ask for something, by key, and the keys by item. */
  const open = new Map<string, Notice>();
  const byItem = new Map<string, Set<string>>();
  const changed = new Set<string>();
  /** Items that nothing but the time will bring up, and when. */
  const coming = new Map<string, number>();
  const sending = new Map<string, number>();
  /** Channels that failed, and until when they are left alone: what comes meanwhile goes out as one message once they are well. */
  const ailing = new Map<string, { failures: number; until: number }>();
  /** What is found and not kept yet. */
  let writes: (() => void)[] = [];
  const active = new Set<Promise<void>>();
  /** Breaks off what is under way. */
  const cut = new AbortController();
  let stopped = false;
  /** All that waits, where it is looked through: at the start, when the views were made again, and after trouble. */
  let scan: Generator<readonly Notice[]> | "from the beginning" | undefined = "from the beginning";
  let looking: NodeJS.Timeout | undefined;
  let waking: NodeJS.Timeout | undefined;

  function look(): void {
    looking = undefined;
    if (stopped) return;
    const done = guarded(() => {
      lookAtSome();
      const found = writes;
      if (found.length > 0)
        deliveries.atomically(() => {
          for (const write of found) write();
        });
      return true;
    });
    writes = [];
    // What was remembered of it was not kept.
    if (done === undefined) scan = "from the beginning";
    if (done === undefined) soon(LONGEST_SLEEP_MS);
    else if (changed.size > 0 || scan !== undefined) soon(0);
    pump();
  }

  function lookAtSome(): void {
    if (scan === "from the beginning") scan = begin();
    let looked = 0;
    for (const itemId of changed) {
      if (looked++ === MOST_ITEMS) break;
      lookAt(itemId);
      changed.delete(itemId);
    }
    for (let i = 0; scan !== undefined && i < MOST_ITEMS; i++) {
      const { value, done } = scan.next();
      if (done === true) scan = undefined;
      else for (const notice of value) take(notice);
    }
  }

  function begin(): Generator<readonly Notice[]> {
    open.clear();
    byItem.clear();
    coming.clear();
    for (const [itemId, at] of notices.coming()) coming.set(itemId, at);
    for (const { body } of deliveries.open()) remember(JSON.parse(body) as Notice);
    for (const itemId of byItem.keys()) changed.add(itemId);
    return notices.all();
  }

  function lookAt(itemId: string): void {
    for (const key of [...(byItem.get(itemId) ?? [])]) {
      const notice = open.get(key);
      if (notice !== undefined && !notices.stands(notice)) end(notice);
    }
    for (const notice of notices.of(itemId)) take(notice);
  }

  function take(notice: Notice): void {
    if (open.has(notice.key)) return;
    const { key, workspace, owner, kind } = notice;
    const [planned, at] = [plan(notice), now()];
    // What nobody is told of is not kept as told: a configuration that knows whom to tell finds it at its start.
    if (planned.length > 0) writes.push(() => deliveries.record({ key, workspace, owner, kind, body: JSON.stringify(notice) }, planned, at));
    remember(notice);
  }

  function end(notice: Notice): void {
    const at = now();
    writes.push(() => deliveries.end(notice.key, at, "decided, or gone on, before it was sent"));
    open.delete(notice.key);
    for (const itemId of notice.items) {
      const keys = byItem.get(itemId);
      keys?.delete(notice.key);
      if (keys?.size === 0) byItem.delete(itemId);
    }
  }

  function remember(notice: Notice): void {
    open.set(notice.key, notice);
    for (const itemId of notice.items) byItem.set(itemId, (byItem.get(itemId) ?? new Set()).add(notice.key));
  }

  function plan(notice: Notice): Planned[] {
    const route = routeFor(config, notice);
    if (route === undefined) return [];
    const { zone } = route.rhythm;
    const pages = notice.page ? route.page : [];
    const page = pages.map((channel): Planned => ({ channel, action: "notify", due: now(), way: "page", zone }));
    const told = route.notify
      .filter(({ channel }) => !pages.includes(channel))
      .map(({ channel, pace }): Planned => {
        // Where nobody can be paged, whoever is told is told at once.
        const { at, gathered } = notice.page && pages.length === 0 ? { at: now(), gathered: false } : dueOf(notice, now(), route.rhythm, pace);
        return { channel, action: "notify", due: at, way: gathered ? "gathered" : "once", zone };
      });
    return [...page, ...told];
  }

  /** Sends what is due, and sets the time to look again. */
  function pump(): void {
    clearTimeout(waking);
    if (stopped) return;
    for (const [itemId, at] of coming) {
      if (at > now()) continue;
      coming.delete(itemId);
      changed.add(itemId);
      soon(0);
    }
    guarded(() => {
      const due = deliveries.nextDue();
      if (due === null || due > now()) return;
      for (let claimed = claim(); claimed !== undefined; claimed = claim()) send(claimed);
    });
    const next = guarded(() => deliveries.nextDue()) ?? Number.POSITIVE_INFINITY;
    // What is due and was not taken waits for a channel that is busy, whose end is heard of, or that is left alone for a while.
    const left = next - now();
    waking = setTimeout(pump, left > 0 ? Math.min(LONGEST_SLEEP_MS, left) : LONGEST_SLEEP_MS);
    waking.unref();
  }

  function claim(): Claimed | undefined {
    const full = [...sending].filter(([, n]) => n >= MOST_SENDING);
    const held = [...ailing].filter(([, { until }]) => until > now());
    return deliveries.claim(
      now(),
      leaseMs(),
      [...full, ...held].map(([name]) => name),
    );
  }

  function send(claimed: Claimed): void {
    const work = attempt(claimed).finally(() => {
      active.delete(work);
      pump();
    });
    active.add(work);
  }

  function leaseMs(): number {
    return LEASE_MARGIN_MS + Math.max(0, ...[...channels.values()].map(({ timeoutMs }) => timeoutMs));
  }

  async function attempt(claimed: Claimed): Promise<void> {
    const { channel: name, action, zone, bundle } = claimed;
    const channel = channels.get(name);
    sending.set(name, (sending.get(name) ?? 0) + 1);
    let result: Parameters<Deliveries["settle"]>[1];
    try {
      if (channel === undefined) throw new SendFailed("the configuration has no such channel any more", { final: true });
      const message: Message = { id: bundle, action, zone, notices: claimed.bodies.map((body) => contentOf(JSON.parse(body) as Notice, action)) };
      const signal = AbortSignal.any([cut.signal, AbortSignal.timeout(channel.timeoutMs)]);
      const answer = await channel.send(message, wordsOf(message, config.link), signal);
      result = { state: "sent", answer: safeText(answer, channel.secrets) };
      ailing.delete(name);
    } catch (error) {
      result = failure(claimed, error);
    }
    sending.set(name, (sending.get(name) ?? 1) - 1);
    guarded(() => deliveries.settle(claimed, result, now()));
  }

  /** What was noticed, as it is when it is sent: some of a batch may be decided since. What is resolved is told as it was. */
  function contentOf(noticed: Notice, action: Message["action"]): Notice {
    return action === "resolve" ? noticed : (guarded(() => notices.now(noticed)) ?? noticed);
  }

  function failure({ channel: name, attempts }: Claimed, error: unknown): Parameters<Deliveries["settle"]>[1] {
    // Ended by us, whatever the receiver would have said: the next start tries again.
    if (cut.signal.aborted) return { state: "due", answer: "interrupted: the notifier stopped", due: now() };
    const channel = channels.get(name);
    const answer = safeText(messageOf(error), channel?.secrets ?? []);
    const { longest, most } = PAGERS.has(channel?.type ?? "") ? PAGING : TELLING;
    const over = attempts >= most || (error instanceof SendFailed && error.final);
    onTrouble(`Channel ${name}: ${answer}${over ? "; it is not tried again" : ""}`);
    if (over) return { state: "failed", answer };
    const asked = error instanceof SendFailed ? (error.retryAfterMs ?? 0) : 0;
    const failures = (ailing.get(name)?.failures ?? 0) + 1;
    ailing.set(name, { failures, until: now() + Math.max(asked, pauseAfter(failures, longest)) });
    return { state: "due", answer, due: now() + Math.max(asked, pauseAfter(attempts, longest)) };
  }

  /** Spread, so that all that failed together does not come back together. */
  function pauseAfter(failures: number, longest: number): number {
    const pause = Math.min((context.retryMs ?? RETRY_MS) * 2 ** Math.min(failures - 1, 20), longest);
    return Math.round(pause * (0.8 + 0.4 * Math.random()));
  }

  /** A disk that is full or a file that is locked must not end the process that keeps the ledger. */
  function guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      onTrouble(`Notices: ${messageOf(error instanceof CountersignError ? error : new CountersignError("internal", messageOf(error), { cause: error }))}`);
      return undefined;
    }
  }

  function soon(ms: number): void {
    if (looking !== undefined || stopped) return;
    looking = setTimeout(look, ms);
    looking.unref();
  }

  const unsubscribe = context.onFolded(({ items, owed, rebuilt }) => {
    if (rebuilt) scan = "from the beginning";
    for (const itemId of items) {
      changed.add(itemId);
      const start = owed.get(itemId)?.find(({ duty }) => duty === "start");
      if (start === undefined) coming.delete(itemId);
      else coming.set(itemId, start.due);
    }
    soon(GATHER_MS);
  });
  guarded(() => {
    deliveries.forget(now() - KEPT_MS);
    deliveries.revive([...channels.keys()], now());
  });
  soon(0);
  return {
    wake: () => {
      soon(0);
      pump();
    },
    async stop() {
      stopped = true;
      unsubscribe();
      clearTimeout(looking);
      clearTimeout(waking);
      const grace = setTimeout(() => cut.abort(), GRACE_MS);
      await Promise.allSettled(active);
      clearTimeout(grace);
    },
  };
}
