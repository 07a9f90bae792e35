import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { type Deliveries, type DeliveryWay, openDeliveries, type Planned } from "../../src/local/deliveries.ts";
import { openKeys } from "../../src/local/keys.ts";
import { type LocalDb, openLocalDb } from "../../src/local/local-db.ts";

const opened: LocalDb[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const local of opened.splice(0)) local.close();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "countersign-deliveries-"));
  folders.push(path);
  return path;
}

/** As another process would open it. */
function open(data: string): Deliveries {
  const local = openLocalDb(data);
  opened.push(local);
  return openDeliveries(local, (...parts) => `msg:${parts.join(",")}`);
}

const notice = (key: string, owner: string | null = "role:lead") => ({ key, workspace: "support", owner, kind: "decide", body: `"${key}"` });
const plan = (way: DeliveryWay = "once", due = 0, channel = "chat"): Planned => ({ channel, action: "notify", due, way, zone: "UTC" });
const sent = { state: "sent", answer: "200" } as const;
const keys = (claimed: ReturnType<Deliveries["claim"]>) => claimed?.bodies.map((body) => JSON.parse(body));

/** Sends all that is due at a moment; gives what went together. */
function drain(store: Deliveries, now: number): string[][] {
  const out: string[][] = [];
  for (let claimed = store.claim(now, 1000, []); claimed !== undefined; claimed = store.claim(now, 1000, [])) {
    out.push([claimed.action, ...(keys(claimed) as string[])]);
    store.settle(claimed, sent, now);
  }
  return out;
}

describe("a notice", () => {
  it("is kept once, also where two processes find it, and after a restart", () => {
    const data = folder();
    const [a, b] = [open(data), open(data)];
    expect([a.record(notice("n1"), [plan()], 1), b.record(notice("n1"), [plan(), plan("once", 0, "mail")], 1)]).toEqual([true, false]);
    expect(drain(b, 10)).toEqual([["notify", "n1"]]);
    expect(open(data).record(notice("n1"), [plan()], 20)).toBe(false);
    expect(drain(a, 30)).toEqual([]);
  });

  it("has its place in a local.db of before there were any, which keeps its keys", () => {
    const data = folder();
    const old = new Database(join(data, "local.db"));
    old.exec(`CREATE TABLE key (key_id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, scope TEXT NOT NULL, id TEXT NOT NULL, roles TEXT NOT NULL, workspace TEXT NOT NULL,
      created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER, owner TEXT) WITHOUT ROWID;
      INSERT INTO key VALUES ('k1', x'00', 'reviewer', 'dana', '["lead"]', 'support', 1, NULL, NULL, NULL); PRAGMA user_version = 2;`);
    old.close();
    expect(open(data).record(notice("n1"), [plan()], 1)).toBe(true);
    expect(openKeys(opened[0] as LocalDb).listKeys()).toMatchObject([{ keyId: "k1", id: "dana", roles: ["lead"] }]);
  });

  it("that has ended is not sent, and is not begun again", () => {
    const store = open(folder());
    store.record(notice("n1"), [plan()], 1);
    store.end("n1", 2, "decided");
    expect(drain(store, 10)).toEqual([]);
    expect(store.list()).toMatchObject([{ state: "dropped", answer: "decided", at: 2 }]);
    expect(store.open()).toEqual([]);
    expect(store.record(notice("n1"), [plan()], 3)).toBe(false);
  });
});

describe("a claimed message", () => {
  it("belongs to one process; another gets it when that one has not said in time what became of it, under the same name", () => {
    const data = folder();
    const [a, b] = [open(data), open(data)];
    a.record(notice("n1"), [plan()], 0);
    const first = a.claim(10, 1000, []);
    expect(first).toMatchObject({ attempts: 1, bundle: "msg:chat,notify,n1" });
    expect(b.claim(1009, 1000, [])).toBeUndefined();
    expect(b.nextDue()).toBe(1010);
    expect(b.claim(1010, 1000, [])).toMatchObject({ attempts: 2, bundle: first?.bundle });
  });

  it("that was left behind is dropped where it was decided since", () => {
    const store = open(folder());
    store.record(notice("n1"), [plan()], 0);
    store.claim(10, 1000, []);
    store.end("n1", 20, "decided");
    expect(store.claim(2000, 1000, [])).toBeUndefined();
    expect(store.list()).toMatchObject([{ state: "dropped" }]);
  });

  it("that failed is tried again when it is due, and not at all where it was decided while it was under way", () => {
    const store = open(folder());
    for (const key of ["n1", "n2"]) store.record(notice(key), [plan()], 0);
    const [one, two] = [store.claim(10, 1000, []), store.claim(10, 1000, [])];
    store.end("n2", 15, "decided");
    for (const claimed of [one, two]) store.settle(claimed as NonNullable<typeof claimed>, { state: "due", answer: "503", due: 500 }, 20);
    expect(store.list({ failed: true })).toMatchObject([{ key: "n1", answer: "503", due: 500 }]);
    expect(drain(store, 499)).toEqual([]);
    expect(drain(store, 500)).toEqual([["notify", "n1"]]);
    expect(store.list().map(({ key, state }) => [key, state])).toEqual([
      ["n1", "sent"],
      ["n2", "dropped"],
    ]);
  });

  it("is of no channel that is busy", () => {
    const store = open(folder());
    store.record(notice("n1"), [plan("once", 0, "chat"), plan("once", 0, "mail")], 0);
    expect(store.claim(1, 1000, ["chat"])?.channel).toBe("mail");
    expect(store.claim(1, 1000, ["chat"])).toBeUndefined();
  });
});

