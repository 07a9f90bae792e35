import { messageOf } from "../../errors.ts";
import { checkPolicy } from "../document/document.ts";
import { type LoadedPolicy, loadPolicy } from "../document/loaded.ts";
import type { ReadFile } from "../document/publish.ts";
import { dotted } from "../problems.ts";
import { ACTION_CHECKS } from "./actions.ts";
import { CONDITION_CHECKS } from "./conditions.ts";
import { EFFECT_CHECKS } from "./effects.ts";
import type { Finding, Found } from "./finding.ts";
import { ORDER_CHECKS } from "./orders.ts";
import { PEOPLE_CHECKS } from "./people.ts";

/**
 * Everything that is wrong or doubtful about a policy document. An error is what keeps it from being loaded, or makes a condition mean
 * something else than it says; a warning is most likely a mistake; a note is a choice that should be made on purpose.
 */
export function lintPolicy(text: string, file: string, readFile: ReadFile, now?: number): { policy?: LoadedPolicy; findings: readonly Finding[] } {
  const { problems } = checkPolicy(text, { file });
  if (problems.length > 0)
    return {
      findings: problems.map(({ path, message, line = 1, column = 1 }) => ({
        severity: "error",
        code: "invalid",
        file,
        line,
        column,
        message: `${path.length > 0 ? `${dotted(path)}: ` : ""}${message}`,
        fix: "",
      })),
    };
  let policy: LoadedPolicy;
  try {
    policy = loadPolicy(text, file, readFile);
  } catch (error) {
    return { findings: linesOf(messageOf(error), file) };
  }
  const findings = [...ACTION_CHECKS, ...CONDITION_CHECKS, ...EFFECT_CHECKS, ...PEOPLE_CHECKS, ...ORDER_CHECKS].flatMap((check) =>
    check(policy, now).map((found) => placed(policy, found)),
  );
  return { policy, findings: sorted(findings) };
}

/** Policies that are judged together may contradict each other although each is sound. */
export function lintTogether(policies: readonly LoadedPolicy[]): Finding[] {
  const findings: Finding[] = [];
  for (const [i, one] of policies.entries())
    for (const other of policies.slice(i + 1)) {
      if (one.document.workspace !== other.document.workspace) continue;
      if (one.document.id === other.document.id)
        findings.push(
          placed(other, {
            severity: "error",
            code: "same-id",
            path: ["policy"],
            message: `${JSON.stringify(one.document.id)} is the id of ${one.file} as well: the one published last would replace the other`,
            fix: "give each document of a workspace an id of its own",
          }),
        );
      for (const [name, action] of Object.entries(other.document.content.actions)) {
        const same = one.document.content.actions[name];
        if (same === undefined || same.decisions.some((decision) => action.decisions.includes(decision))) continue;
        findings.push(
          placed(other, {
            severity: "warning",
            code: "no-decision",
            path: ["actions", name, "decisions"],
            message: `${name} allows ${action.decisions.join(", ")} here and ${same.decisions.join(", ")} in ${one.file}: together they leave a person no decision (policy_error)`,
            fix: "let both allow at least reject",
          }),
        );
      }
    }
  return sorted(findings);
}

function placed({ file, source }: LoadedPolicy, { severity = "warning", code, path, message, fix }: Found): Finding {
  return { severity, code, file, ...source.place(path), message, fix };
}

function sorted(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => a.line - b.line || a.column - b.column || (a.code < b.code ? -1 : 1));
}

/** The problems of an error that lists them, one a line as file:line:column. */
function linesOf(message: string, file: string): Finding[] {
  const found = [...message.matchAll(/^ {2}.*?:(\d+):(\d+) (.*)$/gm)];
  const common = { severity: "error", code: "invalid", file, fix: "" } as const;
  if (found.length === 0) return [{ ...common, line: 1, column: 1, message }];
  return found.map(([, line, column, text = ""]) => ({ ...common, line: Number(line), column: Number(column), message: text }));
}
