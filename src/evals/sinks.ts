import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { makeFolder } from "../make-folder.ts";
import type { FileEntry } from "./manifest.ts";
import { bytesOf, dropPart, framesOf, type Part } from "./output.ts";
import type { Column } from "./targets/target.ts";

/** A file under way: it has its own name only once it is whole. */
class OpenFile {
  readonly name: string;
  private readonly path: string;
  private readonly fd: number;
  private readonly hash: Hash = createHash("sha256");
  private bytes = 0;
  private pending: string[] = [];
  private held = 0;

  constructor(directory: string, name: string) {
    this.name = name;
    this.path = join(directory, name);
    makeFolder(dirname(this.path));
    this.fd = openSync(`${this.path}.part`, "w");
  }

  text(text: string): void {
    this.pending.push(text);
    this.held += text.length;
    if (this.held > 1024 * 1024) this.flush();
  }

  private flush(): void {
    const text = this.pending.join("");
    this.pending = [];
    this.held = 0;
    if (text !== "") this.write(Buffer.from(text));
  }

  /** Writes bytes behind the texts. */
  write(bytes: Uint8Array): void {
    this.flush();
    this.hash.update(bytes);
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    this.bytes += bytes.length;
  }

  finish(rows: number): FileEntry {
    this.flush();
    fsyncSync(this.fd);
    closeSync(this.fd);
    renameSync(`${this.path}.part`, this.path);
    return { name: this.name, rows, bytes: this.bytes, sha256: this.hash.digest("hex") };
  }

  abandon(): void {
    closeSync(this.fd);
    rmSync(`${this.path}.part`, { force: true });
  }
}

interface Sink {
  add(row: object): void;
  part(part: Part): void;
  finish(): FileEntry;
  abandon(): void;
}

function lines(file: OpenFile, textOf: (row: object) => string): Sink {
  let rows = 0;
  return {
    add(row) {
      rows++;
      file.text(textOf(row));
    },
    part(part) {
      rows += part.rows;
      for (const bytes of bytesOf(part)) file.write(bytes);
    },
    finish: () => file.finish(rows),
    abandon: () => file.abandon(),
  };
}

/** A row group: enough rows to compress well, few enough characters to hold. */
const GROUP_ROWS = 2000;
const GROUP_CHARACTERS = 16 * 1024 * 1024;

function parquetFile(file: OpenFile, columns: readonly Column[]): Sink {
  let rows = 0;
  let group: Record<string, unknown>[] = [];
  let held = 0;
  const bytes = new ByteWriter();
  const drain = () => {
    file.write(new Uint8Array(bytes.buffer, 0, bytes.index).slice());
    bytes.index = 0;
  };
  const dataOf = (name: string) => group.map((row) => row[name] ?? null);
  const source = () => columns.map(({ name, type }) => ({ name, type, nullable: true, data: dataOf(name) }));
  const writer = new ParquetWriter({ writer: bytes, schema: schemaFromColumnData({ columnData: source() }), codec: "SNAPPY", createdBy: "countersign" });
  const flush = () => {
    writer.write({ columnData: columns.map(({ name }) => ({ name, data: dataOf(name) })), rowGroupSize: GROUP_ROWS });
    group = [];
    held = 0;
    drain();
  };
  const add = (row: object) => {
    rows++;
    group.push(row as Record<string, unknown>);
    for (const value of Object.values(row)) if (typeof value === "string") held += value.length;
    if (group.length >= GROUP_ROWS || held >= GROUP_CHARACTERS) flush();
  };
  return {
    add,
    part(part) {
      for (const row of framesOf(part)) add(row);
    },
    finish() {
      if (group.length > 0) flush();
      writer.finish();
      drain();
      return file.finish(rows);
    },
    abandon: () => file.abandon(),
  };
}

/** How the files of an export are written. */
export interface Forms {
  readonly columns: (file: string) => readonly Column[];
  readonly head: (file: string) => string;
  readonly text: (row: object) => string;
  /** Default: by the name of the file. */
  readonly format?: (file: string) => "jsonl" | "parquet";
}

/** The files of an export, opened as rows come for them. */
export class Sinks {
  private readonly directory: string;
  private readonly forms: Forms;
  private readonly open = new Map<string, Sink>();

  constructor(directory: string, forms: Forms) {
    this.directory = directory;
    this.forms = forms;
  }

  /** Adds a row to a file, or only makes sure that the file is there. */
  add(name: string, row?: object): void {
    const sink = this.sinkOf(name);
    if (row !== undefined) sink.add(row);
  }

  /** Adds the rows of a part to its file, and removes the part. */
  part(part: Part): void {
    this.sinkOf(part.name).part(part);
    dropPart(part);
  }

  private sinkOf(name: string): Sink {
    let sink = this.open.get(name);
    if (sink === undefined) {
      const file = new OpenFile(this.directory, name);
      const format = this.forms.format?.(name) ?? (name.endsWith(".parquet") ? "parquet" : "jsonl");
      sink = format === "parquet" ? parquetFile(file, this.forms.columns(name)) : this.textFile(file);
      this.open.set(name, sink);
    }
    return sink;
  }

  private textFile(file: OpenFile): Sink {
    file.text(this.forms.head(file.name));
    return lines(file, this.forms.text);
  }

  /** A whole file that holds no rows. */
  whole(name: string, text: string): void {
    const file = new OpenFile(this.directory, name);
    file.text(text);
    this.open.set(name, { add: () => {}, part: () => {}, finish: () => file.finish(0), abandon: () => file.abandon() });
  }

  /** Names of the files so far. */
  names(): string[] {
    return [...this.open.keys()].sort();
  }

  /** Gives every file its name. */
  finish(): FileEntry[] {
    const files = [...this.open.values()].map((sink) => sink.finish());
    this.open.clear();
    return files.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes what is not finished. */
  abandon(): void {
    for (const sink of this.open.values()) sink.abandon();
    this.open.clear();
  }
}
