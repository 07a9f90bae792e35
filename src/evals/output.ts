import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";

const CHUNK_BYTES = 256 * 1024;
/** A part up to this size stays in memory: the files of most targets are small in most partitions. */
const MOST_HELD = 128 * 1024;
const COPY_BYTES = 1024 * 1024;

/** The rows of one file that come from one partition, with how much of it each item has, so that the rows of single items can be exchanged. */
export interface Part {
  readonly name: string;
  readonly rows: number;
  readonly from: { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly file: string };
  readonly segments: Segments;
}

/** Items that have rows in a part, in order: ordinal, rows and bytes of each. */
interface Segments {
  readonly ordinals: Uint32Array;
  readonly rows: Uint32Array;
  readonly lengths: Uint32Array;
}

/** How rows become bytes: texts as they are, values in frames. */
export interface RowForm {
  readonly isFramed: (file: string) => boolean;
  readonly text: (file: string, row: object) => string;
}

/** The parts of a partition, while its items pass by. */
export class Output {
  private readonly writers = new Map<string, PartWriter>();
  private readonly form: RowForm;
  private readonly pathOf: (name: string) => string;

  /** @param folder for what memory does not hold; `prefix` tells its files from those of others */
  constructor(form: RowForm, folder: () => string, prefix: string) {
    this.form = form;
    this.pathOf = (name) => join(folder(), `${prefix}-${name.replaceAll("/", "-")}`);
  }

  /** Adds a row of an item. Items come in order. */
  add(ordinal: number, file: string, row: object): void {
    const writer = this.writerOf(file);
    if (this.form.isFramed(file)) writer.frame(ordinal, serialize(row));
    else writer.text(ordinal, this.form.text(file, row));
  }

  /** Adds what an item has in an earlier part as it is. */
  copy(ordinal: number, file: string, rows: number, bytes: Uint8Array): void {
    this.writerOf(file).bytes(ordinal, rows, bytes);
  }

  private writerOf(file: string): PartWriter {
    let writer = this.writers.get(file);
    if (writer === undefined) this.writers.set(file, (writer = new PartWriter(() => this.pathOf(file))));
    return writer;
  }

  /** The parts, whole. Nothing may be added afterwards. */
  parts(): Part[] {
    return [...this.writers].map(([name, writer]) => ({ name, ...writer.finish() })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Lets go of the files. */
  close(): void {
    for (const writer of this.writers.values()) writer.close();
  }
}

class PartWriter {
  private readonly path: () => string;
  private readonly segments = new SegmentList();
  private chunk = Buffer.from(new ArrayBuffer(8 * 1024));
  private used = 0;
  private file: { readonly path: string; readonly fd: number } | undefined;
  private rows = 0;

  constructor(path: () => string) {
    this.path = path;
  }

  text(ordinal: number, text: string): void {
    this.room(3 * text.length);
    const length = this.chunk.write(text, this.used);
    this.added(ordinal, 1, length);
  }

  frame(ordinal: number, value: Buffer): void {
    this.room(4 + value.length);
    this.chunk.writeUInt32LE(value.length, this.used);
    this.chunk.set(value, this.used + 4);
    this.added(ordinal, 1, 4 + value.length);
  }

  bytes(ordinal: number, rows: number, bytes: Uint8Array): void {
    this.room(bytes.length);
    this.chunk.set(bytes, this.used);
    this.added(ordinal, rows, bytes.length);
  }

  private added(ordinal: number, rows: number, length: number): void {
    this.used += length;
    this.rows += rows;
    this.segments.add(ordinal, rows, length);
  }

  private room(bytes: number): void {
    if (this.used + bytes <= this.chunk.length) return;
    if (this.used + bytes > MOST_HELD) this.flush();
    if (this.used + bytes <= this.chunk.length) return;
    const larger = Buffer.from(new ArrayBuffer(Math.max(this.used + bytes, Math.min(CHUNK_BYTES, 4 * this.chunk.length))));
    this.chunk.copy(larger, 0, 0, this.used);
    this.chunk = larger;
  }

  private flush(): void {
    if (this.used === 0) return;
    if (this.file === undefined) {
      const path = this.path();
      this.file = { path, fd: openSync(path, "w", 0o600) };
    }
    for (let done = 0; done < this.used; ) done += writeSync(this.file.fd, this.chunk, done, this.used - done);
    this.used = 0;
  }

  finish(): Omit<Part, "name"> {
    const { rows } = this;
    const segments = this.segments.parts();
    if (this.file === undefined) return { rows, segments, from: { bytes: new Uint8Array(this.chunk.buffer as ArrayBuffer, 0, this.used) } };
    this.flush();
    const { path } = this.file;
    this.close();
    return { rows, segments, from: { file: path } };
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file.fd);
    this.file = undefined;
    this.chunk = Buffer.from(new ArrayBuffer(0));
  }
}

class SegmentList {
  private size = 0;
  private ordinals = new Uint32Array(16);
  private rows = new Uint32Array(16);
  private lengths = new Uint32Array(16);

