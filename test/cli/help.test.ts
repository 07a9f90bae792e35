import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { cliOf } from "../../src/cli/io.ts";
import { programOf } from "../../src/cli/program.ts";
import { cli } from "./harness.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const nowhere = { write: () => {} };
const program = await programOf(
  cliOf(
    { env: {}, out: nowhere, err: nowhere, stdin: process.stdin, now: Date.now, signal: new AbortController().signal },
    () => false,
    () => {},
  ),
);
const leaves = (command: Command): Command[] => (command.commands.length === 0 ? [command] : command.commands.flatMap(leaves));
const nameOf = (command: Command): string =>
  command.parent === null || command.parent === program ? command.name() : `${nameOf(command.parent)} ${command.name()}`;

describe("every command", () => {
  it("stands in docs/cli.md, and nothing else does", () => {
    const documented = [...read("docs/cli.md").matchAll(/^\| `([a-z]+)` \|/gm)].map((m) => m[1]);
    expect(documented).toEqual(program.commands.map((c) => c.name()));
    for (const leaf of leaves(program)) expect(read("docs/cli.md")).toContain(nameOf(leaf));
  });

  it("has help of at most 80 columns with examples, and needs nothing to show it", async () => {
    for (const leaf of leaves(program)) {
      const { code, out, err } = await cli([...nameOf(leaf).split(" "), "--help"]);
      expect([nameOf(leaf), code, err]).toEqual([nameOf(leaf), 0, ""]);
      expect(out).toContain("--json");
      const text = out.split("\nExamples:\n")[0] as string;
      expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
      if (!["keys list", "keys revoke"].includes(nameOf(leaf))) expect(out).toContain("\nExamples:\n  $ countersign ");
    }
  });

  it("refuses an empty --log and an empty --data, which would come to the default", async () => {
    let tried = 0;
    for (const leaf of leaves(program))
      for (const option of ["--log", "--data"]) {
        if (!leaf.options.some(({ long }) => long === option)) continue;
        tried++;
        for (const empty of ["", " "]) {
          const { code, err } = await cli([...nameOf(leaf).split(" "), option, empty], { env: { COUNTERSIGN_LOG: "sqlite:elsewhere" } });
          expect([nameOf(leaf), option, code]).toEqual([nameOf(leaf), option, 2]);
          expect(err).toMatch(new RegExp(`${option} <\\w+>[\\s\\S]*It is empty`));
        }
      }
    expect(tried).toBeGreaterThan(25);
  });

  it("is written in its examples with options that it has", () => {
    const source = leaves(program).map((leaf) => ({ leaf, flags: new Set(leaf.options.flatMap((o) => [o.short, o.long])) }));
    const lines = read("docs/cli.md")
      .split("\n")
      .flatMap((line) => line.split("&&"))
      .filter((line) => line.trim().startsWith("countersign "));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) {
      const words = line
        .trim()
        .replace(/'[^']*'|"[^"]*"/g, "TEXT")
        .split(/\s+/)
        .slice(1);
      const found = source.find(({ leaf }) => words.slice(0, nameOf(leaf).split(" ").length).join(" ") === nameOf(leaf));
      expect([line, found?.leaf.name()]).not.toEqual([line, undefined]);
      for (const flag of words.filter((w) => w.startsWith("-"))) expect([line, flag, found?.flags.has(flag)]).toEqual([line, flag, true]);
    }
  });
});

describe("the program", () => {
  it("prints its version, its help where nothing is asked, and the nearest command where one is mistyped", async () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    expect(await cli(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
    expect(await cli([])).toMatchObject({ code: 2, out: "", err: expect.stringContaining("Commands:") });
    expect(await cli(["keys"])).toMatchObject({ code: 2 });
    expect(await cli(["quue"])).toEqual({ code: 2, out: "", err: "countersign: unknown command 'quue'\n(Did you mean queue?)\n  See --help.\n" });
    const { err } = await cli(["queue", "--josn", "--json"]);
    expect(JSON.parse(err)).toMatchObject({ code: "usage", type: "urn:countersign:problem:usage" });
  });
});
