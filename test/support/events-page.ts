import { readFileSync } from "node:fs";
import { TOPICS, type Topic } from "../../src/events/topics.ts";

type Avro = string | Avro[] | { type: Avro; name?: string; doc?: string; logicalType?: string; symbols?: string[]; items?: Avro; fields?: Field[] };
interface Field {
  name: string;
  type: Avro;
  doc?: string;
}

/** What the cause table says of each topic. */
const ANSWERS: Record<Topic, string> = {
  proposals: "nothing",
  verdicts: "the proposal, or the `edit` that it judges again",
  batches: "the verdict",
  decisions: "the verdict; `settle` the `unknown` receipt; `report` the final receipt that it is about",
  resumes: "the event that calls for it: a verdict, a settling decision, the rejection of an audit, or a `settle` that asks for a retry",
  receipts: "the grant: the resume that allowed it",
  policies: "nothing",
};

const HEAD = `# The events

This page is generated from [\`schemas/\`](../schemas), which are the contract: \`UPDATE_DOCS=1 npm test -- test/repository/docs.test.ts\` writes it, and
the same test fails while it is stale. What the events mean together is in [architecture.md](architecture.md).

A field that ends in \`?\` may be null. Times are milliseconds since the epoch, UTC. Every event begins with the same fields:
`;

/** The page on the events, from the schemas. */
export function eventsPage(): string {
  const schemas = TOPICS.map((topic) => ({ topic, schema: schemaOf(topic) }));
  const [first, ...rest] = schemas.map(({ schema }) => schema.fields.map((f) => f.name));
  const shared = (first ?? []).filter((name) => rest.every((names) => names.includes(name)));
  const records = new Map<string, Field[]>();
  const enums = new Map<string, { doc: string; symbols: string[] }>();
  for (const { schema } of schemas) for (const field of schema.fields) collect(field.type, records, enums);
  const common = schemas[0]?.schema.fields.filter((f) => shared.includes(f.name)) ?? [];
  return [
    HEAD,
    table(common),
    ...schemas.map(({ topic, schema }) => {
      const own = schema.fields.filter((f) => !shared.includes(f.name));
      return `## ${topic}: ${schema.name}\n\n${schema.doc} It answers ${ANSWERS[topic]}.\n\n${table(own)}`;
    }),
    "## Records inside them",
    ...[...records].sort(byName).map(([name, fields]) => `### ${name}\n\n${table(fields)}`),
    "## Enums",
    `| name | meaning | symbols |\n|---|---|---|\n${[...enums]
      .sort(byName)
      .map(([name, { doc, symbols }]) => `| ${name} | ${cell(doc)} | ${symbols.map((s) => `\`${s}\``).join(" ")} |`)
      .join("\n")}`,
    "",
  ].join("\n\n");
}

function schemaOf(topic: Topic): { name: string; doc: string; fields: Field[] } {
  return JSON.parse(readFileSync(new URL(`../../schemas/${topic}.avsc`, import.meta.url), "utf8"));
}

function collect(type: Avro, records: Map<string, Field[]>, enums: Map<string, { doc: string; symbols: string[] }>): void {
  if (typeof type === "string") return;
  if (Array.isArray(type)) for (const one of type) collect(one, records, enums);
  else if (type.type === "array") collect(type.items as Avro, records, enums);
  else if (type.type === "enum") enums.set(type.name as string, { doc: type.doc ?? "", symbols: type.symbols ?? [] });
  else if (type.type === "record") {
    records.set(type.name as string, type.fields ?? []);
    for (const field of type.fields ?? []) collect(field.type, records, enums);
  }
}

function table(fields: readonly Field[]): string {
  const rows = fields.map(({ name, type, doc }) => `| \`${name}${isOptional(type) ? "?" : ""}\` | ${nameOf(type)} | ${cell(doc ?? "")} |`);
  return `| field | type | meaning |\n|---|---|---|\n${rows.join("\n")}`;
}

function isOptional(type: Avro): boolean {
  return Array.isArray(type) && type.includes("null");
}

function nameOf(type: Avro): string {
  if (typeof type === "string") return type.replace(/^countersign\./, "");
  if (Array.isArray(type))
    return type
      .filter((t) => t !== "null")
      .map(nameOf)
      .join(" or ");
  if (type.type === "array") return `list of ${nameOf(type.items as Avro)}`;
  if (type.logicalType === "timestamp-millis") return "time";
  return type.name ?? nameOf(type.type);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
