import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rebuildViews } from "../../src/projector/rebuild.ts";
import { viewsOptions } from "../../src/runtime.ts";
import { MINUTE, openBench } from "../support/bench-ledger.ts";
import { ledgerKinds, type Place } from "../support/ledgers.ts";
import { differences, dumpFile, dumpOf } from "../support/views.ts";

for (const kind of await ledgerKinds()) {
  describe.skipIf(kind.why !== null)(`views of ${kind.name}`, () => {
    let place: Place;
    beforeAll(async () => {
      place = await kind.place();
    });
    afterAll(() => place?.remove());

    test("made live by workers, by another process at its own pace, and by a rebuild are equal row for row", async () => {
      const bench = await openBench({ log: place.log, data: join(place.data, "live") });
      await bench.publish();
      const items: string[] = [];
      for (let i = 0; i < 8; i++)
        items.push(
          await bench.propose(`k${i}`, ["refund", "note", "ladder", "secret"][i % 4] as string, i % 4 === 0 ? { order: "o", amount: i } : { text: "x" }),
        );
      await bench.ledger.log.append([{ topic: "verdicts", key: items[2] as string, value: Buffer.from("rubbish") }]);
      await bench.decide(items[0] as string, "approve");
      await bench.receipt(items[0] as string, "started");
      await bench.receipt(items[0] as string, "succeeded");
      await bench.decide(items[4] as string, "reject");
      await bench.at(bench.clock.now + 20 * MINUTE);
      const { log, registry, codec, projector, queries, events } = bench.ledger;
      expect(queries.counts().outcomes).toEqual({ succeeded: 1, refused: 1, forbidden: 2 });
      expect(queries.item(items[2] as string)?.flagged).toBe(true);
      const options = viewsOptions({ log, registry, codec }, join(place.data, "rebuilt"));
      const appended = (await log.heads()).reduce((sum, { next }) => sum + next, 0);
      expect(await rebuildViews(options)).toBe(appended);
      expect(differences(dumpOf(projector), dumpFile(options.path))).toEqual([]);
      const other = await openBench({ log: place.log, data: join(place.data, "other"), workers: [] });
      expect(differences(dumpOf(projector), dumpOf(other.ledger.projector))).toEqual([]);
      // Of a done item, read from the log by a process that has not seen it live.
      const proposal = bench.view(items[0] as string).item.proposal as string;
      expect(await other.ledger.events.get(items[0] as string, "proposals", proposal)).toEqual(await events.get(items[0] as string, "proposals", proposal));
    });

    test("are opened again where they stopped, and a decision made in between is found", async () => {
      const data = join(place.data, "again");
      const first = await openBench({ log: place.log, data, workers: ["policy"] });
      await first.publish();
      const item = await first.propose("again", "refund", { order: "o", amount: 1 });
      await first.stop("policy");
      await first.ledger.close();
      const beside = await openBench({ log: place.log, data: join(place.data, "beside"), workers: [] });
      await beside.decide(item, "approve");
      const second = await openBench({ log: place.log, data, workers: ["dispatcher"] });
      await second.quiet();
      expect(second.story(item)).toEqual([
        "proposals review effective",
        "verdicts interrupt effective",
        "decisions approve effective",
        "resumes proceed effective",
      ]);
    });
  });
}
