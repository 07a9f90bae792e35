import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/events/canonical.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy } from "../../src/policy/document/document.ts";
import { inlineFiles, publishable } from "../../src/policy/document/publish.ts";
import { readPublished, readYaml } from "../../src/policy/document/yaml.ts";
import { read } from "./helpers.ts";

const example = "test/policy/fixtures/example.yaml";
const withFile = "policy: p\nworkspace: w\nowner: role:boss\nactions:\n  act:\n    arguments: ./s.json\n    reversibility: reversible\n    risk: low\n";

describe("a document to be published", () => {
  it("has its schema files inlined and hashes to what the verdicts will name", () => {
    const published = publishable(read(example), example, read);
    expect(published).toMatchObject({ policyId: "refunds", workspace: "support", version: published.sha256.slice(0, 12), sha256: sha256(published.document) });
    const compiled = compilePolicy(parsePolicy(published.document));
    expect(compiled.ref).toEqual({ id: "refunds", version: published.version, sha256: published.sha256 });
  });

  it("is the same bytes when only comments and layout have changed, and when it is published again", () => {
    const text = read(example);
    const first = inlineFiles(text, example, read);
    expect(inlineFiles(`# a comment\n${text}`.replaceAll("   #", "        #"), example, read)).toBe(first);
    expect(inlineFiles(first, "anywhere.yaml", read)).toBe(first);
    expect(inlineFiles(text.replace("above: 1000", "above: 1001"), example, read)).not.toBe(first);
  });

  it("is read without the YAML parser as it would be with it", () => {
    for (const file of [example, "policies/refunds.yaml", "policies/deploy.yaml", "policies/crm-update.yaml", "policies/database-migration.yaml"]) {
      const { document } = publishable(read(file), file, read);
      expect(readPublished(document)).toEqual(readYaml(document).value);
      const { sha256: _own, version: _from, ...plain } = parsePolicy(document);
      // A comment makes it a text for the parser.
      const { sha256: _other, version: _hash, ...parsed } = parsePolicy(`${document}# as YAML\n`);
      expect(plain).toEqual(parsed);
    }
  });

  it("is read by the YAML parser where the text is not as it is published: keys that stand twice, numbers that do not survive, another layout", () => {
    const { document } = publishable(read(example), example, read);
    const twice = document.replace('  "workspace": "support"', '  "workspace": "other",\n  "workspace": "support"');
    const lossy = document.replace('"mode": "enforce"', '"mode": "enforce",\n  "version": 12345678901234567000');
    for (const text of [twice, lossy, JSON.stringify(JSON.parse(document)), document.trimEnd(), `${document} `, "[]\n", '{"a":']) {
      expect(text).not.toBe(document);
      expect([text.slice(0, 40), readPublished(text)]).toEqual([text.slice(0, 40), undefined]);
    }
    expect(() => parsePolicy(twice)).toThrow(/policy:\d+:\d+/);
    expect(() => parsePolicy(lossy)).toThrow("does not survive");
  });

  it.each(["../other/s.json", "/etc/passwd", "./a/../../s.json", "C:/s.json"])("has no schema file outside its own folder: %s", (name) => {
    const text = withFile.replace("./s.json", name);
    const readFile = () => expect.fail("it was read");
    expect(() => publishable(text, "policies/p.yaml", readFile)).toThrow(/p\.yaml:6:5 actions\.act\.arguments: .*in the folder of the document/);
  });

  it("quotes nothing of a file that is no schema", () => {
    expect(() => publishable(withFile, "p.yaml", () => "root:x:0:0:secret")).toThrow(/it is not valid JSON/);
    expect(() => publishable(withFile, "p.yaml", () => "root:x:0:0:secret")).not.toThrow(/root|secret/);
  });

  it("looks for files beside the document", () => {
    const asked: string[] = [];
    inlineFiles(withFile, "policies/p.yaml", (path) => {
      asked.push(path);
      return "{}";
    });
    expect(asked).toEqual(["policies/s.json"]);
  });

  it.each([
    [
      "cannot be read",
      () => {
        throw new Error("ENOENT");
      },
      "ENOENT",
    ],
    ["is no JSON", () => "{", "not valid JSON"],
    ["holds a key twice", () => '{"type":"object","type":"string"}', "twice"],
    ["is no schema", () => '{"type":"objct"}', "schema is invalid"],
    ["refers to another file", () => '{"$ref":"other.json"}', "which is not inside it"],
    ["has a pattern outside RE2", () => '{"type":"string","pattern":"(a)\\\\1"}', "invalid"],
  ])("is refused with the place of the name when the schema file %s", (_, readFile, message) => {
    expect(() => publishable(withFile, "p.yaml", readFile)).toThrow(new RegExp(`p\\.yaml:6:5 actions\\.act\\.arguments: .*${message}`));
  });

  it("cannot be compiled while a schema is still the name of a file", () => {
    expect(() => compilePolicy(parsePolicy(withFile, { file: "p.yaml" }))).toThrow("inline it before");
  });
});
