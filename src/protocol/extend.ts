/** The message that extends locks. */
import { z } from "zod";
import { agentIdField, durationField, lockIdField, millisecondsField, resourcePathField } from "./fields.js";

/** As many locks as one message may name. */
export const maxNamedLocks = 100;

export const extendRequestSchema = z
  .strictObject({
    locks: z
      .array(z.strictObject({ resource_path: resourcePathField, lock_id: lockIdField }), {
        error: "a list of objects with resource_path and lock_id",
      })
      .max(maxNamedLocks, `at most ${maxNamedLocks} locks`),
    agent_id: agentIdField.optional(),
    ttl: durationField.optional().meta({ description: "From now on. Default: the ttl each lock has." }),
    ttl_ms: millisecondsField.optional(),
  })
  .meta({ id: "ExtendRequest" });

export type ExtendRequest = z.output<typeof extendRequestSchema>;
