import type Database from "better-sqlite3";
import { itemQueries } from "./item-queries.ts";
import { ledgerQueries } from "./ledger-queries.ts";
import { listQueries } from "./list-queries.ts";
import { readingOf } from "./reading.ts";

/** The queries that everything else reads through. */
export type Queries = ReturnType<typeof openQueries>;

/** Reads a views file. */
export function openQueries(views: Database.Database) {
  const reading = readingOf(views);
  return { ...itemQueries(reading), ...listQueries(reading), ...ledgerQueries(reading) };
}
