import type Database from "better-sqlite3";

/**
 * Replaces all that is in the views by what another file has, in one transaction: whoever reads sees the old views or the new ones. Only
 * `meta` stays, which says who writes.
 */
export function takeOver(db: Database.Database, path: string): void {
  db.prepare("ATTACH ? AS beside").run(path);
  try {
    const tables = db.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name <> 'meta'").pluck().all() as string[];
    db.transaction(() => {
      for (const table of tables) {
        db.exec(`DELETE FROM main.${table}`);
        db.exec(`INSERT INTO main.${table} SELECT * FROM beside.${table}`);
      }
    }).immediate();
  } finally {
    db.exec("DETACH beside");
  }
}