describe("what goes together", () => {
  it("is what was gathered for one owner on one channel, and nobody else's", () => {
    const store = open(folder());
    for (const key of ["a1", "a2"]) store.record(notice(key), [plan("gathered", 100)], 0);
    store.record(notice("b1", "role:other"), [plan("gathered", 100)], 0);
    store.record(notice("c1", null), [plan("gathered", 100)], 0);
    expect(drain(store, 99)).toEqual([]);
    expect(drain(store, 100)).toEqual([
      ["notify", "a1", "a2"],
      ["notify", "b1"],
      ["notify", "c1"],
    ]);
  });

  it("is more than three that are due at the same moment; pages never", () => {
    const store = open(folder());
    for (const key of ["a", "b", "c"]) store.record(notice(key), [plan()], 0);
    expect(drain(store, 1)).toEqual([
      ["notify", "a"],
      ["notify", "b"],
      ["notify", "c"],
    ]);
    for (const key of ["d", "e", "f", "g"]) store.record(notice(key), [plan(), plan("page", 0, "pager")], 2);
    expect(
      drain(store, 3)
        .map((m) => m.length - 1)
        .sort(),
    ).toEqual([1, 1, 1, 1, 4]);
  });

  it("stays together and keeps its name on every attempt, whatever comes meanwhile", () => {
    const store = open(folder());
    for (const key of ["a", "b", "c", "d"]) store.record(notice(key), [plan()], 0);
    const first = store.claim(1, 1000, []);
    store.settle(first as NonNullable<typeof first>, { state: "due", answer: "503", due: 10 }, 2);
    for (const key of ["e", "f", "g", "h"]) store.record(notice(key), [plan("once", 5)], 5);
    const again = [store.claim(10, 1000, []), store.claim(10, 1000, [])].find((c) => c?.bundle === first?.bundle);
    expect(keys(again)).toEqual(["a", "b", "c", "d"]);
  });
});

describe("a page", () => {
  it("is resolved once, after it went out, when its notice ends", () => {
    const store = open(folder());
    store.record(notice("n1"), [plan("page", 0, "pager"), plan("once", 0, "chat")], 0);
    const page = store.claim(1, 1000, ["chat"]);
    // Decided while the page is under way: the resolution must not overtake it.
    store.end("n1", 2, "decided");
    expect(store.claim(3, 1000, ["chat"])).toBeUndefined();
    store.settle(page as NonNullable<typeof page>, sent, 4);
    expect(drain(store, 5)).toEqual([["resolve", "n1"]]);
    store.end("n1", 6, "decided");
    expect(drain(store, 7)).toEqual([]);
  });

  it("that never went out needs no resolution", () => {
    const store = open(folder());
    store.record(notice("n1"), [plan("page", 100, "pager")], 0);
    store.end("n1", 1, "decided");
    expect(drain(store, 1000)).toEqual([]);
  });
});

describe("what has failed", () => {
  it("becomes due again at a start, as long as it waits and its channel is there", () => {
    const store = open(folder());
    for (const key of ["n1", "n2", "n3"]) store.record(notice(key), [plan("once", 0, key === "n3" ? "gone" : "chat")], 0);
    for (let claimed = store.claim(1, 1000, []); claimed !== undefined; claimed = store.claim(1, 1000, []))
      store.settle(claimed, { state: "failed", answer: "410" }, 2);
    store.end("n2", 3, "decided");
    expect(store.list({ failed: true })).toHaveLength(3);
    expect(store.revive(["chat"], 10)).toBe(1);
    expect(drain(store, 10)).toEqual([["notify", "n1"]]);
  });

  it("and what was sent is forgotten some time after it has ended, and not before", () => {
    const store = open(folder());
    store.record(notice("n1"), [plan()], 0);
    store.record(notice("n2"), [plan()], 0);
    drain(store, 1);
    store.end("n1", 100, "decided");
    store.forget(100);
    expect(store.list()).toHaveLength(2);
    store.forget(101);
    expect(store.list().map(({ key }) => key)).toEqual(["n2"]);
  });
});
