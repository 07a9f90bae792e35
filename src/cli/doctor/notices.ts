import { existsSync } from "node:fs";
import { join } from "node:path";
import { openDeliveries } from "../../local/deliveries.ts";
import { openLocalDb } from "../../local/local-db.ts";
import { messageId } from "../../notify/notice.ts";
import { plural } from "../text.ts";
import { type Check, failed } from "./checks.ts";

/** Most channels that are listed with their last failure. */
const MOST = 50;

/** Whether notices reach their channels: those that failed, or whose last attempt did. */
export function checkNotices(data: string): Check {
  if (!existsSync(join(data, "local.db"))) return NONE;
  try {
    const local = openLocalDb(data);
    try {
      const deliveries = openDeliveries(local, messageId);
      const wrong = deliveries.list({ failed: true, limit: 1000 });
      if (wrong.length === 0) return deliveries.list({ limit: 1 }).length === 0 ? NONE : { check: "notices", status: "ok", detail: "none has failed" };
      const last = Map.groupBy(wrong, ({ channel }) => channel);
      return {
        check: "notices",
        status: "look",
        detail: `${plural(wrong.length, "notice")} could not be sent so far`,
        fix: "see countersign notifications --failed; try the channels out with countersign notify test --notify FILE",
        found: [...last].slice(0, MOST).map(([channel, [first]]) => `${channel}: ${first?.answer}`),
      };
    } finally {
      local.close();
    }
  } catch (error) {
    return failed("notices", error);
  }
}

const NONE: Check = { check: "notices", status: "ok", detail: "none was sent: up sends them with --notify FILE" };
