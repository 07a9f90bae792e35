import { compilePolicy } from "../policy/compile.ts";
import type { CompiledPolicy } from "../policy/compiled.ts";
import { parsePolicy } from "../policy/document/document.ts";
import { parseTests } from "../policy/testing/file.ts";
import { runCases } from "../policy/testing/run.ts";
import type { Judged } from "./judged.ts";
import type { ReviewedExample } from "./reviewed-example.ts";

/** A version of a policy as it was published. */
export interface PublishedVersion {
  readonly workspace: string;
  readonly policyId: string;
  readonly sha256: string;
  readonly text: string;
}

/** Why a case would not test what a person decided. */
export type CaseFault = "policy_not_published" | "case_not_readable" | "budget_decided" | "redacted_value_decided" | "not_reproduced";

/**
 * Tells whether a case says enough: under the document that judged the proposal (where that is not in the log, the newest of the policy) it must
 * not flow, and the rules that took hold then must take hold again, and no others. Else it would fail, or pass, for another reason than a hole in the policy.
 */
export class CaseCheck {
  private readonly versions: readonly PublishedVersion[];
  private readonly compiled = new Map<PublishedVersion, CompiledPolicy | null>();

  /** @param versions oldest first */
  constructor(versions: readonly PublishedVersion[]) {
    this.versions = versions;
  }

  /** @param file a test file that holds the case alone */
  faultOf(file: string, { workspace, policy, presented }: ReviewedExample, judged: Judged): CaseFault | null {
    const own = this.versions.filter((v) => v.workspace === workspace && v.policyId === policy?.id);
    const version = own.findLast((v) => v.sha256 === policy?.sha256) ?? own.at(-1);
    const document = version && this.compiledOf(version);
    if (document == null) return "policy_not_published";
    const isSame = version?.sha256 === policy?.sha256;
    const verdict = verdictOn(file, document);
    if (verdict === undefined) return "case_not_readable";
    const again = new Set(verdict.matched.map(({ rule }) => rule).filter((rule) => document.ids.has(rule)));
    const before = new Set(judged.matched.filter((rule) => document.ids.has(rule)));
    const lost = isSame ? [...before].filter((rule) => !again.has(rule)) : [];
    const isOther = lost.length > 0 || (isSame && again.size !== before.size);
    if (verdict.route !== "allow" && !isOther && (judged.failed || verdict.error === null)) return null;
    if (lost.some((rule) => document.budgets.some(({ id }) => id === rule))) return "budget_decided";
    return judged.hidden || presented.some((a) => a.argsSha256 === null) ? "redacted_value_decided" : "not_reproduced";
  }

  private compiledOf(version: PublishedVersion): CompiledPolicy | null {
    let known = this.compiled.get(version);
    if (known === undefined) this.compiled.set(version, (known = compiledFrom(version)));
    return known;
  }
}

function compiledFrom({ text, policyId }: PublishedVersion): CompiledPolicy | null {
  try {
    return compilePolicy(parsePolicy(text, { file: policyId }));
  } catch {
    return null;
  }
}

function verdictOn(file: string, document: CompiledPolicy) {
  try {
    return runCases([document], parseTests(file, "case").cases)[0]?.verdict;
  } catch {
    return undefined;
  }
}
