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
  import("../dist/cli/main.js");
}
