import type { Json } from "../../events/canonical.ts";
import { CASE_CLASSES, caseOf } from "./cases.ts";
import { frontMatter } from "./front-matter.ts";
import { EXAMPLE_COLUMNS, flatRow } from "./neutral.ts";
import type { Column, Labelled, Made, Target } from "./target.ts";
import { trlKto, trlPreference, trlSft } from "./trl.ts";

const text = (...names: string[]): Column[] => names.map((name) => ({ name, type: "STRING" }));

/** The configs of the folder. Nested values are JSON texts: their shapes differ from tool to tool, and Parquet has one schema for all rows. */
const CONFIGS: { readonly [config: string]: { readonly columns: readonly Column[]; readonly rows: (labelled: Labelled) => Iterable<Made> } } = {
  examples: { columns: EXAMPLE_COLUMNS, rows: ({ example }) => [{ file: `${example.split}.jsonl`, row: flatRow(example) }] },
  preference: { columns: text("id", "prompt", "chosen", "rejected", "tools"), rows: (labelled) => trlPreference.rows(labelled) },
  kto: { columns: [...text("id", "prompt", "completion", "tools"), { name: "label", type: "BOOLEAN" }], rows: (labelled) => trlKto.rows(labelled) },
  sft: { columns: text("id", "prompt", "completion", "tools"), rows: (labelled) => trlSft.rows(labelled) },
  cases: { columns: text("id", "kind", "input", "expected", "metadata", "split"), rows: casesOf },
};

function* casesOf({ example, labels }: Labelled): Generator<Made> {
  for (const label of labels) {
    const found = (CASE_CLASSES as readonly string[]).includes(label.class) ? caseOf({ example }, label) : undefined;
    if (found !== undefined) yield { file: `${example.split}.jsonl`, row: found };
  }
}

function flat(row: object): object {
  const write = (value: Json) => (typeof value === "object" && value !== null && !((value as unknown) instanceof Date) ? JSON.stringify(value) : value);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, write(value as Json)]));
}

function configOf(file: string): string {
  return file.split("/")[1] as string;
}

/** A folder as the Hugging Face Hub takes it: README with configs, Parquet by split. */
export const huggingface: Target = {
  name: "huggingface",
  summary: "a Hugging Face folder: README with configs examples, preference, kto, sft, cases; Parquet splits",
  files: "README.md, data/<config>/<split>.parquet",
  takes: "examples",
  needsContext: false,
  needsLabels: true,
  columns: (file) => CONFIGS[configOf(file)]?.columns ?? [],
  *rows(labelled): Generator<Made> {
    for (const [config, { rows }] of Object.entries(CONFIGS))
      for (const made of rows(labelled)) {
        if ("refused" in made) yield made;
        else yield { ...made, file: `data/${config}/${made.file.replace(/\.jsonl$/, ".parquet")}`, row: flat(made.row), class: config };
      }
  },
  readmeHead: (files) =>
    frontMatter(
      files,
      Object.keys(CONFIGS).map((name) => ({ name, file: (split) => `data/${name}/${split}.parquet` })),
    ),
};
