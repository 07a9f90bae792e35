import { CountersignError } from "../errors.ts";
import type { Json } from "../events/canonical.ts";
import type { ItemView } from "../producers/wire/answers.ts";
import { objectArgument, textArgument } from "./args.ts";
import type { Io } from "./io.ts";
import { setAt } from "./pointer.ts";

/** Options of `decide`. */
export interface DecideOptions {
  approve?: boolean;
  edit?: string;
  editArgs?: string;
  reject?: boolean;
  respond?: string;
  acknowledge?: boolean;
  drop?: string[];
  order?: string[];
  branch?: boolean;
  step?: string[];
  takeOver?: boolean;
  standing?: string;
  max?: number;
  upTo?: string;
  for?: number;
  claim?: boolean;
  release?: boolean;
  withdraw?: boolean;
  settle?: string;
  report?: string;
  clear?: string;
  message?: string;
  reason?: string[];
  score?: string[];
  url?: string;
  ref?: { system: string; id: string; url?: string };
  receipt?: string;
  action?: string;
  minutes?: number;
  seen?: string;
  yes?: boolean;
}

/** A decision that still needs the item it is about. */
export interface Plan {
  readonly kind: string;
  /** What is decided, for people. */
  readonly words: string;
  /** The request. @throws CountersignError stale, usage, not_judged_yet */
  bodyFor(item: ItemView): Record<string, unknown>;
}

const WAYS = ["approve", "edit", "editArgs", "reject", "respond", "acknowledge", "claim", "release", "withdraw", "settle", "report", "clear"] as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SEEN = new Set(["approve", "edit", "reject", "respond", "acknowledge"]);

/** Reads what is meant from the options. @throws CountersignError usage, json_* */
export async function decisionOf(io: Io, options: DecideOptions): Promise<Plan> {
  const given = WAYS.filter((way) => options[way] !== undefined);
  const reshapes = options.drop !== undefined || options.order !== undefined;
  const ways = reshapes && given.length === 0 ? (["edit"] as const) : given;
  const [way] = ways;
  if (way === undefined || ways.length > 1)
    throw usage(
      way === undefined ? "Nothing is decided" : `${ways.map(flag).join(" and ")} exclude each other`,
      flag(ways[1] ?? "approve"),
      `give exactly one of ${WAYS.map(flag).join(", ")}`,
    );
  checkCompanions(way, options);
  const kind = way === "editArgs" ? "edit" : way;
  const changed =
    (way === "edit" || way === "editArgs") && options[way] !== undefined ? await objectArgument(io, options[way] as string, flag(way)) : undefined;
  const respond = options.respond === undefined ? undefined : await textArgument(io, options.respond, "--respond");
  const message = respond ?? options.message;
  const fixed = {
    kind,
    ...(message !== undefined && { message }),
    ...(options.reason !== undefined && { reasonCodes: options.reason }),
    ...(options.score !== undefined && { scores: options.score.map(scoreOf) }),
    ...(options.clear !== undefined && { cleared: options.clear.toLowerCase() }),
    ...(options.settle !== undefined && { settlement: { outcome: options.settle, ...(options.ref !== undefined && { externalRef: options.ref }) } }),
    ...(options.receipt !== undefined && { receipt: options.receipt.toLowerCase() }),
    ...(options.report !== undefined && { incident: { severity: options.report, ...(options.url !== undefined && { url: options.url }) } }),
    ...(options.standing !== undefined && { standing: standingOf(io, options) }),
    ...(options.drop !== undefined && { dropped: options.drop }),
    ...(options.order !== undefined && { order: options.order }),
    ...(options.branch === true && { scope: "branch" }),
    ...(options.step !== undefined && { steps: options.step }),
    ...((options.minutes !== undefined || options.takeOver === true) && {
      lease: { ...(options.minutes !== undefined && { minutes: options.minutes }), ...(options.takeOver === true && { takeOver: true }) },
    }),
    ...(SEEN.has(kind) && { review: { channel: "cli" } }),
  };
  return {
    kind,
    words: WORDS[kind] ?? kind,
    bodyFor(item) {
      const { verdict } = item;
      return {
        ...fixed,
        ...(verdict && kind !== "settle" && kind !== "report" && { verdict: verdict.eventId }),
        ...(SEEN.has(kind) && { seen: { cardSha256: cardSeen(item, options.seen) } }),
        ...(changed !== undefined && { edits: editsOf(item, options.action, way as "edit" | "editArgs", changed) }),
      };
    },
  };
}

const WORDS: Readonly<Record<string, string>> = {
  approve: "Approve",
  edit: "Approve with changes",
  reject: "Reject",
  respond: "Respond",
  acknowledge: "Acknowledge",
  claim: "Claim",
  release: "Release",
  withdraw: "Withdraw",
  settle: "Settle",
  report: "Report an incident",
  clear: "Clear the flag",
};

function standingOf(io: Io, { standing, max, upTo, for: lasts }: DecideOptions): Record<string, unknown> {
  return { scope: standing, max, ...(upTo !== undefined && { amount: upTo }), ...(lasts !== undefined && { until: io.now() + lasts }) };
}

