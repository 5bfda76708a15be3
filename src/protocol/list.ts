/** The filter and the pages of the list of locks. */
import { z } from "zod";
import type { ListFilter, LockPage } from "../lock-manager.js";
import { agentIdField, durationField, modeField, resourcePathField } from "./fields.js";
import { lockFromJson, lockSchema, lockToJson } from "./lock.js";

const wholeNumber = z
  .string()
  .regex(/^\d{1,6}$/, "a whole number from 1 to 1000")
  .transform(Number)
  .meta({ type: "integer", minimum: 1, maximum: 1000, description: "How many locks at most. Default 1000." });

const filter = {
  agent_id: agentIdField.optional().meta({ description: "Only locks of this agent." }),
  prefix: resourcePathField.optional().meta({ description: "This path and everything below it." }),
  resource_type: z.string().optional().meta({ description: "Only paths with this first segment." }),
  mode: modeField.optional(),
  expiring_within: z
    .string()
    .optional()
    .meta({ description: "Only locks that expire within this time.", examples: ["1m"] }),
  cursor: z
    .string()
    .optional()
    .meta({ description: "`next_cursor` of the page before, whose filter was the same." }),
};

/** The filter as a query has it. */
export const listQuerySchema = z.strictObject({ ...filter, limit: wholeNumber.optional() });

/** The filter as a message has it. */
export const listRequestSchema = z.strictObject({
  ...filter,
  expiring_within: durationField.optional(),
  limit: z.number({ error: "a whole number from 1 to 1000" }).optional(),
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

type LockPageJson = z.output<typeof lockPageSchema>;

export function listFilter(request: z.output<typeof listRequestSchema>): ListFilter {
  return {
    ...(request.prefix !== undefined && { prefix: request.prefix }),
    ...(request.agent_id !== undefined && { agentId: request.agent_id }),
    ...(request.resource_type !== undefined && { resourceType: request.resource_type }),
    ...(request.mode !== undefined && { mode: request.mode }),
    ...(request.expiring_within !== undefined && { expiringWithin: request.expiring_within }),
    ...(request.limit !== undefined && { limit: request.limit }),
    ...(request.cursor !== undefined && { cursor: request.cursor }),
  };
}

export function lockPageToJson({ locks, nextCursor }: LockPage, now: Date): LockPageJson {
  return { locks: locks.map((lock) => lockToJson(lock, now)), next_cursor: nextCursor ?? null };
}

export function lockPageFromJson({ locks, next_cursor }: LockPageJson): LockPage {
  return { locks: locks.map(lockFromJson), ...(next_cursor !== null && { nextCursor: next_cursor }) };
}
