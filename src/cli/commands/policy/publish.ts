import { Command } from "commander";
import { CountersignError } from "../../../errors.ts";
import { examples } from "../../args.ts";
import { EXIT } from "../../exit.ts";
import { type Cli, SELF } from "../../io.ts";
import { oneLine, shortId } from "../../text.ts";
import { openExisting, type WhereOptions, where, whereOf } from "../../where.ts";

interface Options extends WhereOptions {
  as?: string;
}

/** `countersign policy publish`: documents into force, or before somebody who approves them. */
export function publish(cli: Cli): Command {
  const command = new Command("publish")
    .summary("publish policy documents, or propose them where the policy asks for approval")
    .description(
      "Publishes each document that is not in force as it is, straight into the log: who may write to its topic policies may publish. Where the version in force has publish: { approval }, the change is proposed instead: somebody other than its author approves it, and a running up publishes it. Exit code 6 while something waits for approval.",
    )
    .argument("<files...>", "policy documents, or folders that hold them")
    .option("--as <person>", "the author, who cannot approve the change (default: USER)")
    .addHelpText("after", examples("policy publish policies/refunds.yaml --as ann", "policy publish policies/*.yaml --log sqlite:./data"));
  return where(command).action(async (files: string[], options: Options) => {
    const { publishPolicies, readPolicies } = await import("../../publish.ts");
    const documents = readPolicies(files);
    const author = options.as ?? cli.io.env.USER ?? "";
    if (author.trim() === "")
      throw new CountersignError("usage", "Who publishes it? The author must be known", { field: "--as", fix: "name the author with --as" });
    const opened = await openExisting(whereOf(cli.io, options).log);
    try {
      const [{ loadCodec }, { openProjector }, { openQueries }, { viewsOptions, writer }] = await Promise.all([
        import("../../../log/schemas.ts"),
        import("../../../projector/projector.ts"),
        import("../../../projector/queries.ts"),
        import("../../../runtime.ts"),
      ]);
      const codec = await loadCodec(opened.registry);
      const projector = await openProjector({ ...viewsOptions({ ...opened, codec }, ":memory:"), path: ":memory:" });
      try {
        await projector.catchUp(cli.io.signal, (n) => cli.progress(`folding the log in memory: ${n} records`));
        cli.progress(null);
        const ledger = { queries: openQueries(projector.views.db), write: writer(opened.log, codec, cli.io.now) };
        for (const row of await publishPolicies(ledger, documents, author)) {
          if (cli.json()) cli.data(row);
          const what = `policy ${oneLine(row.policyId)} ${oneLine(row.version)} for workspace ${oneLine(row.workspace)}`;
          if (row.status === "proposed") {
            cli.say(`Proposed ${what}: it waits for somebody other than ${oneLine(author)} to approve it: ${SELF} show ${shortId(row.itemId ?? "")}`);
            cli.exit(EXIT.pending);
          } else cli.say(row.status === "published" ? `Published ${what}.` : `Unchanged: ${what} is in force.`);
        }
      } finally {
        projector.close();
      }
    } finally {
      await opened.registry.close();
      await opened.log.close();
    }
  });
}
