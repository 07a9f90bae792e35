import { sha256 } from "../../events/canonical.ts";
import { compilePolicy } from "../compile.ts";
import type { CompiledPolicy } from "../compiled.ts";
import { policyInvalid } from "../problems.ts";
import { checkValue, type PolicyDocument, parsePolicy } from "./document.ts";
import { inlineFiles, type ReadFile } from "./publish.ts";
import { readYaml, type Source } from "./yaml.ts";

/** A policy file with everything that the tools need of it. */
export interface LoadedPolicy {
  /** As it was named. */
  readonly file: string;
  /** Places of everything in the file, for messages. */
  readonly source: Source;
  /** The document as it is published: a JSON value with its files inlined. */
  readonly value: unknown;
  readonly document: PolicyDocument;
  readonly compiled: CompiledPolicy;
}

/**
 * Loads a policy as `up --policy` does: checked as it is written, files inlined, compiled.
 *
 * @throws CountersignError policy_invalid with file:line:column of every problem
 */
export function loadPolicy(text: string, file: string, readFile: ReadFile): LoadedPolicy {
  parsePolicy(text, { file });
  const published = inlineFiles(text, file, readFile);
  const value: unknown = JSON.parse(published);
  const { document, problems } = checkValue(value, { file, sha256: sha256(published) });
  const source = readYaml(text);
  if (document === undefined)
    throw policyInvalid(
      file,
      problems.map((problem) => ({ ...problem, ...source.place(problem.path) })),
    );
  return { file, source, value, document, compiled: compilePolicy(document) };
}
