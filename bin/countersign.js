#!/usr/bin/env node
// Checks the Node version before anything else is loaded: the SQLite driver segfaults on Node 20, and a crash says nothing.
// Only syntax that Node 12 can parse, so no static import and no optional chaining in this file.
const needed = [22, 18];
const running = process.versions.node.split(".").map(Number);

if (running[0] < needed[0] || (running[0] === needed[0] && running[1] < needed[1])) {
  process.stderr.write(
    `countersign needs Node ${needed.join(".")} or newer, but this is Node ${process.versions.node}: ` +
      "install a current one from https://nodejs.org, or run `npx -p node@24 -p countersign countersign`.\n",
  );
  process.exitCode = 2;
} else {
  start();
}

async function start() {
  const [{ existsSync }, { enableCompileCache }, { homedir }, { join }] = await Promise.all(
    ["fs", "module", "os", "path"].map((name) => import(`node:${name}`)),
  );
  // What was compiled once is loaded in half the time: a server that was killed answers sooner. It is switched on before the first file of
  // TypeScript, which would load the compiler. Not under the folder for temporary files, where others write.
  enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "countersign", "compiled"));
  // The repository has the source, and runs it as it is: what was built there before may be old. What is installed has no source.
  const source = new URL("../src/cli/main.ts", import.meta.url);
  await import(existsSync(source) ? source.href : "../dist/cli/main.js");
}
