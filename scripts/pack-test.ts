/** Packs the package, installs the tarball in an empty folder, and uses it there as someone would who has only that. */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, startServer } from "./support/server.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { name: string; version: string; files: string[] };
const work = mkdtempSync(join(tmpdir(), "countersign-pack-"));
const app = join(work, "app");
const bin = join(app, "node_modules/.bin/countersign");

try {
  checkNothingAbove();
  install();
  checkContents();
  checkVersion();
  checkExports();
  await checkServer();
  checkOldNode();
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Node and npx look for packages in every folder above: what lies there would hide what the tarball lacks. */
function checkNothingAbove(): void {
  for (let folder = work; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "node_modules")))
      throw new Error(`${join(folder, "node_modules")} would be found from the empty folder: set TMPDIR to a folder above which there is none`);
    if (folder === dirname(folder)) return;
  }
}

function install(): void {
  run("npm", ["pack", "--pack-destination", work], root);
  const tarball = readdirSync(work).find((f) => f.endsWith(".tgz"));
  if (!tarball) throw new Error("npm pack made no tarball");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", join(work, tarball)], app);
  step(`installed ${tarball} in an empty folder`);
}

function checkContents(): void {
  const installed = readdirSync(join(app, "node_modules", manifest.name));
  const missing = manifest.files.filter((f) => !installed.includes(f));
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(", ")}`);
  const sources = readdirSync(join(app, "node_modules", manifest.name), { recursive: true, encoding: "utf8" }).filter((f) => /(?<!\.d)\.ts$/.test(f));
  if (sources.length > 0) throw new Error(`the package brings TypeScript sources: ${sources.join(", ")}`);
  step(`it holds ${installed.sort().join(", ")}`);
}

function checkVersion(): void {
  const version = run(bin, ["--version"], app).trim();
  if (version !== manifest.version) throw new Error(`--version printed ${version}, not ${manifest.version}`);
  step(`--version prints ${version}`);
}

function checkExports(): void {
  for (const name of [manifest.name, `${manifest.name}/evals`]) {
    const names = run(process.execPath, ["-e", `import("${name}").then((m) => console.log(Object.keys(m).join(" ")))`], app).trim();
    if (names === "") throw new Error(`${name} exports nothing`);
    step(`import "${name}" gives ${names.split(" ").length} names`);
  }
}

async function checkServer(): Promise<void> {
  const port = await freePort();
  const server = await startServer(bin, ["up", "--log", "sqlite:data", "--data", "data", "--port", String(port)], { cwd: app, port });
  let code: number | null;
  try {
    await propose(server.url);
  } finally {
    code = await server.stop();
  }
  if (code !== 0) throw new Error(`up ended with ${code} after SIGTERM, not with 0:\n${server.output()}`);
  step("SIGTERM ends it with 0");
}

/** One proposal over HTTP, with a key made beside the running server: what the server answers for it must be readable again. */
async function propose(url: string): Promise<void> {
  const { key } = JSON.parse(run(bin, ["keys", "create", "--scope", "agent", "--id", "pack-test", "--data", "data", "--json"], app)) as { key: string };
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const proposal = { idempotencyKey: "pack-test-1", actions: [{ tool: "send_email", args: { to: "acct@example.com" } }] };
  const answer = await fetch(`${url}/v1/proposals`, { method: "POST", headers, body: JSON.stringify(proposal) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST /v1/proposals answered ${answer.status}: ${text}`);
  const { itemId } = JSON.parse(text) as { itemId: string };
  const item = await fetch(`${url}/v1/items/${itemId}`, { headers });
  if (!item.ok) throw new Error(`GET /v1/items/${itemId} answered ${item.status}: ${await item.text()}`);
  step(`up answers /healthz, took a proposal and shows it as item ${itemId}`);
}

/** The older Node that npm and the shell find, outside any node_modules: the binary must answer it with a sentence. */
function checkOldNode(): void {
  const nodes = (process.env.PATH ?? "").split(delimiter).filter((d) => !d.includes("node_modules"));
  for (const node of nodes.map((d) => join(d, "node"))) {
    if (!executable(node)) continue;
    const version = run(node, ["--version"], app).trim();
    const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
    if (major > 22 || (major === 22 && minor >= 18)) continue;
    const { status, stdout, stderr } = spawnSync(node, [bin, "--version"], { cwd: app, encoding: "utf8" });
    if (status !== 2 || stdout !== "" || !/^countersign needs Node 22\.18 or newer, but this is Node \S+: [^\n]+\n$/.test(stderr)) {
      throw new Error(`under Node ${version} the binary ended with ${status} and printed: ${stdout}${stderr}`);
    }
    step(`under Node ${version} it says: ${stderr.trim()}`);
    return;
  }
  step("not tested: what the binary says under an old Node, because PATH has no node older than 22.18");
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function step(text: string): void {
  console.log(`pack: ${text}`);
}
