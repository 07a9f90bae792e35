import { Command } from "commander";
import type { Finding } from "../../../policy/lint/finding.ts";
import { examples, fileText } from "../../args.ts";
import { EXIT } from "../../exit.ts";
import type { Cli } from "../../io.ts";
import { block, plural } from "../../text.ts";

interface Options {
  strict?: boolean;
  quiet?: boolean;
}

/** `countersign policy lint`: what is wrong or doubtful about policies. */
export function lint(cli: Cli): Command {
  return new Command("lint")
    .summary("what is wrong or doubtful about policies")
    .description(
      "Lists errors, warnings and notes with file, line, column and what to do. Files given together are also held side by side. Exit code 3 where there are errors.",
    )
    .argument("<files...>", "policy files, or folders that hold them")
    .option("--strict", "exit with 3 on warnings as well")
    .option("--quiet", "leave out the notes")
    .addHelpText("after", examples("policy lint policies", "policy lint refunds.yaml --strict"))
    .action((files: string[], options: Options) => runLint(cli, files, options));
}

async function runLint(cli: Cli, names: readonly string[], { strict = false, quiet = false }: Options): Promise<void> {
  const [{ policyFiles }, { lintPolicy, lintTogether }] = await Promise.all([import("../../policy-files.ts"), import("../../../policy/lint/lint.ts")]);
  const files = policyFiles(names);
  const linted = files.map((file) => lintPolicy(fileText(file, "the policy"), file, (path) => fileText(path, "the file"), cli.io.now()));
  const all = [...linted.flatMap(({ findings }) => findings), ...lintTogether(linted.flatMap(({ policy }) => policy ?? []))];
  const findings = all.filter(({ severity }) => !quiet || severity !== "note");
  const count = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity).length;
  if (cli.json()) for (const finding of findings) cli.data(finding);
  else {
    for (const finding of findings) cli.say(render(finding, cli));
    cli.say(`${plural(files.length, "file")}: ${plural(count("error"), "error")}, ${plural(count("warning"), "warning")}, ${plural(count("note"), "note")}`);
  }
  if (count("error") > 0 || (strict && count("warning") > 0)) cli.exit(EXIT.refused);
}

function render({ severity, code, file, line, column, message, fix }: Finding, { colors, width }: Cli): string {
  const color = { error: colors.red, warning: colors.yellow, note: colors.dim }[severity];
  const out = [`${file}:${line}:${column}  ${color(severity)}  ${code}`, ...block(message, width, 4)];
  return [...out, ...(fix === "" ? [] : block(fix, width, 4).map((text) => colors.dim(text)))].join("\n");
}
