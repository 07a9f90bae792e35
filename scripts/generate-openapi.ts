import { readFileSync, writeFileSync } from "node:fs";
import { openApiDocument } from "../src/gateway/openapi.ts";

/** Writes docs/openapi.json from the shapes that requests are checked against; with --check, fails when it is stale. */
const FILE = new URL("../docs/openapi.json", import.meta.url);
const text = `${JSON.stringify(openApiDocument(), null, 2)}\n`;

if (process.argv.includes("--check")) {
  let before = "";
  try {
    before = readFileSync(FILE, "utf8");
  } catch {
    // Not there: as stale as it gets.
  }
  if (before !== text) {
    console.error("docs/openapi.json is stale: run node scripts/generate-openapi.ts");
    process.exitCode = 1;
  }
} else writeFileSync(FILE, text);
