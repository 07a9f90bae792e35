import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { CountersignError, messageOf } from "../../../errors.ts";
import { examples } from "../../args.ts";
import { type Cli, SELF } from "../../io.ts";
import { plural } from "../../text.ts";

interface Options {
  policy: string;
  workspace: string;
  owner: string;
  tools?: string;
  out?: string;
}

/** `countersign policy init`: a starting document for tools, which gates everything. */
export function init(cli: Cli): Command {
  return new Command("init")
    .summary("a starting policy from tool schemas, which gates everything")
    .description(
      "Writes a policy document in which every tool waits for a person. FILE holds tools in OpenAI format, the answer of an MCP server to tools/list, or recorded runs (the tools that they called).",
    )
    .argument("<file>", "tools or recorded runs, as JSON or JSON Lines")
    .option("--policy <name>", "name of the document", "starting")
    .option("--workspace <name>", "which proposals it judges", "default")
    .option("--owner <owner>", "role:NAME or the id of a person: who decides", "role:approver")
    .option("--tools <file>", "with recorded runs: the tools that the agent was offered")
    .option("-o, --out <file>", "write it there instead of to stdout; an existing file stays")
    .addHelpText(
      "after",
      examples("policy init tools.json --workspace support --owner role:support-lead -o refunds.yaml", "policy init runs.jsonl --tools tools.json"),
    )
    .action((file: string, options: Options) => runInit(cli, file, options));
}

async function runInit(cli: Cli, file: string, { policy, workspace, owner, tools: schemas, out }: Options): Promise<void> {
  const [{ offeredIn, withSchemas }, { startingPolicy }, { parsePolicy }] = await Promise.all([
    import("../../offered-tools.ts"),
    import("../../../policy/init.ts"),
    import("../../../policy/document/document.ts"),
  ]);
  const offered = offeredIn(file);
  const tools = schemas === undefined ? offered : withSchemas(offered, schemas);
  const text = startingPolicy(tools, { policy, workspace, owner });
  // The names come from the command line: what is wrong with them is said before anything is written.
  parsePolicy(text, { file: out ?? "the starting policy" });
  if (out !== undefined) write(out, text);
  if (cli.json()) return cli.data({ policy, workspace, actions: tools.map(({ name }) => name), ...(out === undefined ? { document: text } : { file: out }) });
  cli.say(out === undefined ? text.trimEnd() : `${out} gates ${plural(tools.length, "tool")}. Next: ${SELF} policy lint ${out}`);
}

/** @throws CountersignError usage where there is such a file already, or it cannot be written */
function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx" });
  } catch (cause) {
    const exists = (cause as { code?: unknown }).code === "EEXIST";
    throw new CountersignError("usage", exists ? `There is a ${file} already` : `--out ${file} cannot be written: ${messageOf(cause)}`, {
      cause,
      field: "--out",
      value: file,
      fix: exists ? "name another file, or move that one away" : "name a file in a folder that is there",
    });
  }
}
