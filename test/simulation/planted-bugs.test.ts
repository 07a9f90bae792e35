import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { effectKeyOf } from "../../src/events/ids.ts";
import type * as Claims from "../../src/gateway/service/claims.ts";
import type * as Queries from "../../src/projector/queries.ts";
import type * as Dispatcher from "../../src/workers/dispatcher.ts";
import type * as Published from "../../src/workers/published-policies.ts";
import type * as Worker from "../../src/workers/worker.ts";

/** Histories that a bug may take to be seen. */
const MOST = 400;
const SEED = Number(process.env.COUNTERSIGN_SEED ?? 1);

type Module = { [name: string]: unknown };

/** A deviation in a worker or in the gateway: the module that it is in, and what it puts in the place of which functions. */
interface Bug {
  readonly module: string;
  readonly with: (original: never) => Module;
}

const NO_SWEEP = () => ({ name: "nothing", all: () => [], after: () => [] });
const NO_BAR = () => () => null;

/** What the dispatcher writes, changed. */
const dispatching =
  (change: (body: { itemId: string; outcome: string; actions: { actionId: string; argsSha256: string }[] }) => object) => (original: typeof Dispatcher) => ({
    dispatcher: ((queries, events, write, ...rest) =>
      original.dispatcher(
        queries,
        events,
        (topic, itemId, body) => write(topic, itemId, { ...body, ...change({ ...(body as never as { outcome: string; actions: never[] }), itemId }) } as never),
        ...rest,
      )) as typeof original.dispatcher,
  });

const BUGS: { readonly [bug: string]: Bug } = {
  "what is halted is granted": { module: "../../src/workers/halted.ts", with: () => ({ haltBar: NO_BAR }) },
  "what is granted is not taken back by a halt": { module: "../../src/workers/halted.ts", with: () => ({ haltSweep: NO_SWEEP }) },
  "the gateway takes starts and approvals under a halt": { module: "../../src/gateway/service/halt.ts", with: () => ({ mustNotBeHalted: () => {} }) },
  "a rejected branch is not swept": { module: "../../src/workers/branches.ts", with: () => ({ branchSweep: NO_SWEEP }) },
  "the clock is ahead of its deadlines": {
    module: "../../src/workers/worker.ts",
    with: (original: typeof Worker) => ({
      runWorker: ((name, context, write) =>
        original.runWorker(name, name === "timekeeper" ? { ...context, now: () => context.now() + 600_000 } : context, write)) as typeof original.runWorker,
    }),
  },
  "the effect key is that of each try": {
    module: "../../src/workers/dispatcher.ts",
    with: dispatching(({ itemId, actions }) => ({ actions: actions.map((a) => ({ ...a, effectKey: effectKeyOf(itemId, a.actionId, a.argsSha256) })) })),
  },
  "anybody takes over a claim": {
    module: "../../src/gateway/service/claims.ts",
    with: (_original: typeof Claims) => ({
      takesOver: (({ identity }, { life }, { lease }) =>
        lease?.takeOver === true && (life.verdict?.group.lease?.person ?? identity.id) !== identity.id) as typeof _original.takesOver,
    }),
  },
  "nobody looks at flags": {
    module: "../../src/projector/queries.ts",
    with: (original: typeof Queries) => ({
      openQueries: ((db) => {
        const queries = original.openQueries(db);
        return {
          ...queries,
          item: (itemId: string) => {
            const view = queries.item(itemId);
            return view === undefined ? undefined : { ...view, flagged: false };
          },
        };
      }) as typeof original.openQueries,
    }),
  },
  "a publication is not noticed": {
    module: "../../src/workers/published-policies.ts",
    with: (original: typeof Published) => ({
      publishedPolicies: ((queries) => original.publishedPolicies(queries, () => () => {})) as typeof original.publishedPolicies,
    }),
  },
};

describe("a bug planted in a worker or in the gateway is seen by the simulator", () => {
  const report: string[] = [];
  afterAll(() => console.log(report.join("\n")));
  afterEach(() => {
    for (const { module } of Object.values(BUGS)) vi.doUnmock(module);
    vi.resetModules();
  });

  test.each(Object.entries(BUGS))("%s", { timeout: 600_000 }, async (name, bug) => {
    vi.resetModules();
    vi.doMock(bug.module, async (importOriginal) => {
      const original = await importOriginal<Module>();
      return { ...original, ...bug.with(original as never) };
    });
    const { simulate } = await import("./simulate.ts");
    for (let seed = SEED; seed < SEED + MOST; seed++) {
      const { violation } = await simulate(seed);
      if (violation === null) continue;
      report.push(`${name}: history ${seed}: ${violation.split("\n")[0]}`);
      return;
    }
    expect.fail(`not seen in ${MOST} histories`);
  });
});
