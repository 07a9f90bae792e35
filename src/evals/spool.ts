import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Most characters that are held in memory before a file takes them. */
const MOST_HELD = 32 * 1024 * 1024;
const CHUNK = 4 * 1024 * 1024;

/** Lines that are written once and read once, in order. Many lines go to a file that only this user can read and that `close` removes. */
export class Spool {
  private readonly mostHeld: number;
  private lines: string[] = [];
  private held = 0;
  private folder: string | undefined;
  private fd: number | undefined;

  constructor(mostHeld: number = MOST_HELD) {
    this.mostHeld = mostHeld;
  }

  /** Adds a line. It must hold no line feed. */
  add(line: string): void {
    this.lines.push(line);
    this.held += line.length;
    if (this.held > this.mostHeld) this.spill();
  }

  private spill(): void {
    if (this.fd === undefined) {
      this.folder = mkdtempSync(join(tmpdir(), "countersign-export-"));
      this.fd = openSync(join(this.folder, "rows"), "w+", 0o600);
    }
    const bytes = Buffer.from(this.lines.map((line) => `${line}\n`).join(""));
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    this.lines = [];
    this.held = 0;
  }

  /** The lines, in the order they were added. */
  *read(): Generator<string> {
    if (this.fd !== undefined) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      let rest: Buffer = Buffer.alloc(0);
      for (let at = 0, bytes = readSync(this.fd, chunk, 0, CHUNK, 0); bytes > 0; bytes = readSync(this.fd, chunk, 0, CHUNK, (at += bytes))) {
        rest = Buffer.concat([rest, chunk.subarray(0, bytes)]);
        let start = 0;
        for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
          yield rest.toString("utf8", start, end);
          start = end + 1;
        }
        rest = rest.subarray(start);
      }
    }
    yield* this.lines;
  }

  /** Removes the file. */
  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}
