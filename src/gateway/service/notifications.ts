import type { z } from "zod";
import type { NotificationsAnswer, notificationsRequest } from "../../producers/wire/notifications.ts";
import { mustBe } from "./identity.ts";
import type { Context } from "./ledger.ts";

const DEFAULT_LIMIT = 100;

/** What became of the notices of the caller's workspace. @throws CountersignError forbidden */
export function notifications({ identity, notifications: kept }: Context, { failed, limit }: z.output<typeof notificationsRequest>): NotificationsAnswer {
  mustBe(identity, ["person"], "see notifications");
  const filter = { workspace: identity.workspace, failed: failed === "true", limit: Number(limit ?? DEFAULT_LIMIT) };
  return { sends: kept?.sends ?? false, notifications: (kept?.list(filter) ?? []) as NotificationsAnswer["notifications"] };
}
