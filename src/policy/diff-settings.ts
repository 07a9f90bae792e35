import { retriesOf } from "./compile.ts";
import { type Aspect, type Compare, differing, less, more, other, scale } from "./diff-aspects.ts";
import { reaches } from "./lint-places.ts";
import type { LoadedPolicy } from "./loaded.ts";
import { EXPORT_TREATMENTS, type PolicyContent } from "./shape.ts";
import { spanText } from "./span.ts";

/** Parts of what two documents say that differ, though no verdict on a proposal shows it. */
export interface SettingsDifference {
  /** A tool, or the publication of the document. */
  readonly action: string;
  readonly aspects: readonly Aspect[];
}

/** Name of what is compared beside actions. */
const PUBLICATION = "(the publication of this document)";

/** What a change loosens beside verdicts: who approves the next change, how often the clock tries again, who reads which argument. */
export function settingsDiffer(before: LoadedPolicy, after: LoadedPolicy, tools: readonly string[]): SettingsDifference[] {
  const [was, is] = [before.document.content, after.document.content];
  const found = [
    { action: PUBLICATION, aspects: differing(PUBLICATIONS, was, is) },
    ...tools.map((action) => ({ action, aspects: [...differing(retries(action), before, after), ...fieldAspects(was, is, action)] })),
  ];
  return found.filter(({ aspects }) => aspects.length > 0);
}

/** Without approval, whoever may write to the log publishes. */
const PUBLICATIONS: readonly Compare<PolicyContent>[] = [
  less("approvals", ({ publish }) => (publish === undefined ? 0 : (publish.approval.approvals ?? 1))),
  other("owner", ({ publish, owner }) => (publish === undefined ? "nobody" : (publish.approval.owner ?? owner))),
  other("expires", ({ publish }) => (publish === undefined ? "never" : `after ${spanText(publish.approval.timeout ?? DAY)}`)),
];

const DAY = 86_400_000;

function retries(tool: string): Compare<LoadedPolicy>[] {
  return [
    more("retries by the clock", ({ compiled, document }) => (compiled.find(tool).length === 0 ? undefined : retriesOf([compiled], document.workspace, tool))),
  ];
}

const CLASSES = ["open", "personal", "secret"] as const;
/** What an export does with a class for which the field says nothing. */
const BY_CLASS: Readonly<Record<string, (typeof EXPORT_TREATMENTS)[number]>> = { secret: "drop", personal: "pseudonym" };

/** How careful a document is with the arguments of a tool. */
function fieldAspects(was: PolicyContent, is: PolicyContent, tool: string): Aspect[] {
  const describes = ({ actions }: PolicyContent) => Object.keys(actions).some((name) => reaches({ action: [name] }, tool));
  // A tool that one of them does not describe is judged otherwise as a whole.
  if (!describes(was) || !describes(is)) return [];
  const paths = [was, is].flatMap(({ actions }) => Object.values(actions).flatMap(({ fields }) => Object.keys(fields ?? {})));
  return [...new Set(paths)].flatMap((path) => {
    const saying = ({ actions }: PolicyContent) =>
      Object.entries(actions).flatMap(([name, { fields }]) => (reaches({ action: [name] }, tool) && fields?.[path] ? [fields[path]] : []));
    const compares: Compare<PolicyContent>[] = [
      scale(`class of ${path}`, CLASSES, (content) => {
        const classes = saying(content).map((field) => field.class);
        return classes.includes("secret") ? "secret" : classes.includes("personal") ? "personal" : "open";
      }),
      more(
        `export of ${path}`,
        (content) => {
          const treatments = saying(content).flatMap((field) => field.export ?? BY_CLASS[field.class ?? ""] ?? []);
          return treatments.length === 0 ? undefined : Math.min(...treatments.map((word) => EXPORT_TREATMENTS.indexOf(word)));
        },
        (at) => EXPORT_TREATMENTS[at] as string,
      ),
    ];
    return differing(compares, was, is);
  });
}
