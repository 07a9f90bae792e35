import { Duration } from "luxon";
import { retriesOf } from "../catalogue.ts";
import { reaches } from "../conditions/places.ts";
import type { LoadedPolicy } from "../document/loaded.ts";
import { EXPORT_TREATMENTS, type PolicyContent } from "../document/shape.ts";
import { spanText } from "../span.ts";
import { type Aspect, type Compare, differing, less, more, other, scale } from "./aspects.ts";

/** Parts of what two documents say that differ, though no verdict on a proposal shows it. */
export interface SettingsDifference {
  /** A tool, the publication of the document, or its floors. */
  readonly action: string;
  readonly aspects: readonly Aspect[];
}

/** Name of what is compared beside actions. */
const PUBLICATION = "(the publication of this document)";
const FLOORS = "(the floors of this document)";

/** What a change loosens beside verdicts: who approves the next change, what a grant may lower, how often the clock tries again, how long records are kept, who reads which argument. */
export function settingsDiffer(before: LoadedPolicy, after: LoadedPolicy, tools: readonly string[]): SettingsDifference[] {
  const [was, is] = [before.document.content, after.document.content];
  const found = [
    { action: PUBLICATION, aspects: differing(PUBLICATIONS, was, is) },
    { action: FLOORS, aspects: differing(layers(was, is), was, is) },
    ...tools.map((action) => ({
      action,
      aspects: [...differing(retries(action), before, after), ...differing(records(was, is, action), was, is), ...fieldAspects(was, is, action)],
    })),
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

/** A floor that becomes a rule may be lowered by the next grant, though no grant of today shows it. */
function layers(...contents: readonly PolicyContent[]): Compare<PolicyContent>[] {
  const ids = new Set(contents.flatMap(({ floors }) => floors.map(({ id }) => id)));
  const stands = ({ floors }: Pick<PolicyContent, "floors">, id: string) => floors.some((floor) => floor.id === id);
  return [...ids].flatMap((id) =>
    contents.every(({ floors, rules }) => stands({ floors }, id) || stands({ floors: rules }, id))
      ? [scale<PolicyContent>(`layer of ${id}`, ["rule", "floor"], (content) => (stands(content, id) ? "floor" : "rule"))]
      : [],
  );
}

/** How long the records of a tool are kept, as its own entries or the document say: the longest counts, and none said is the shortest. */
function records(was: PolicyContent, is: PolicyContent, tool: string): Compare<PolicyContent>[] {
  if (!describes(was, tool) || !describes(is, tool)) return [];
  return [
    less(
      "audit record kept",
      ({ require, actions }) => {
        const own = Object.entries(actions).flatMap(([name, action]) => (reaches({ action: [name] }, tool) ? [action.require?.audit_retention] : []));
        return Math.max(0, ...[require?.audit_retention, ...own].map((text) => (text === undefined ? 0 : Duration.fromISO(text).as("days"))));
      },
      (days) => (days === 0 ? "no time said" : `${Math.round(days)} days`),
    ),
  ];
}

function describes({ actions }: PolicyContent, tool: string): boolean {
  return Object.keys(actions).some((name) => reaches({ action: [name] }, tool));
}

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
  // A tool that one of them does not describe is judged otherwise as a whole.
  if (!describes(was, tool) || !describes(is, tool)) return [];
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
