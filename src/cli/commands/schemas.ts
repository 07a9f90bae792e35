import { Command } from "commander";
import type { SchemaStatus } from "../../log/schemas.ts";
import { examples } from "../args.ts";
import { EXIT } from "../exit.ts";
import type { Cli } from "../io.ts";
import { openRegistry } from "../registry.ts";
import { pad } from "../text.ts";
import { type WhereOptions, where, whereOf } from "../where.ts";

/** `countersign schemas apply|check`: this version's schemas in the registry. */
export function schemas(cli: Cli): Command {
  const apply = new Command("apply")
    .description("Registers this version's schemas where they are missing. Safe to repeat.")
    .option("--dry-run", "only say what would be done")
    .addHelpText("after", examples(`schemas apply --log "kafka://localhost:9092?registry=http://localhost:8081"`));
  const check = new Command("check")
    .description(
      "Says whether this version's schemas are registered, or could be. Writes nothing. Exit code: 0 all registered, 3 one is incompatible, 6 some are still to be registered.",
    )
    .addHelpText("after", examples("schemas check"));
  return new Command("schemas")
    .summary("register this version's schemas: schemas apply, schemas check")
    .description("Schemas in the registry of the log.")
    .addCommand(where(apply).action((options: WhereOptions & { dryRun?: boolean }) => settle(cli, options, options.dryRun === true, false)))
    .addCommand(where(check).action((options: WhereOptions) => settle(cli, options, true, true)));
}

async function settle(cli: Cli, options: WhereOptions, dryRun: boolean, tellsState: boolean): Promise<void> {
  const { registry, prefix, close } = await openRegistry(whereOf(cli.io, options).log);
  let rows: readonly SchemaStatus[];
  try {
    const { applySchemas } = await import("../../log/schemas.ts");
    rows = await applySchemas(registry, { dryRun, prefix });
  } finally {
    await close();
  }
  if (rows.some((r) => r.status === "incompatible")) cli.exit(EXIT.refused);
  else if (tellsState && rows.some((r) => r.status === "would register")) cli.exit(EXIT.pending);
  if (cli.json()) return cli.data({ schemas: rows });
  for (const row of rows)
    cli.say(`${pad(row.status, 14)} ${pad(row.subject, 18)} ${[row.id === undefined ? "" : `id ${row.id}`, ...row.messages].join(" ")}`.trimEnd());
}
