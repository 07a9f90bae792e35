import { Command } from "commander";
import type { Region } from "../../../policy/diff/diff.ts";
import { writtenCase } from "../../../policy/testing/written.ts";
import { examples } from "../../args.ts";
import { EXIT } from "../../exit.ts";
import { type Cli, SELF } from "../../io.ts";
import { block, exactJson, oneLine, plural } from "../../text.ts";

interface Options {
  all?: boolean;
}

/** `countersign policy diff`: what a change of a policy lets through, with proof. */
export function diff(cli: Cli): Command {
  return new Command("diff")
    .summary("what a change of a policy lets through, with proof")
    .description(
      "Judges proposals at the edges of what both documents say under each of them, and prints the regions that become more permissive, each with one proposal that proves it. Exit code 3 where there are any.",
    )
    .argument("<before>", "the policy as it was")
    .argument("<after>", "the policy as it would be")
    .option("--all", "also the regions that become stricter or change hands")
    .addHelpText("after", examples("policy diff refunds.yaml refunds-new.yaml", "policy diff old.yaml new.yaml --all --json"))
    .action((before: string, after: string, options: Options) => runDiff(cli, before, after, options));
}

async function runDiff(cli: Cli, before: string, after: string, { all = false }: Options): Promise<void> {
  const [{ readPolicy }, { diffPolicies }] = await Promise.all([import("../../policy-files.ts"), import("../../../policy/diff/diff.ts")]);
  const [old, now] = [readPolicy(before), readPolicy(after)];
  const names = [old, now].map(({ document }) => `${document.workspace}/${document.id}`);
  if (names[0] !== names[1]) cli.note(`These are two different policies: ${names.map(oneLine).join(" and ")}`);
  const regions = diffPolicies(old, now, (tool) => cli.progress(`comparing ${tool}`));
  cli.progress(null);
  const count = (direction: Region["direction"]) => regions.filter((region) => region.direction === direction).length;
  const shown = regions.filter(({ direction }) => all || direction === "looser");
  if (cli.json()) for (const region of shown) cli.data({ ...region, witness: region.witness && writtenCase(region.witness) });
  else {
    for (const region of shown) cli.say(`${render(region, after, cli)}\n`);
    cli.say(
      `${plural(count("looser"), "region")} more permissive, ${count("stricter")} stricter, ${count("other")} in other hands or at other times${all ? "" : " (--all shows them)"}`,
    );
  }
  if (count("looser") > 0) cli.exit(EXIT.refused);
}

function render({ action, direction, aspects, lost, gained, count, witness, because }: Region, after: string, { colors, width }: Cli): string {
  const proof = (shown: NonNullable<Region["witness"]>): string[] => [
    ...block(`before: ${because.before.join("; ")}`, width, 2).map((text) => colors.dim(text)),
    ...block(`after: ${because.after.join("; ")}`, width, 2).map((text) => colors.dim(text)),
    // Not wrapped: it is there to be copied.
    `  ${SELF} policy explain --policy ${quoted(after)} --case ${quoted(exactJson(writtenCase(shown)))}`,
  ];
  const word = { looser: colors.red("more permissive"), stricter: colors.green("stricter"), other: colors.yellow("different") }[direction];
  return [
    `${colors.bold(oneLine(action))}: ${word}${witness === null ? "" : ` (${count} of the proposals tried)`}`,
    ...aspects.flatMap((aspect) => block(`${aspect.name}: ${aspect.before} → ${aspect.after}`, width, 2)),
    ...(lost.length === 0 ? [] : block(`no longer matches: ${lost.join(", ")}`, width, 2)),
    ...(gained.length === 0 ? [] : block(`matches now: ${gained.join(", ")}`, width, 2)),
    ...(witness === null ? [colors.dim("  as the documents say: no single proposal shows it")] : proof(witness)),
  ].join("\n");
}

/** A word as a shell takes it. */
function quoted(text: string): string {
  return /^[\w./@:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
