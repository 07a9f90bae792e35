import { CountersignError } from "../errors.ts";
import type { ItemView } from "../producers/wire/answers.ts";
import type { BatchAnswer, BatchDecisionRequest } from "../producers/wire/batches.ts";
import { objectArgument } from "./args.ts";
import { editsOf } from "./decision.ts";
import type { Io } from "./io.ts";

/** Options of `batch decide`. */
export interface BatchOptions {
  approveAll?: boolean;
  rejectAll?: boolean;
  except?: string[];
  approve?: string[];
  reject?: string[];
  edit?: string[];
  message?: string;
  reason?: string[];
  opened?: string;
  yes?: boolean;
}

type Members = NonNullable<BatchDecisionRequest["members"]>;
type Member = Members[number];

/** Reads what is meant for each member. @throws CountersignError usage, not_found, json_* */
export async function batchPlan(
  io: Io,
  batch: BatchAnswer,
  options: BatchOptions,
  fetchItem: (itemId: string) => Promise<ItemView>,
): Promise<Pick<BatchDecisionRequest, "all" | "members">> {
  const { approveAll = false, rejectAll = false, except = [], approve = [], reject = [], edit = [] } = options;
  if (approveAll && rejectAll) throw usage("--approve-all and --reject-all exclude each other", "--reject-all", "give one of them");
  if (!approveAll && !rejectAll && approve.length + reject.length + edit.length === 0)
    throw usage("Nothing is decided", "--approve-all", "give --approve-all or --reject-all, or name members with --approve, --reject and --edit");
  if (!approveAll && !rejectAll && except.length > 0) throw usage("--except goes with --approve-all and --reject-all", "--except", "leave it out");
  const words = {
    ...(options.message !== undefined && { message: options.message }),
    ...(options.reason !== undefined && { reasonCodes: options.reason }),
  };
  const refuses = rejectAll || reject.length > 0;
  // What is said of a rejection must not stand at the approvals beside it.
  const said = (kind: Member["kind"]) => (refuses && kind !== "reject" ? {} : words);
  const members: Members = [];
  const add = (typed: string, flag: string, kind: Member["kind"], more: Partial<Member> = {}) => {
    const itemId = memberOf(batch, typed, flag);
    if (members.some((m) => m.itemId === itemId)) throw usage(`${typed} is named twice`, flag, "say once what becomes of a member");
    members.push({ itemId, kind, ...(kind === "skip" ? {} : said(kind)), ...more });
  };
  for (const typed of except) add(typed, "--except", "skip");
  for (const typed of approve) add(typed, "--approve", "approve");
  for (const typed of reject) add(typed, "--reject", "reject");
  for (const text of edit) {
    const [, typed, json] = /^([^=]+)=([\s\S]+)$/.exec(text) ?? [];
    if (typed === undefined || json === undefined)
      throw usage(`--edit ${text} names no member and its changes`, "--edit", `write it as --edit '4f2a91c0={"/amount": 50}'`);
    const changed = await objectArgument(io, json, "--edit");
    const item = await fetchItem(memberOf(batch, typed, "--edit"));
    add(typed, "--edit", "edit", { edits: editsOf(item, undefined, "edit", changed) as NonNullable<Member["edits"]> });
  }
  const kind = approveAll ? ("approve" as const) : rejectAll ? ("reject" as const) : undefined;
  return { ...(kind !== undefined && { all: { kind, ...said(kind) } }), members };
}

/** A member by its id or the beginning of it. @throws CountersignError usage */
function memberOf(batch: BatchAnswer, typed: string, flag: string): string {
  const begin = typed.trim().toLowerCase();
  const [only, second] = begin === "" ? [] : batch.members.filter((m) => m.itemId.startsWith(begin));
  if (only !== undefined && second === undefined) return only.itemId;
  throw usage(
    only === undefined ? `No member of the batch begins with ${JSON.stringify(typed)}` : `More than one member begins with ${JSON.stringify(typed)}`,
    flag,
    "name a member as `countersign batch show` does",
  );
}

function usage(message: string, field: string, fix: string): CountersignError {
  return new CountersignError("usage", message, { field, fix });
}
