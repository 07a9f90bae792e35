import type { Notifications } from "../../gateway/service/ledger.ts";
import { openDeliveries } from "../../local/deliveries.ts";
import { openLocalDb } from "../../local/local-db.ts";
import type { Channel } from "../../notify/channels/channel.ts";
import type { NotifyConfig } from "../../notify/config.ts";
import { messageId } from "../../notify/notice.ts";
import type { Ledger } from "../../runtime.ts";
import { fileText } from "../args.ts";
import type { Cli } from "../io.ts";
import { ownersByWorkspace } from "../policy-people.ts";
import { troubleTeller } from "./trouble.ts";

/** A configuration that was read, with its channels. */
export interface Notifying {
  readonly file: string;
  readonly config: NotifyConfig;
  readonly channels: ReadonlyMap<string, Channel>;
  /** Whether anybody is told what this owner decides. */
  readonly reaches: (of: { owner: string; workspace: string }) => boolean;
}

/** Reads the file of `--notify`. @throws CountersignError usage, file_invalid */
export async function readNotifying(cli: Cli, file: string): Promise<Notifying> {
  const [{ parseNotify, routeFor }, { openChannels }] = await Promise.all([import("../../notify/config.ts"), import("../../notify/channels/open.ts")]);
  const config = parseNotify(fileText(file, "--notify"), { file, env: cli.io.env });
  return { file, config, channels: openChannels(config), reaches: (of) => routeFor(config, of) !== undefined };
}

/** The ledger waits while the notifier waits for local.db, so it does not wait for long: it comes back a second later. */
const PATIENCE_MS = 100;

/** What became of notices, and the way to stop sending them. */
export interface Notified extends Notifications {
  close(): Promise<void>;
}

/** Starts the notifier where there is a configuration. What was sent before can be looked at either way. */
export async function startNotifying(cli: Cli, ledger: Ledger, data: string, notifying: Notifying | undefined): Promise<Notified> {
  const local = openLocalDb(data, PATIENCE_MS);
  const deliveries = openDeliveries(local, messageId);
  if (notifying === undefined) return { sends: false, list: deliveries.list, close: async () => local.close() };
  const [{ noticesFrom }, { runNotifier }] = await Promise.all([import("../../workers/notices.ts"), import("../../workers/notifier.ts")]);
  const { queries, batches, projector, now } = ledger;
  const onTrouble = troubleTeller(cli);
  // This process holds the lock of the folder: what is under way there is nobody's any more.
  deliveries.reclaim(now());
  const running = runNotifier({ ...notifying, notices: noticesFrom(queries, batches, now), deliveries, onFolded: projector.onFolded, now, onTrouble });
  return {
    sends: true,
    list: deliveries.list,
    async close() {
      await running.stop();
      local.close();
    },
  };
}

/** Lines that say who is told, and whom nobody tells. */
export function tellNotifying(notifying: Notifying | undefined, inForce: Parameters<typeof ownersByWorkspace>[0]): string[] {
  if (notifying === undefined) return ["Nobody is told what waits: --notify FILE says whom to tell, and how"];
  const { file, channels, reaches } = notifying;
  const untold = [...ownersByWorkspace(inForce)].flatMap(([workspace, owners]) => owners.filter((owner) => !reaches({ owner, workspace })));
  return [
    `notices go to ${[...channels.keys()].join(", ")} (${file})`,
    ...(untold.length === 0 ? [] : [`nobody tells ${[...new Set(untold)].join(", ")}: no route of ${file} is for them`]),
  ];
}
