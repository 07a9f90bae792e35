import { z } from "zod";

/** Which deliveries to list. Values of a query are texts. */
export const notificationsRequest = z.strictObject({
  failed: z.enum(["true", "false"]).optional().describe("true: only those that failed, or whose last attempt did."),
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, "must be a number from 1 to 1000")
    .optional(),
});

const notification = z
  .object({
    key: z.string().describe("What was noticed: item/ID/VERDICT/STEP, batch/ID. The same key is never noticed twice on a channel."),
    workspace: z.string(),
    owner: z.string().nullable(),
    kind: z.enum(["decide", "review", "held", "doubt", "unstarted", "batch", "test"]),
    channel: z.string(),
    action: z.enum(["notify", "resolve"]).describe("resolve: what was paged is decided."),
    state: z
      .enum(["due", "sending", "sent", "failed", "dropped"])
      .describe("due: it is sent later, or tried again; dropped: it was decided before it went out."),
    due: z.int(),
    attempts: z.int(),
    answer: z.string().nullable().describe("What came back last, or why it was not sent."),
    at: z.int().describe("When the state last changed."),
  })
  .meta({ id: "Notification" });

/** Deliveries of notices, newest first. */
export const notificationsAnswer = z
  .object({ sends: z.boolean().describe("Whether this server sends notices at all (up --notify)."), notifications: z.array(notification) })
  .meta({ id: "NotificationsAnswer" });

export type NotificationsAnswer = z.infer<typeof notificationsAnswer>;
