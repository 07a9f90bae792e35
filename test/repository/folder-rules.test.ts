/** DESIGN §5: dependencies point one way. Plants one import per file in a copy of the configuration and reads what Biome says about it. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Which folders of src each folder may import, besides itself and src/errors.ts. */
const MAY: Record<string, readonly string[]> = {
  events: [],
  log: ["events"],
  ledger: ["events"],
  policy: ["events"],
  local: ["events"],
  projector: ["events", "log", "ledger"],
  notify: ["events", "policy"],
  workers: ["events", "log", "ledger", "policy", "projector", "local", "notify"],
  producers: ["events", "log", "ledger", "projector"],
  adapters: ["events", "producers"],
  evals: ["events", "log", "ledger", "policy"],
  gateway: ["events", "log", "ledger", "policy", "projector", "producers", "local", "notify"],
  cli: ["events", "log", "ledger", "policy", "projector", "workers", "producers", "adapters", "evals", "local", "notify", "gateway"],
};
const FOLDERS = Object.keys(MAY);
const PURE = ["events", "ledger", "policy"];

const copy = mkdtempSync(join(tmpdir(), "countersign-rules-"));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Writes the files, each with its one import, and returns those that Biome reports under the rule. */
function reported(plants: Record<string, string>): string[] {
  rmSync(join(copy, "src"), { recursive: true, force: true });
  for (const name of ["biome.json", ".gitignore"]) cpSync(join(root, name), join(copy, name));
  for (const [path, specifier] of Object.entries(plants)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), `import ${JSON.stringify(specifier)};\n`);
  }
  const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
  const args = [biome, "lint", "--only=style/noRestrictedImports", "--max-diagnostics=none", "--reporter=json", "."];
  let output: string;
  try {
    output = execFileSync(process.execPath, args, { cwd: copy, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    // Biome ends with 1 where it found something; its report is on stdout all the same.
    output = (error as { stdout: string }).stdout;
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: { category: string; location: { path: string } }[] };
  return diagnostics
    .filter((d) => d.category === "lint/style/noRestrictedImports")
    .map((d) => d.location.path)
    .sort();
}

describe("the folder rules", () => {
  it("report every import against the direction of the house, and no other", () => {
    const plants: Record<string, string> = {};
    const forbidden: string[] = [];
    for (const from of FOLDERS) {
      const plant = (name: string, specifier: string, allowed: boolean) => {
        plants[`src/${from}/${name}.ts`] = specifier;
        if (!allowed) forbidden.push(`src/${from}/${name}.ts`);
      };
      plant("of-errors", "../errors.ts", true);
      plant("of-itself", "./other.ts", true);
      plant("deeper/of-itself", "../other.ts", true);
      plant("deeper/of-errors", "../../errors.ts", true);
      plant("of-runtime", "../runtime.ts", from === "cli");
      plant("of-a-new-folder", "../unheard-of/x.ts", from === "cli");
      for (const to of FOLDERS.filter((folder) => folder !== from)) {
        plant(`of-${to}`, `../${to}/x.ts`, MAY[from]?.includes(to) ?? false);
        plant(`deeper/of-${to}`, `../../${to}/x.ts`, MAY[from]?.includes(to) ?? false);
      }
    }
    expect(reported(plants)).toEqual(forbidden.sort());
  });

  it("let only src/log/kafka.ts, its client and its session import the Kafka client, and only src/log/sqlite*.ts, src/projector and src/local import SQLite", () => {
    const plants: Record<string, string> = {
      "src/log/kafka.ts": "kafkajs",
      "src/log/kafka-client.ts": "kafkajs",
      "src/log/kafka-session.ts": "kafkajs",
      "src/log/kafka-append.ts": "kafkajs",
      "src/log/sqlite.ts": "better-sqlite3",
      "src/log/sqlite-prepare.ts": "better-sqlite3",
      "src/runtime.ts": "kafkajs",
      "src/index.ts": "better-sqlite3",
    };
    for (const folder of FOLDERS) {
      plants[`src/${folder}/plain-kafka.ts`] = "kafkajs";
      plants[`src/${folder}/inner-kafka.ts`] = "kafkajs/src/retry.js";
      plants[`src/${folder}/plain-sqlite.ts`] = "better-sqlite3";
    }
    const allowed = [
      "src/log/kafka.ts",
      "src/log/kafka-client.ts",
      "src/log/kafka-session.ts",
      "src/log/sqlite.ts",
      "src/log/sqlite-prepare.ts",
      "src/projector/plain-sqlite.ts",
      "src/local/plain-sqlite.ts",
    ];
    expect(reported(plants)).toEqual(
      Object.keys(plants)
        .filter((path) => !allowed.includes(path))
        .sort(),
    );
    expect(reported({ "src/log/kafka.ts": "better-sqlite3", "src/log/sqlite.ts": "kafkajs" })).toEqual(["src/log/kafka.ts", "src/log/sqlite.ts"]);
  });

  it("keep files, sockets, processes, timers and servers out of the pure folders", () => {
    const doing = [
      "node:fs",
      "node:fs/promises",
      "node:net",
      "node:http",
      "node:child_process",
      "node:worker_threads",
      "node:timers/promises",
      "node:sqlite",
      "hono",
      "@hono/node-server",
      "pino",
    ];
    const plants: Record<string, string> = {};
    for (const folder of PURE) {
      for (const [index, specifier] of doing.entries()) plants[`src/${folder}/does-${index}.ts`] = specifier;
      plants[`src/${folder}/hashes.ts`] = "node:crypto";
      plants[`src/${folder}/joins.ts`] = "node:path/posix";
    }
    expect(reported(plants)).toEqual(
      Object.keys(plants)
        .filter((path) => !/(hashes|joins)\.ts$/.test(path))
        .sort(),
    );
  });

  it("name every folder of src", () => {
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((entry) => entry.name).filter((name) => !FOLDERS.includes(name))).toEqual([]);
  });
});
