/** The filter and the pages of the list of locks. */
import { z } from "zod";
import { agentIdField, modeField, resourcePathField } from "./fields.js";
import { lockSchema } from "./lock.js";

const wholeNumber = z
  .string()
  .regex(/^\d{1,6}$/, "a whole number from 1 to 1000")
  .transform(Number)
  .meta({ type: "integer", minimum: 1, maximum: 1000, description: "How many locks at most. Default 1000." });

export const listQuerySchema = z.strictObject({
  agent_id: agentIdField.optional().meta({ description: "Only locks of this agent." }),
  prefix: resourcePathField.optional().meta({ description: "This path and everything below it." }),
  resource_type: z.string().optional().meta({ description: "Only paths with this first segment." }),
  mode: modeField.optional(),
  expiring_within: z
    .string()
    .optional()
    .meta({ description: "Only locks that expire within this time.", examples: ["1m"] }),
  limit: wholeNumber.optional(),
  cursor: z
    .string()
    .optional()
    .meta({ description: "`next_cursor` of the page before, whose filter was the same." }),
});

export const lockPageSchema = z
  .object({
    locks: z
      .array(lockSchema)
      .meta({ description: "In byte order of their paths; those of one path in the order of their grants." }),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: "Null on the last page. A page may be empty and not the last." }),
  })
  .meta({ id: "LockPage" });
