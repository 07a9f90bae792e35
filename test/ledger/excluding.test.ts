import { describe, expect, test } from "vitest";
import { SCHEMA_TEXT } from "../../src/events/schemas.generated.ts";
import { TOPICS, type Topic } from "../../src/events/topics.ts";
import { MOVES } from "../../src/ledger/lifecycle.ts";
import { SETTINGS, type Setting } from "./excluding/settings.ts";
import { ALL, EXCLUDES } from "./excluding/table.ts";
import { ITEM, visitInterleavings } from "./generator.ts";
import { difference, digestOf, entriesOf, foldDelivery } from "./harness.ts";
import { judgeHistory, type Logs, type Loose } from "./oracle.ts";

/** A setting with siblings in this order, and what answers them in this order. */
function logsOf({ topic, base, next, calls = {} }: Setting, siblings: readonly string[], answered: readonly string[] = []): Logs {
  const out: { [T in Topic]?: (Loose | null)[] } = {};
  for (const t of TOPICS) out[t] = [...(base[t] ?? [])];
  out[topic]?.push(...siblings.map((name) => next[name] as Loose));
  for (const name of answered) if (calls[name]) out[topicOf(calls[name])]?.push(calls[name]);
  return out;
}

function topicOf(event: Loose): Topic {
  return "route" in event ? "verdicts" : "notAfter" in event ? "resumes" : "resultSha256" in event ? "receipts" : "scope" in event ? "decisions" : "proposals";
}

const lengthOf = (logs: Logs) => Object.values(logs).flat().length;

const keyIn = ({ topic, next }: Setting, name: string) => `${topic}/${(next[name] as Loose).eventId}`;

/** What the fold makes of siblings in this order. */
function statuses(setting: Setting, ...siblings: string[]): readonly (string | undefined)[] {
  const logs = logsOf(setting, siblings);
  const delivery = TOPICS.flatMap((topic) => (logs[topic] ?? []).map((_, offset) => [topic, offset] as const));
  const { events } = foldDelivery(ITEM, entriesOf(logs), delivery);
  return siblings.map((name) => events[keyIn(setting, name)]);
}

const isAlive = (setting: Setting, name: string) => statuses(setting, name)[0] === "effective";

/** The names that an event excludes, by the table. */
function excludedBy(setting: Setting, name: string): readonly string[] {
  const others = Object.keys(setting.next).filter((other) => other !== name && other !== "clear" && isAlive(setting, other));
  const said = EXCLUDES[setting.title]?.[name] ?? [];
  return said === ALL ? others : said;
}

/** Folds every interleaving, compares each with the rules, and gives their number. */
function foldAll(logs: Logs, due: string): number {
  const entries = entriesOf(logs);
  let count = 0;
  visitInterleavings(logs, (delivery) => {
    const got = digestOf(foldDelivery(ITEM, entries, delivery));
    if (got !== due) expect.fail(`${delivery.map((p) => p.join("@")).join(" ")}\n- rules, + fold\n${difference(due, got)}`);
    count++;
    return true;
  });
  return count;
}

const kindOf = ({ kind, outcome, route, ask }: Loose): string => kind ?? outcome ?? route ?? ask;

describe("the table of events that exclude each other", () => {
  test("has every setting, and in each what may come next", () => {
    expect(Object.keys(EXCLUDES).sort()).toEqual(SETTINGS.map(({ title }) => title).sort());
    for (const setting of SETTINGS) {
      const alive = Object.keys(setting.next).filter((name) => isAlive(setting, name));
      expect([setting.title, Object.keys(EXCLUDES[setting.title] ?? {}).sort()]).toEqual([setting.title, alive.sort()]);
    }
  });

  test("has exactly the pairs that the fold has", () => {
    let pairs = 0;
    for (const setting of SETTINGS) {
      const names = Object.keys(setting.next).filter((name) => isAlive(setting, name));
      for (const one of names) {
        const excluded = names.filter((other) => other !== one && statuses(setting, one, other)[1] !== "effective");
        expect([setting.title, one, excluded.sort()]).toEqual([setting.title, one, [...excludedBy(setting, one)].sort()]);
        pairs += excluded.length;
      }
    }
    expect(pairs).toBeGreaterThan(250);
  });

  test("knows every kind of event that moves an item, and every kind that decisions and receipts have", () => {
    const known = new Set(
      SETTINGS.flatMap(({ topic, next, calls = {} }) => [
        ...Object.values(next).map((event) => `${topic} ${kindOf(event)}`),
        ...Object.values(calls).map((event) => `${topicOf(event)} ${kindOf(event)}`),
      ]),
    );
    const symbols = (topic: "decisions" | "receipts") => {
      const { fields } = JSON.parse(SCHEMA_TEXT[topic]) as { fields: { name: string; type: { symbols: string[] } }[] };
      return (fields.find(({ name }) => name === "kind")?.type.symbols ?? []).filter((kind) => kind !== "unrecognized").map((kind) => `${topic} ${kind}`);
    };
    // Questions and notices are proposals as any other: a group of proposals looks at their content only.
    const moves = MOVES.flatMap(({ topic, kinds }) => kinds.map((kind) => `${topic} ${kind}`)).filter((name) => !/proposals (question|notify)/.test(name));
    expect([...moves, ...symbols("decisions"), ...symbols("receipts")].filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("of events that exclude each other the first in the log stands, whatever the interleaving", () => {
  for (const setting of SETTINGS)
    test(setting.title, { timeout: 300_000 }, () => {
      const names = Object.keys(setting.next);
      const closes = (name: string) => EXCLUDES[setting.title]?.[name] === ALL;
      const excluded = new Map(names.map((name) => [name, new Set(excludedBy(setting, name))]));
      const excludes = (one: string, other: string) => excluded.get(one)?.has(other) === true;
      const seen = new Set<string>();
      let folds = 0;
      for (const one of names)
        for (const other of names) {
          if (one === other || !(excludes(one, other) || excludes(other, one))) continue;
          // The two alone, with what they call for: in either order, or one at a time where all of it has too many interleavings.
          const both = [
            [one, other],
            [other, one],
          ];
          for (const called of lengthOf(setting.base) < 4 ? both : [[one], [other]]) {
            const logs = logsOf(setting, [one, other], called);
            const due = judgeHistory(logs);
            if (excludes(one, other)) {
              expect([due.events[keyIn(setting, one)], due.events[keyIn(setting, other)]]).toEqual(["effective", expect.not.stringMatching("effective")]);
              const lost = called.includes(other) ? setting.calls?.[other] : undefined;
              if (lost) expect(due.events[`${topicOf(lost)}/${lost.eventId}`]).toBe("illegal");
            }
            folds += foldAll(logs, digestOf(due));
          }
          // With any other before, between and behind them.
          for (const third of names)
            for (const order of [
              [third, one, other],
              [one, third, other],
              [one, other, third],
            ]) {
              if (third === one || third === other || seen.has(order.join())) continue;
              seen.add(order.join());
              const logs = logsOf(setting, order);
              const due = judgeHistory(logs);
              expect(order.filter((name) => closes(name) && due.events[keyIn(setting, name)] === "effective").length, order.join()).toBeLessThan(2);
              folds += foldAll(logs, digestOf(due));
            }
        }
      if ([...excluded.values()].some((others) => others.size > 0)) expect(folds).toBeGreaterThan(20);
    });
});