function checkCompanions(way: (typeof WAYS)[number], options: DecideOptions): void {
  if (options.ref !== undefined && way !== "settle") throw usage("--ref goes with --settle", "--ref", "leave it out");
  if (way === "settle" && options.settle === "succeeded" && options.ref === undefined)
    throw usage("--settle succeeded needs the record that proves it", "--ref", "add --ref SYSTEM:ID, such as --ref psp:re_123");
  if (options.url !== undefined && way !== "report") throw usage("--url goes with --report", "--url", "leave it out");
  if (options.score !== undefined && !["approve", "edit", "editArgs", "reject", "respond"].includes(way))
    throw usage("--score goes with --approve, --edit, --reject and --respond", "--score", "leave it out");
  if (options.minutes !== undefined && way !== "claim") throw usage("--minutes goes with --claim", "--minutes", "leave it out");
  if ((options.drop !== undefined || options.order !== undefined) && way !== "edit" && way !== "editArgs")
    throw usage("--drop and --order change a plan: they are an edit", options.drop === undefined ? "--order" : "--drop", `leave out ${flag(way)}`);
  if (options.standing !== undefined && way !== "approve") throw usage("--standing goes with --approve", "--standing", "leave it out");
  if (options.standing !== undefined && options.max === undefined)
    throw usage("A standing approval needs a bound", "--max", "add --max N: how many more may run");
  if (options.standing === undefined && (options.max !== undefined || options.upTo !== undefined || options.for !== undefined))
    throw usage(
      "--max, --up-to and --for go with --standing",
      options.max !== undefined ? "--max" : options.upTo !== undefined ? "--up-to" : "--for",
      "add --standing run or --standing agent",
    );
  if ((options.branch === true || options.step !== undefined) && way !== "reject")
    throw usage("--branch and --step go with --reject", options.branch === true ? "--branch" : "--step", "leave it out");
  if (options.takeOver === true && !SEEN.has(way === "editArgs" ? "edit" : way) && way !== "claim")
    throw usage(`--take-over does not go with ${flag(way)}`, "--take-over", "leave it out");
  if (options.action !== undefined && way !== "edit" && way !== "editArgs")
    throw usage("--action goes with --edit and --edit-args", "--action", "leave it out");
  if (options.receipt !== undefined && way !== "settle" && way !== "report")
    throw usage("--receipt goes with --settle and --report", "--receipt", "leave it out");
  if (options.receipt !== undefined && !UUID.test(options.receipt))
    throw usage(`--receipt ${options.receipt} is no event id`, "--receipt", "copy the id from `receipts` of `show --json`, or leave it out for the last one");
  if (options.clear !== undefined && !/^[0-9a-fA-F]{64}$/.test(options.clear))
    throw usage(`--clear ${options.clear} is no sha256`, "--clear", "copy the sha256 of the bad record from `show` or `doctor`");
}

/** One score, such as tone=4. @throws CountersignError usage */
function scoreOf(text: string): { criterion: string; score: number } {
  const [, criterion, score] = /^([^=]{1,100})=([1-5])$/.exec(text) ?? [];
  if (criterion === undefined || score === undefined)
    throw usage(`--score ${text} is no criterion with a score from 1 to 5`, "--score", "write it as --score tone=4");
  return { criterion, score: Number(score) };
}

/** The card that is decided on, null where there is none. Where the caller says which one they saw, it must still be that one. */
function cardSeen(item: ItemView, seen: string | undefined): string | null {
  const card = item.cardSha256;
  if (item.verdict === null)
    throw new CountersignError("not_judged_yet", `The item is not judged yet (${item.stage}), so there is nothing to decide on`, {
      fix: "try again in a moment",
    });
  if (seen !== undefined && !/^[0-9a-f]{8,64}$/i.test(seen))
    throw usage(
      /^[0-9a-f]{0,7}$/i.test(seen) ? `--seen ${seen} is too short to tell cards apart` : `--seen ${seen} is no hash of a card`,
      "--seen",
      "give the hash of the card as `show` prints it, or at least its first 8 digits",
    );
  if (seen !== undefined && card?.startsWith(seen.toLowerCase()) !== true)
    throw new CountersignError("stale", card === null ? `The item has no card now, so it is not ${seen}` : `The card is another one now than ${seen}`, {
      field: "--seen",
      value: seen,
      fix: "look at it again with `countersign show`, then decide on what it says now",
    });
  return card;
}

function actionOf(item: ItemView, actionId: string | undefined): ItemView["actions"][number] {
  const [only, second] = item.actions;
  if (actionId === undefined && only !== undefined && second === undefined) return only;
  const found = item.actions.find((a) => a.actionId === actionId);
  if (found !== undefined) return found;
  throw usage(
    actionId === undefined ? `The item has ${item.actions.length} actions` : `The item has no action ${actionId}`,
    "--action",
    item.actions.length === 0 ? "a question or a notice has nothing to edit" : `name one of ${item.actions.map((a) => a.actionId).join(", ")}`,
  );
}

/** Of a plan a path may begin with the step that it is in: `a2/amount`. */
export function editsOf(
  item: ItemView,
  actionId: string | undefined,
  way: "edit" | "editArgs",
  changed: { [key: string]: Json },
): { actionId: string; args: Json }[] {
  if (way === "editArgs" || actionId !== undefined || item.actions.length === 1) return [editOf(actionOf(item, actionId), way, changed)];
  const byStep = Object.groupBy(Object.entries(changed), ([path]) => (path.startsWith("/") ? "" : (path.split("/", 1)[0] as string)));
  return Object.entries(byStep).map(([step, entries = []]) =>
    editOf(actionOf(item, step === "" ? undefined : step), way, Object.fromEntries(entries.map(([path, value]) => [path.slice(step.length), value]))),
  );
}

function editOf(action: ItemView["actions"][number], way: "edit" | "editArgs", changed: { [key: string]: Json }): { actionId: string; args: Json } {
  if (way === "editArgs") return { actionId: action.actionId, args: changed };
  let args = structuredClone(action.args) as Json;
  for (const [path, value] of Object.entries(changed)) args = setAt(args, path, value);
  return { actionId: action.actionId, args };
}

function flag(way: string): string {
  return `--${way.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

function usage(message: string, field: string, fix: string): CountersignError {
  return new CountersignError("usage", message, { field, fix });
}
