import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SELF } from "../../src/cli/io.ts";
import { openBench } from "../support/bench-ledger.ts";
import { cli } from "./harness.ts";

/** A command of a document with what the document says that it prints; a line with nothing but … stands for any lines. */
interface Shown {
  readonly command: string;
  readonly output: readonly string[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const DOCUMENTS = ["docs/policy-tools.md", "docs/budgets.md", "docs/cli.md"];
const shown = DOCUMENTS.flatMap((file) => {
  const blocks = [...readFileSync(join(root, file), "utf8").matchAll(/```console\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text): Shown & { file: string } => {
        const [command = "", ...output] = text.trimEnd().split("\n");
        return { file, command, output };
      }),
  );
});

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "docs-"));
  mkdirSync(join(dir, "schemas"));
  const read = (name: string) => readFileSync(join(root, name), "utf8");
  writeFileSync(join(dir, "schemas/issue_refund.json"), read("policies/schemas/issue_refund.json"));
  writeFileSync(join(dir, "refunds-new.yaml"), read("policies/refunds.yaml").replace("above: 1000 }", "above: 1500 }"));
  const parameters = { type: "object", properties: { ticket_id: { type: "string" }, reason: { type: "string" } }, required: ["ticket_id"] };
  writeFileSync(
    join(dir, "tools.json"),
    JSON.stringify([{ type: "function", function: { name: "close_ticket", description: "Closes a ticket for good.", parameters } }]),
  );
  writeFileSync(join(dir, "refund.json"), '{"order_id":"A-1","customer_email":"ann@example.com","amount":1250}');
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The words of a command line, quotes taken off; files that stand for the reader's own lie in a folder of the test. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
    .map(([, single, double, plain]) => single ?? double ?? plain ?? "")
    .map((word) => word.replace(/^(@?)(refunds-new\.yaml|refund\.json|tools\.json|ledger)$/, `$1${dir}/$2`));
}

/** Whether lines are as shown, … being any lines. */
function expectShown(got: readonly string[], want: readonly string[]): void {
  const gap = want.indexOf("…");
  const rest = gap < 0 ? [] : want.slice(gap + 1);
  expect(gap < 0 ? got : got.slice(0, gap)).toEqual(gap < 0 ? want : want.slice(0, gap));
  if (gap >= 0) expect(got.slice(got.length - rest.length)).toEqual(rest);
}

describe("what documents show of the command line is what it prints", () => {
  it("finds commands in each of them", () => {
    expect(shown.length).toBeGreaterThanOrEqual(4);
  });

  it("with their output", async () => {
    await openBench({ dir: join(dir, "ledger") });
    for (const { file, command, output } of shown) {
      const [name, ...argv] = words(command);
      expect([file, name]).toEqual([file, "countersign"]);
      const { out, err } = await cli(argv, { env: {}, now: () => Date.parse("2026-11-21T12:00:00Z") });
      const got = `${out}${err}`.replaceAll(`${dir}/`, "").replaceAll(SELF, "countersign").trimEnd().split("\n");
      expectShown([command, ...got], [command, ...output]);
    }
  }, 60_000);
});