  add(ordinal: number, rows: number, length: number): void {
    const last = this.size - 1;
    if (last >= 0 && this.ordinals[last] === ordinal) {
      this.rows[last] = (this.rows[last] as number) + rows;
      this.lengths[last] = (this.lengths[last] as number) + length;
      return;
    }
    if (this.size === this.ordinals.length) {
      this.ordinals = doubled(this.ordinals);
      this.rows = doubled(this.rows);
      this.lengths = doubled(this.lengths);
    }
    this.ordinals[this.size] = ordinal;
    this.rows[this.size] = rows;
    this.lengths[this.size] = length;
    this.size++;
  }

  parts(): Segments {
    const { ordinals, rows, lengths, size } = this;
    return { ordinals: ordinals.slice(0, size), rows: rows.slice(0, size), lengths: lengths.slice(0, size) };
  }
}

function doubled(column: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * column.length);
  larger.set(column);
  return larger;
}

/** The bytes of a part, a bounded piece at a time. They stand until the next piece is asked for. */
export function* bytesOf(part: Part): Generator<Uint8Array> {
  if ("bytes" in part.from) {
    yield part.from.bytes;
    return;
  }
  const fd = openSync(part.from.file, "r");
  try {
    const chunk = Buffer.allocUnsafe(COPY_BYTES);
    for (let read = readSync(fd, chunk, 0, COPY_BYTES, null); read > 0; read = readSync(fd, chunk, 0, COPY_BYTES, null)) yield chunk.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}

/** What one item has in a part. */
export interface Segment {
  readonly ordinal: number;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** What the items have in a part, in order. The bytes stand until the next is asked for. */
export function* segmentsOf(part: Part): Generator<Segment, undefined> {
  const { ordinals, rows, lengths } = part.segments;
  const pieces = piecesOf(part, lengths);
  for (const [i, ordinal] of ordinals.entries()) yield { ordinal, rows: rows[i] as number, bytes: pieces.next().value as Uint8Array };
  return undefined;
}

/** The rows of a part that holds values in frames. */
export function* framesOf(part: Part): Generator<object> {
  for (const { bytes } of segmentsOf(part)) {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < all.length; ) {
      const length = all.readUInt32LE(at);
      yield deserialize(all.subarray(at + 4, at + 4 + length)) as object;
      at += 4 + length;
    }
  }
}

/** The bytes of a part cut into pieces of these lengths. */
function* piecesOf(part: Part, lengths: Uint32Array): Generator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  const chunks = bytesOf(part);
  for (const length of lengths) {
    while (rest.length < length) {
      const { value, done } = chunks.next();
      if (done === true) throw new Error("a file of the export was cut short by somebody else");
      rest = Buffer.concat([rest, value]);
    }
    yield rest.subarray(0, length);
    rest = rest.subarray(length);
  }
}

/** Removes the file of a part, where it has one. */
export function dropPart({ from }: Part): void {
  if ("file" in from) rmSync(from.file, { force: true });
}
