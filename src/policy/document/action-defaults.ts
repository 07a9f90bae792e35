import { type EXECUTIONS, REVERSIBILITIES, TIERS, type Tier, worst } from "../tiers.ts";

/** What a tag or an annotation says of an action that says nothing itself. */
export interface ActionDefaults {
  readonly reversibility?: (typeof REVERSIBILITIES)[number] | undefined;
  readonly risk?: Tier | undefined;
}

/** Tags that every document knows, with what they mean for an action that names no reversibility or no risk of its own. */
export const EFFECT_DEFAULTS: Readonly<Record<string, ActionDefaults>> = {
  money: { reversibility: "irreversible", risk: "high" },
  "external-comms": { reversibility: "irreversible", risk: "medium" },
  "data-loss": { reversibility: "irreversible", risk: "high" },
  access: { reversibility: "partially", risk: "high" },
  prod: { reversibility: "partially", risk: "high" },
};

/** What an MCP server says of a tool. All of it is a hint by somebody whom nobody has checked. */
export interface Annotations {
  readonly readOnlyHint?: boolean | undefined;
  readonly destructiveHint?: boolean | undefined;
  readonly idempotentHint?: boolean | undefined;
  readonly openWorldHint?: boolean | undefined;
}

interface Described {
  readonly effects: readonly string[];
  readonly annotations?: Annotations | undefined;
  readonly reversibility?: (typeof REVERSIBILITIES)[number] | undefined;
  readonly execution?: (typeof EXECUTIONS)[number] | undefined;
  readonly risk?: Tier | undefined;
  readonly points?: number | undefined;
}

interface Defaults {
  readonly annotations: "stricter" | "trust";
  readonly effects: Readonly<Record<string, ActionDefaults>>;
}

/** What an action comes to with its tags and annotations. Undefined: nobody says it. */
export interface Settled {
  readonly reversibility: (typeof REVERSIBILITIES)[number] | undefined;
  readonly execution: (typeof EXECUTIONS)[number];
  readonly risk: Tier | undefined;
  readonly points: number | undefined;
}

/**
 * Fills in what an action leaves out, from its effect tags and MCP annotations: the most severe of them. What the action says itself
 * stands, but for a warning of the server ("destructive"), which makes it irreversible: a hint may always make stricter. What is
 * reassuring in annotations counts only where the document trusts them.
 */
export function settle(action: Described, defaults: Defaults): Settled {
  const tags = action.effects.map((tag) => defaults.effects[tag] ?? EFFECT_DEFAULTS[tag] ?? {});
  const hints = action.annotations === undefined ? undefined : hinted(action.annotations);
  const trusted = defaults.annotations === "trust" ? hints : undefined;
  const said = [...tags, ...(trusted === undefined ? [] : [trusted])];
  const own =
    action.reversibility ??
    most(
      REVERSIBILITIES,
      said.map((part) => part.reversibility),
    ) ??
    (hints && "irreversible");
  const names = action.risk !== undefined || action.points !== undefined;
  return {
    reversibility: action.annotations?.destructiveHint === true ? "irreversible" : own,
    execution: action.execution ?? trusted?.execution ?? "blind",
    risk: names
      ? action.risk
      : (most(
          TIERS,
          said.map((part) => part.risk),
        ) ??
        (hints && "high")),
    points: action.points,
  };
}

/**
 * By the defaults of the MCP specification: what does not say that it only reads is destructive, and reaches an open world. A tool that says
 * both of itself is taken by the worse: somebody has made a mistake.
 */
function hinted({
  readOnlyHint: readOnly,
  destructiveHint,
  idempotentHint,
  openWorldHint,
}: Annotations): ActionDefaults & { execution: "idempotent" | "blind" } {
  const readOnlyHint = readOnly === true && destructiveHint !== true;
  const execution = readOnlyHint || idempotentHint === true ? "idempotent" : "blind";
  if (readOnlyHint) return { reversibility: "reversible", risk: "low", execution };
  if (destructiveHint !== false) return { reversibility: "irreversible", risk: "high", execution };
  return openWorldHint === false ? { reversibility: "partially", risk: "medium", execution } : { reversibility: "irreversible", risk: "medium", execution };
}

function most<T extends string>(scale: readonly T[], values: readonly (T | undefined)[]): T | undefined {
  return values.reduce<T | undefined>((top, value) => (value === undefined ? top : top === undefined ? value : worst(scale, top, value)), undefined);
}
