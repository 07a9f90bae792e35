import { flushCompileCache } from "node:module";
import { CountersignError } from "../../errors.ts";
import { type Gateway, startGateway } from "../../gateway/server.ts";
import type { Notifications } from "../../gateway/service/ledger.ts";
import { type Keys, openKeys } from "../../local/keys.ts";
import { openLocalDb } from "../../local/local-db.ts";
import { lockData } from "../../local/lock.ts";
import { parseLogUrl } from "../../log/url.ts";
import { LAST_OWNER } from "../../policy/document/defaults.ts";
import type { Publishable } from "../../policy/document/publish.ts";
import { type Ledger, openLedger } from "../../runtime.ts";
import { type Cli, SELF } from "../io.ts";
import { ownersByWorkspace, roleOf } from "../policy-people.ts";
import { type PolicyRow, publishPolicies, readPolicies } from "../publish.ts";
import { oneLine, plural } from "../text.ts";
import { type WhereOptions, whereOf } from "../where.ts";
import { keepHeapSmall } from "./memory.ts";
import { type Notifying, readNotifying, startNotifying, tellNotifying } from "./notifying.ts";
import { troubleTeller } from "./trouble.ts";

/** Options of `up`. */
export interface UpOptions extends WhereOptions {
  readonly port: number;
  readonly host: string;
  readonly policy?: string[];
  readonly demo?: boolean;
  /** File that says who is told what waits for them, and how. */
  readonly notify?: string;
}

const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1"]);

/** Runs until the signal, or until the log must not be followed any more. @throws CountersignError as openLedger; conflict when the folder or the port is in use */
export async function runUp(cli: Cli, options: UpOptions): Promise<void> {
  // Since the process began, so that a slow start can be explained.
  const startMs = { loaded: Math.round(performance.now()), opened: 0, caughtUp: 0, listening: 0 };
  const reached = (part: keyof typeof startMs) => {
    startMs[part] = Math.round(performance.now());
  };
  const { log, data } = whereOf(cli.io, options);
  // All that can be wrong with the command line is told before anything is opened.
  const { kind, text: shownLog } = parseLogUrl(log);
  if (options.demo === true && kind === "kafka")
    throw new CountersignError("usage", "The demo keeps to the embedded log", {
      field: "--log",
      value: log,
      fix: "leave out --log and COUNTERSIGN_LOG, or --demo",
    });
  const companion = options.demo === true ? await import("../demo/demo.ts").then(({ demo }) => demo(cli, data)) : undefined;
  const documents = [...readPolicies(options.policy ?? []), ...(companion?.policies ?? [])];
  const notifying = options.notify === undefined ? undefined : await readNotifying(cli, options.notify);
  keepHeapSmall();
  const who = { pid: process.pid, what: "up", log: shownLog, since: cli.io.now() };
  const lock = lockData(data, who);
  const closing: (() => Promise<void> | void)[] = [() => lock.release()];
  try {
    const ledger = await openLedger({ log, data, onTrouble: troubleTeller(cli) });
    closing.unshift(() => ledger.close());
    reached("opened");
    const policies = await catchUp(cli, ledger, documents);
    reached("caughtUp");
    // Written at the end of a process by itself, which a server that is killed never comes to. Only the first start of a version has something to write.
    flushCompileCache();
    const local = openLocalDb(data);
    closing.splice(1, 0, () => local.close());
    const keys = openKeys(local);
    const notified = await startNotifying(cli, ledger, data, notifying);
    closing.unshift(() => notified.close());
    const gateway = await listen(cli, ledger, options, { keys, notified, slack: notifying?.config.slack });
    closing.unshift(() => gateway.close());
    reached("listening");
    lock.tell({ ...who, url: gateway.url });
    tell(cli, { url: gateway.url, data, ledger, policies, keys, notifying, startMs }, options);
    const stop = await companion?.start({ ledger, keys, url: gateway.url, data });
    if (stop !== undefined) closing.unshift(stop);
    await Promise.race([ledger.ended, aborted(cli.io.signal)]);
    cli.say("Stopping.");
  } finally {
    for (const close of closing) await close();
  }
}

