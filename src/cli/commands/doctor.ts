import { Command } from "commander";
import { examples } from "../args.ts";
import type { Check } from "../doctor/checks.ts";
import { EXIT } from "../exit.ts";
import { type Cli, typed } from "../io.ts";
import { block, oneLine, pad, wrap } from "../text.ts";
import { type WhereOptions, where, whereOf } from "../where.ts";

const LABEL = 20;

/** `countersign doctor`: what is wrong. */
export function doctor(cli: Cli): Command {
  const command = new Command("doctor")
    .summary("say what is wrong with log, topics, schemas, views and items")
    .description(
      "Looks at everything and says plainly what is wrong and what to do. Changes nothing; works beside a running `up` and without one.\nExit code: 0 nothing is wrong, 1 something is.",
    )
    .addHelpText(
      "after",
      examples(
        "doctor",
        `doctor --log "kafka://localhost:9092?registry=http://localhost:8081"`,
        "doctor --json | jq '.checks[] | select(.status == \"wrong\")'",
      ),
    );
  return where(command).action(async (options: WhereOptions) => {
    const place = whereOf(cli.io, options);
    const { examine } = await import("../doctor/examine.ts");
    const checks = await examine(cli, place);
    const ok = checks.every((c) => c.status !== "wrong");
    cli.exit(ok ? EXIT.done : EXIT.fault);
    if (cli.json()) return cli.data({ ok, ...place, checks });
    for (const check of checks) for (const text of lines(check, cli)) cli.say(text);
    cli.say(summaryOf(checks));
  });
}

/** The last line: what is wrong, and what somebody should look at although nothing is broken. */
export function summaryOf(checks: readonly Pick<Check, "check" | "status">[]): string {
  const [wrong, look] = (["wrong", "look"] as const).map((status) => checks.filter((c) => c.status === status).map(({ check }) => check)) as [
    string[],
    string[],
  ];
  const broken = wrong.length === 0 ? "Nothing is wrong" : `${wrong.length === 1 ? "1 thing is" : `${wrong.length} things are`} wrong`;
  const open = look.length === 0 ? "" : `; ${look.length === 1 ? "1 thing" : `${look.length} things`} should be looked at: ${look.join(", ")}`;
  return `${broken}${open}.`;
}

function lines({ check, status, detail, fix, found }: Check, { width, colors }: Cli): string[] {
  const paint = status === "ok" ? colors.green : status === "look" ? colors.yellow : colors.red;
  const [first = "", ...rest] = wrap(oneLine(detail), width - LABEL);
  return [
    `${paint(pad(status, 6))} ${pad(check, LABEL - 7)}${first}`,
    ...rest.map((line) => " ".repeat(LABEL) + line),
    ...(found ?? []).flatMap((text) => block(`- ${text}`, width, LABEL)),
    ...(fix === undefined || status === "ok" ? [] : block(`→ ${typed(fix)}`, width, LABEL)),
  ];
}
