import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { vi } from "vitest";
import type { Invariant } from "./world.ts";

/** A deviation in the code of the ledger, and the invariant that a history breaks because of it. */
export interface Bug {
  /** File below src/. */
  readonly file: string;
  /** What stands there once, and what it becomes. */
  readonly line: string;
  readonly becomes: string;
  /** The invariant that it breaks first; several where it depends on the history which is. */
  readonly breaks: Invariant | readonly Invariant[];
  /** Where the log must lie for it to show. Default: memory. */
  readonly kind?: "files";
}

const SRC = resolve(import.meta.dirname, "../../src");

/** Puts a bug in the place of the code that it spoils, for what is imported from now on. Returns the way to take it out. @throws Error where its line is no more */
export function plant({ file, line, becomes }: Bug): () => void {
  const at = join(SRC, file);
  const text = readFileSync(at, "utf8");
  const found = text.split(line).length - 1;
  if (found !== 1) throw new Error(`src/${file} has ${found} times, not once: ${line}`);
  const dir = mkdtempSync(join(tmpdir(), "countersign-planted-"));
  const spoiled = join(dir, basename(file));
  const require = createRequire(at);
  // It lies elsewhere, so what it imports is named in full.
  const placed = text
    .replace(line, () => becomes)
    .replaceAll(/(from|import\() ?"([^"]+)"/g, (whole, word, to: string) => {
      if (to.startsWith(".")) return `${word} "${resolve(dirname(at), to)}"`;
      return to.startsWith("node:") ? whole : `${word} "${require.resolve(to)}"`;
    });
  writeFileSync(spoiled, placed);
  vi.resetModules();
  vi.doMock(at, () => import(spoiled));
  return () => {
    vi.doUnmock(at);
    vi.resetModules();
    rmSync(dir, { recursive: true, force: true });
  };
}