/** Folds what is there, publishes what has changed, and only then lets the workers begin: they judge with the documents of this start. */
async function catchUp(cli: Cli, ledger: Ledger, documents: readonly Publishable[]): Promise<PolicyRow[]> {
  const progress = (n: number) => cli.progress(`catching up with the log: ${n} records folded`);
  await ledger.projector.catchUp(cli.io.signal, progress);
  cli.io.signal.throwIfAborted();
  const policies = await publishPolicies(ledger, documents);
  await ledger.start({ progress });
  cli.progress(null);
  return policies;
}

interface Serving {
  readonly keys: Keys;
  readonly notified: Notifications;
  readonly slack: NonNullable<Notifying["config"]>["slack"];
}

async function listen(cli: Cli, ledger: Ledger, { host, port }: UpOptions, { keys, notified, slack }: Serving): Promise<Gateway> {
  try {
    return await startGateway(ledger, { host, port, local: keys, notifications: notified, slack, report: (line) => cli.note(`FAULT ${oneLine(line)}`) });
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "unavailable") throw error;
    // To a client `unavailable` says that nobody answers. Here somebody else does.
    const { message, cause, value, fix = "choose another --port or --host" } = error;
    throw new CountersignError("conflict", message, { cause, field: "--port", value, fix });
  }
}

interface Started {
  readonly url: string;
  readonly data: string;
  readonly ledger: Ledger;
  readonly policies: readonly PolicyRow[];
  readonly keys: Keys;
  readonly notifying: Notifying | undefined;
  /** When the parts of the start were over, in milliseconds since the process began. */
  readonly startMs: Readonly<Record<"loaded" | "opened" | "caughtUp" | "listening", number>>;
}

function tell(cli: Cli, { url, data, ledger, policies, keys, notifying, startMs }: Started, { host, demo }: UpOptions): void {
  const { queries, log } = ledger;
  const inForce = queries.policies();
  const { stages } = queries.counts();
  if (!LOOPBACK.has(host)) cli.note(`WARNING it listens on ${oneLine(host)} without TLS: keys cross the network readable unless a proxy stands before it.`);
  if (cli.json()) cli.data({ url, log: log.url, data, policies, notify: notifying === undefined ? null : [...notifying.channels.keys()], startMs });
  const waiting = stages.pending ?? 0;
  const lines = [
    `Countersign answers at ${url}`,
    `  log ${oneLine(log.url)}, data ${oneLine(data)}`,
    `  ${plural(inForce.length, "policy", "policies")} in force${inForce.length > 0 ? `: ${oneLine(inForce.map((p) => p.policyId).join(", "))}` : ""}`,
    ...policies
      .filter((p) => p.status === "published")
      .map((p) => `  published ${oneLine(p.policyId)} ${oneLine(p.version)} for workspace ${oneLine(p.workspace)}`),
    ...policies
      .filter((p) => p.status === "proposed")
      .map((p) => `  proposed ${oneLine(p.policyId)} ${oneLine(p.version)}: it is in force once somebody approves it: ${SELF} show ${p.itemId}`),
    ...tellNotifying(notifying, inForce).map((line) => `  ${oneLine(line)}`),
    ...(waiting > 0 ? [`  ${waiting === 1 ? "1 item waits" : `${waiting} items wait`} for a decision: ${SELF} queue`] : []),
    ...(inForce.length === 0 ? ["  Without a policy every action waits for a person: publish one with --policy FILE"] : []),
    ...(demo !== true && keys.listKeys().every((k) => k.revokedAt !== null) ? [noKeys(data, inForce)] : []),
  ];
  cli.say(lines.join("\n"));
}

/** Keys that fit the policies in force: those of another workspace, or of a role that nobody asks, could do nothing. */
function noKeys(data: string, inForce: readonly { workspace: string; document: string }[]): string {
  const where = data === "data" ? "" : ` --data ${data}`;
  const owners = inForce.length === 0 ? new Map([["default", [LAST_OWNER]]]) : ownersByWorkspace(inForce);
  const lines = [...owners].flatMap(([workspace, all]) => {
    const key = (scope: string, id: string, roles = "") => `${SELF} keys create --workspace ${workspace} --scope ${scope} --id ${id}${roles}${where}`;
    const roles = all.flatMap((owner) => roleOf(owner) ?? []);
    return [key("agent", "my-agent"), key("reviewer", "me", roles.length === 0 ? "" : ` --roles ${roles.join(",")}`), key("executor", "my-executor")];
  });
  return ["  There are no keys yet, so nobody can use it. Make some, in another terminal:", ...lines.map(oneLine).map((line) => `    ${line}`)].join("\n");
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
