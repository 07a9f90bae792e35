import { z } from "zod";
import { moment, text } from "./common.ts";

/** What an approval lets run beyond itself. */
export const standingRequest = z
  .strictObject({
    scope: z.enum(["run", "agent"]).default("run").describe("run: alike proposals of the same run; agent: those of the same agent in any run."),
    max: z.int().min(1).max(1000).describe("How many more actions, at most; each step of a plan counts."),
    amount: z
      .string()
      .regex(/^\d{1,15}(\.\d{1,12})?$/, "must be a decimal number as a string")
      .optional()
      .describe("Up to which amount in all; needs a policy that says where the tool's amount lies."),
    until: moment.optional().describe("Until when. Default: a day from now; at most seven days."),
  })
  .meta({ id: "StandingRequest" });

/** Why it is revoked. */
export const standingRevokeRequest = z.strictObject({ reason: text(2000).optional() }).meta({ id: "StandingRevokeRequest" });

/** A standing approval and what has been used of it. */
export const standingView = z
  .object({
    eventId: z.string(),
    itemId: z.string().describe("The item that it was given with."),
    by: z.string(),
    at: z.int(),
    scope: z.object({ agent: z.string(), tools: z.array(z.string()), thread: z.string().nullable() }),
    max: z.int(),
    amount: z.string().nullable(),
    until: z.int(),
    used: z.array(z.string()).describe("The items that it let pass."),
    usedActions: z.int().describe("How many actions these have in all: each step of a plan counts."),
    usedAmount: z.string().nullable(),
    overshot: z.boolean().describe("A finding: more was let pass than it allows. What is beyond it is withheld where it was not granted yet."),
    revoked: z.object({ by: z.string(), at: z.int(), reason: z.string().nullable() }).nullable(),
    inForce: z.boolean(),
  })
  .meta({ id: "StandingApproval" });

/** Standing approvals. */
export const standingsAnswer = z.object({ standing: z.array(standingView) }).meta({ id: "StandingsAnswer" });

/** Which to list. */
export const standingsRequest = z.strictObject({ all: z.enum(["true", "false"]).optional().describe("true: those as well that are over.") });

export type StandingView = z.infer<typeof standingView>;
export type StandingsAnswer = z.infer<typeof standingsAnswer>;
