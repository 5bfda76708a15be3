/** The message that ends locks, in one of four ways. */
import { z } from "zod";
import { maxNamedLocks } from "./extend.js";
import { agentIdField, lockIdField, reasonField, resourcePathField } from "./fields.js";
import { lockSchema } from "./lock.js";

export const releaseRequestSchema = z
  .strictObject({
    locks: z
      .array(z.strictObject({ resource_path: resourcePathField, lock_id: lockIdField.optional() }), {
        error: "a list of objects with resource_path and lock_id",
      })
      .max(maxNamedLocks, `at most ${maxNamedLocks} locks`)
      .optional()
      .meta({ description: "Which locks. With `force` the `lock_id` may be left out: all on the path." }),
    all: z.literal(true, { error: "true" }).optional().meta({ description: "Everything the agent holds." }),
    acquired_with: z.string({ error: "the Idempotency-Key of an acquire" }).optional().meta({
      description:
        "What an acquire with this `Idempotency-Key` got. An acquire that still waits, or comes later, is aborted.",
    }),
    force: z
      .boolean({ error: "true or false" })
      .optional()
      .meta({ description: "End `locks` whoever holds them; their holders are told. Needs a `reason`." }),
    reason: reasonField.optional(),
    agent_id: agentIdField.optional(),
  })
  .meta({ id: "ReleaseRequest" });

export type ReleaseRequest = z.output<typeof releaseRequestSchema>;

export const releasedSchema = z
  .object({
    released: z.array(z.boolean()).meta({
      description: "One for each lock; false when nothing was in force under that id on that path.",
    }),
    locks: z
      .array(lockSchema)
      .optional()
      .meta({ description: "The locks that were ended, where the request did not name them by their ids." }),
  })
  .meta({ id: "Released" });
