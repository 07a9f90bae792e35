import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "countersign-start-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const list = join(dir, "modules.json");
/** Writes down at the end of a process which modules it has loaded. */
const hook = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  import { writeFileSync } from "node:fs";
  const seen = new Set();
  registerHooks({ resolve: (name, context, next) => { const found = next(name, context); seen.add(found.url); return found; } });
  process.on("exit", () => writeFileSync(${JSON.stringify(list)}, JSON.stringify([...seen])));
`)}`;

interface Loaded {
  /** Names of packages. */
  readonly packages: readonly string[];
  /** Files of ours, below src. */
  readonly files: readonly string[];
}

function loaded(): Loaded {
  const urls = JSON.parse(readFileSync(list, "utf8")) as string[];
  const inPackages = urls.filter((url) => url.includes("/node_modules/")).map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] as string);
  return {
    packages: [...new Set(inPackages)].sort(),
    files: urls.flatMap((url) => (url.includes("/node_modules/") ? [] : (/\/src\/(.*)$/.exec(url)?.[1] ?? []))),
  };
}

function loadedBy(...args: string[]): Loaded {
  execFileSync(process.execPath, ["--import", hook, bin, ...args], { stdio: "pipe", env: { ...process.env, XDG_CACHE_HOME: join(dir, "cache") } });
  return loaded();
}

describe("what a command line loads", () => {
  it.each(["queue", "show", "decide", "outcome", "record", "stats interruptions", "keys list"])("is its own command and no engine: %s", (name) => {
    const { packages, files } = loadedBy(...name.split(" "), "--help");
    expect(packages.filter((p) => !["canonicalize", "commander", "picocolors"].includes(p))).toEqual([]);
    const commands = files.filter((f) => f.startsWith("cli/commands/"));
    // The words of an outcome are those of `outcome`.
    expect(commands.filter((f) => f !== "cli/commands/outcome.ts").length).toBeLessThanOrEqual(1);
    expect(files.filter((f) => /^(policy\/(compile|document)|projector|workers|log\/|gateway)/.test(f))).toEqual([]);
  });

  it("is every command for the help of all, and no engine either", () => {
    const { packages, files } = loadedBy("--help");
    expect(packages.filter((p) => !["canonicalize", "commander", "picocolors"].includes(p))).toEqual([]);
    expect(files.filter((f) => /^cli\/commands\/[a-z-]+\.ts$/.test(f)).length).toBeGreaterThan(20);
  });

  it("is, of a server, what it needs before somebody uses it", { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, ["--import", hook, bin, "up", "--json", "--port", "0", "--data", join(dir, "data")], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, XDG_CACHE_HOME: join(dir, "cache") },
    });
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (chunk: Buffer) => resolve(String(chunk)));
      child.once("exit", () => reject(new Error("it ended")));
    });
    const { startMs } = JSON.parse(line) as { startMs: Record<string, number> };
    const { loaded: at, opened, caughtUp, listening } = startMs as Record<"loaded" | "opened" | "caughtUp" | "listening", number>;
    expect([at, opened, caughtUp, listening]).toEqual([at, opened, caughtUp, listening].toSorted((a, b) => a - b));
    expect(at).toBeGreaterThan(0);
    child.kill("SIGTERM");
    expect(await gone).toBe(0);
    const { packages, files } = loaded();
    const idle = [
      "@bufbuild/cel",
      "@bufbuild/protobuf",
      "@hono/zod-openapi",
      "ajv",
      "ajv-formats",
      "hyparquet-writer",
      "kafkajs",
      "nodemailer",
      "standardwebhooks",
      "yaml",
    ];
    expect(packages.filter((p) => idle.includes(p))).toEqual([]);
    expect(packages).toContain("hono");
    expect(
      files.filter((f) => /^(evals|adapters|gateway\/record-page|gateway\/openapi|notify\/channels|log\/kafka|cli\/(demo|backtest|doctor))/.test(f)),
    ).toEqual([]);
    expect(files.filter((f) => f.startsWith("cli/commands/"))).toEqual(["cli/commands/up.ts"]);
  });
});
