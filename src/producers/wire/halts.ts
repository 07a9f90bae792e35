import { z } from "zod";
import { eventId, moment, name, text } from "./common.ts";

/** What to halt, and why. */
export const haltRequest = z
  .strictObject({
    scope: z
      .strictObject({ agent: name().optional(), action: name().optional().describe("Name of a tool.") })
      .default({})
      .describe("What fits all of these; without any, everything in the workspace."),
    reason: text(2000).min(1).describe("Told to everybody whom it stops."),
    expiresAt: moment.optional().describe("When it ends by itself. Default: only when somebody lifts it."),
    eventId: eventId.optional().describe("Own UUID: sent again with it, a halt whose answer was lost is not made twice."),
  })
  .meta({ id: "HaltRequest" });

/** Why it is lifted. */
export const liftRequest = z.strictObject({ reason: text(2000).optional() }).meta({ id: "LiftRequest" });

const halt = z
  .object({
    eventId: z.string(),
    workspace: z.string(),
    scope: z.object({ agent: z.string().optional(), action: z.string().optional() }),
    reason: z.string().nullable(),
    by: z.string(),
    at: z.int(),
    expiresAt: z.int().nullable(),
  })
  .meta({ id: "Halt" });

/** A halt that is in force, and what it came too late for. */
export const haltAnswer = z
  .object({
    halt,
    started: z
      .array(
        z.object({
          itemId: z.string(),
          agent: z.string(),
          tool: z.string().nullable(),
          actionId: z.string().nullable(),
          endsAt: z.int().nullable().describe("When the executor's lease ends; null where nobody knows how it ended."),
          stage: z.string(),
        }),
      )
      .describe("What had started already: a halt does not stop it."),
    revoked: z.int().describe("Grants that were taken back before they were started."),
    unknown: z
      .array(z.enum(["agent", "action"]))
      .describe("What of the scope nothing goes by, perhaps a slip: no recent item is of this agent, no policy describes this action. The halt stands."),
    revoking: z.int().describe("Grants that are still to be taken back. They cannot be started any more."),
    waiting: z.array(z.string()).describe("Items with a granted roll_back or retry, which nobody has started: it cannot be started before the lift."),
  })
  .meta({ id: "HaltAnswer" });

/** The halts in force. */
export const haltsAnswer = z.object({ halts: z.array(halt) }).meta({ id: "HaltsAnswer" });

/** A halt that was lifted. */
export const liftAnswer = z.object({ halt, eventId: z.string() }).meta({ id: "LiftAnswer" });

export type HaltRequest = z.input<typeof haltRequest>;
export type HaltAnswer = z.infer<typeof haltAnswer>;
export type HaltsAnswer = z.infer<typeof haltsAnswer>;
export type LiftAnswer = z.infer<typeof liftAnswer>;
