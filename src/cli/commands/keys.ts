import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { CountersignError } from "../../errors.ts";
import type { Key, Keys, Scope } from "../../local/keys.ts";
import { examples, instantMs, listArgument } from "../args.ts";
import type { Cli } from "../io.ts";
import { cut, moment, oneLine, pad } from "../text.ts";
import { DATA_OPTION, whereOf } from "../where.ts";

interface CreateOptions {
  scope: Scope;
  id: string;
  roles?: string[];
  workspace: string;
  owner?: string;
  expires?: number;
  data?: string;
}

/** `countersign keys`: who may do what over HTTP. */
export function keys(cli: Cli): Command {
  const create = new Command("create")
    .description("Makes a key and prints it, this once: only its hash is kept. A running `up` takes it at once.")
    .addOption(
      new Option("--scope <scope>", "what it may do: agent (propose, withdraw, read its own), executor (write receipts), reviewer (read and decide)")
        .choices(["agent", "executor", "reviewer"])
        .makeOptionMandatory(),
    )
    .requiredOption("--id <id>", "the agent, executor or person it stands for")
    .option("--roles <roles>", "roles of a reviewer, separated by commas, such as support-lead,legal", listArgument)
    .option("--workspace <name>", "its workspace", "default")
    .option("--owner <person>", "of an agent: the person who answers for it; policy can keep that person from deciding on its proposals")
    .option("--expires <time>", "when it ends: an ISO 8601 time", timeArgument)
    .addHelpText(
      "after",
      examples(
        "keys create --scope agent --id support-agent --workspace support",
        "keys create --scope reviewer --id dana --roles support-lead --workspace support",
      ),
    )
    .action((options: CreateOptions) => withKeys(cli, options, true, (store) => makeKey(cli, store, options)));
  const list = new Command("list")
    .description("Shows the keys, without their texts.")
    .action((options: { data?: string }) => withKeys(cli, options, false, (store) => listKeys(cli, store)));
  const revoke = new Command("revoke")
    .description("Ends a key now.")
    .argument("<keyId>", "as `keys list` shows it")
    .action((keyId: string, options: { data?: string }) =>
      withKeys(cli, options, false, (store) => {
        store.revokeKey(keyId);
        if (cli.json()) cli.data({ keyId, revoked: true });
        else cli.say(`${oneLine(keyId)} is revoked.`);
      }),
    );
  const command = new Command("keys").summary("make, list and revoke API keys").description("API keys, kept as hashes in local.db of the data folder.");
  for (const inner of [create, list, revoke]) command.addCommand(inner.option(...DATA_OPTION));
  return command;
}

async function withKeys(cli: Cli, options: { data?: string }, make: boolean, use: (store: Keys) => void): Promise<void> {
  const { data } = whereOf(cli.io, options);
  if (!make && !existsSync(join(data, "local.db")))
    throw new CountersignError("not_found", `There are no keys in ${data}`, {
      field: "--data",
      value: data,
      fix: "name the folder of a ledger with --data, or make a key with `countersign keys create`",
    });
  const [{ openLocalDb }, { openKeys }] = await Promise.all([import("../../local/local-db.ts"), import("../../local/keys.ts")]);
  const local = openLocalDb(data);
  try {
    use(openKeys(local, cli.io.now));
  } finally {
    local.close();
  }
}

function makeKey(cli: Cli, store: Keys, { scope, id, roles = [], workspace, owner, expires }: CreateOptions): void {
  if (roles.length > 0 && scope !== "reviewer")
    throw new CountersignError("usage", `--roles goes with --scope reviewer, not with ${scope}`, {
      field: "--roles",
      fix: "leave it out: only people have roles",
    });
  if (owner !== undefined && scope !== "agent")
    throw new CountersignError("usage", `--owner goes with --scope agent, not with ${scope}`, {
      field: "--owner",
      fix: "leave it out: only agents have an owner",
    });
  const { keyId, key } = store.createKey({
    scope,
    id,
    roles,
    workspace,
    ...(owner !== undefined && { owner }),
    ...(expires !== undefined && { expiresAt: expires }),
  });
  if (cli.json()) {
    cli.data({ keyId, key, scope, id, roles, workspace, owner: owner ?? null, expiresAt: expires ?? null });
    return;
  }
  cli.say(`export COUNTERSIGN_API_KEY=${key}`);
  cli.note(
    `This is shown once. ${keyId}: ${scope} ${oneLine(id)}${roles.length > 0 ? ` with ${oneLine(roles.join(", "))}` : ""} in workspace ${oneLine(workspace)}.`,
  );
  if (scope === "reviewer" && roles.length === 0) cli.note("It has no roles: it may only decide what is owned by this very person (person:ID).");
}

function listKeys(cli: Cli, store: Keys): void {
  const all = store.listKeys();
  if (cli.json()) {
    for (const key of all) cli.data(key);
    return;
  }
  if (all.length === 0) {
    cli.say("There are no keys.");
    return;
  }
  for (const key of all)
    cli.say(
      cut(
        `${pad(key.keyId, 18)} ${pad(key.scope, 9)} ${pad(stateOf(key, cli.io.now()), 8)} ${oneLine(key.id)} in ${oneLine(key.workspace)}${key.roles.length > 0 ? ` as ${oneLine(key.roles.join(", "))}` : ""}`,
        cli.width,
      ),
    );
}

function stateOf(key: Key, now: number): string {
  if (key.revokedAt !== null) return "revoked";
  return key.expiresAt !== null && key.expiresAt <= now ? "expired" : "active";
}

function timeArgument(text: string): number {
  const at = instantMs(text);
  if (at === undefined)
    throw new CountersignError("usage", `--expires ${text} is no time`, {
      field: "--expires",
      value: text,
      fix: `give an ISO 8601 time such as ${moment(Date.UTC(2027, 0, 31))
        .replace(" UTC", "Z")
        .replace(" ", "T")}`,
    });
  return at;
}
