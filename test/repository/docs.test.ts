import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { cliOf, type Io } from "../../src/cli/io.ts";
import { programOf } from "../../src/cli/program.ts";
import { publishable } from "../../src/policy/document/publish.ts";
import { isTestFile } from "../../src/policy/testing/file.ts";
import { eventsPage } from "../support/events-page.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
if (process.env.UPDATE_DOCS === "1") writeFileSync(join(root, "docs/events.md"), eventsPage());
const pages = ["README.md", "CHANGELOG.md", ...globSync("docs/**/*.md", { cwd: root }), ...globSync("examples/**/*.md", { cwd: root })];
const read = (path: string) => readFileSync(join(root, path), "utf8");
const scripts: Record<string, string> = JSON.parse(read("package.json")).scripts;

/** Anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(path: string): string[] {
  const headings = [...withoutCode(read(path)).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) => text);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** Code of a page: lines of its fenced blocks, continued ones joined, and spans in the text. */
function codeOf(path: string): string[] {
  const text = read(path);
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].flatMap(([, body = ""]) => body.replaceAll("\\\n", " ").split("\n"));
  const spans = [...withoutCode(text).matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
  return [...blocks, ...spans].map((line) => line.trim().replace(/^\$ /, ""));
}

/** Command lines of countersign in a page, as words. What is quoted is one word, without its quotes. */
function commandLines(path: string): string[][] {
  return codeOf(path).flatMap((line) => {
    const [, rest] = /(?:^|[\s(])(?:npm run (?:-s|--silent) countersign --|countersign)(?=\s+[a-z])\s+(.*)$/.exec(line) ?? [];
    return rest === undefined ? [] : [[...rest.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word)];
  });
}

const io: Io = {
  env: {},
  out: { write: () => {} },
  err: { write: () => {} },
  stdin: Readable.from([]) as Io["stdin"],
  now: Date.now,
  signal: new AbortController().signal,
};
const program = await programOf(
  cliOf(
    io,
    () => false,
    () => {},
  ),
);

/** Why a command line could not be typed; null when it could. */
function whyWrong(words: readonly string[]): string | null {
  let command: Command = program;
  let i = 0;
  for (; i < words.length; i++) {
    const next = command.commands.find((c) => c.name() === words[i]);
    if (next === undefined) break;
    command = next;
  }
  if (command === program) return `there is no command ${words[0]}`;
  if (command.commands.length > 0 && words[i] !== undefined && !words[i]?.startsWith("-") && /^[a-z]+$/.test(words[i] as string))
    return `${command.name()} has no ${words[i]}`;
  const known = new Set([...command.options, ...program.options].flatMap((o) => [o.long, o.short]));
  for (const word of words.slice(i)) {
    if (/^[|>&;]/.test(word)) break;
    const flag = /^(--?[a-zA-Z][\w-]*)/.exec(word)?.[1];
    if (flag !== undefined && !known.has(flag) && flag !== "--help") return `${command.name()} has no option ${flag}`;
  }
  return null;
}

describe.each(pages)("%s", (page) => {
  test("links to files and headings that are there", () => {
    const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link).filter((link) => !/^[a-z]+:/.test(link));
    const broken = links.filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && (statSync(join(root, target)).isDirectory() || !anchorsOf(target).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  test("names only npm scripts that package.json has", () => {
    const named = codeOf(page).flatMap((line) => [...line.matchAll(/npm run (?:(?:-s|--silent) )?([a-z][\w:-]*)/g)].map(([, name = ""]) => name));
    const short = codeOf(page).flatMap((line) => [...line.matchAll(/npm (start|test)\b/g)].map(([, name = ""]) => name));
    expect([...named, ...short].filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test("names only commands and options that countersign has", () => {
    expect(commandLines(page).flatMap((words) => whyWrong(words) ?? [])).toEqual([]);
  });

  test("names only sample files that are there", () => {
    const files = codeOf(page).flatMap((line) =>
      [...line.matchAll(/(?<![\w./-])(?:policies|examples|docs|schemas|src|test|scripts|bench)\/[\w./-]+\.\w+/g)].map(([file]) => file),
    );
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

test("the checks of this file see what is wrong: a command, an option, a subcommand", () => {
  expect(whyWrong(["approve", "4f2a91c0"])).toBe("there is no command approve");
  expect(whyWrong(["decide", "4f2a91c0", "--approved"])).toBe("decide has no option --approved");
  expect(whyWrong(["keys", "make"])).toBe("keys has no make");
  expect(whyWrong(["keys", "create", "--scope", "agent", "--id", "x"])).toBeNull();
});

test("the README holds enough to be checked: the commands of its tour, the SDK example as it lies in examples/agent", () => {
  expect(commandLines("README.md").length).toBeGreaterThan(10);
  const [, snippet = ""] = /^```ts\n([\s\S]*?)^```$/m.exec(read("README.md")) ?? [];
  expect(snippet).toBe(read("examples/agent/main.ts"));
});

test("docs/events.md says what the schemas say; UPDATE_DOCS=1 writes it", () => {
  expect(read("docs/events.md")).toBe(eventsPage());
});

test("every policy and example that lies in the repository is named by a page, and every sample policy can be read", () => {
  const text = pages.map(read).join("\n");
  const policies = globSync("policies/*.yaml", { cwd: root }).filter((file) => !isTestFile(file));
  expect(policies.filter((file) => !text.includes(file.replace("policies/", "")))).toEqual([]);
  for (const file of policies) expect(publishable(read(file), file, read).policyId).toMatch(/^[a-z-]+$/);
  expect(globSync("examples/*", { cwd: root }).filter((folder) => !text.includes(folder))).toEqual([]);
});
