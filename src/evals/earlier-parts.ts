import { dropPart, type Output, type Part, type Segment, segmentsOf } from "./output.ts";

/** The parts of the first pass, which go on into those of the second but for the items that are made again. */
export class EarlierParts {
  private readonly files: { readonly part: Part; readonly segments: ReturnType<typeof segmentsOf>; next: IteratorResult<Segment> }[];
  private readonly output: Output;
  private again = -1;

  constructor(parts: readonly Part[], output: Output) {
    this.output = output;
    this.files = parts.map((part) => {
      const segments = segmentsOf(part);
      return { part, segments, next: segments.next() };
    });
  }

  /** Copies what lies before an item, which is made again. */
  copyUpTo(ordinal: number): void {
    for (const file of this.files)
      while (file.next.done !== true && file.next.value.ordinal < ordinal) {
        const { value } = file.next;
        if (value.ordinal !== this.again) this.output.copy(value.ordinal, file.part.name, value.rows, value.bytes);
        file.next = file.segments.next();
      }
    this.again = ordinal;
  }

  /** Removes the parts. */
  close(): void {
    for (const { part, segments } of this.files) {
      segments.return(undefined);
      dropPart(part);
    }
  }
}
