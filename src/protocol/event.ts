/** Events on the wire: one schema for the stream of HTTP, the WebSocket and `watch --json`. */
import { z } from "zod";
import type { LockEvent, LockEventType } from "../lock-manager.js";
import {
  agentIdField,
  lockIdField,
  millisecondsUntil,
  modeField,
  reasonField,
  resourcePathField,
  scopeField,
  timeField,
} from "./fields.js";

/** All of them: the compiler misses one that is not here. */
const everyType: Readonly<Record<LockEventType, LockEventType>> = {
  acquired: "acquired",
  extended: "extended",
  released: "released",
  expired: "expired",
  revoked: "revoked",
  lost: "lost",
  contended: "contended",
  queued: "queued",
  dequeued: "dequeued",
  refused: "refused",
  failed: "failed",
  reset: "reset",
};
export const eventTypes: readonly LockEventType[] = Object.values(everyType);

const typeField = z.enum(everyType, { error: `only ${eventTypes.join(", ")}` });

/** Belongs to one server and its life: another one has never given it, and says so with a `reset`. */
const eventIdField = z.int().nonnegative();

export const eventSchema = z
  .object({
    id: eventIdField.meta({
      description:
        "Rises strictly. Given back as `since`, the stream goes on behind it. Belongs to one server, until that restarts.",
    }),
    type: typeField.meta({
      description:
        "`reset`: events are missing before this one, because they are no longer known or the reader was too slow.",
    }),
    at: timeField.meta({ description: "Store time." }),
    resource_path: resourcePathField,
    resource_type: z.string().meta({ description: "The first segment of the path; `/` for the root." }),
    lock_id: lockIdField.optional(),
    agent_id: agentIdField.optional().meta({ description: "Whose lock or claim it is." }),
    mode: modeField.optional(),
    scope: scopeField.optional(),
    reason: reasonField.optional(),
    fencing_token: z.int().optional(),
    waited_ms: z.int().optional().meta({ description: "`acquired`, `refused`: how long the acquire took." }),
    held_ms: z
      .int()
      .optional()
      .meta({ description: "`released`, `expired`, `revoked`: how long the lock was held." }),
    expires_at: timeField.optional(),
    expires_in_ms: z.int().optional().meta({ description: "From `at` until `expires_at`." }),
    cause: z.string().optional().meta({
      description:
        "Why: an error code; for `expired` who noticed (`timer`, `takeover`, `sweep`); for `lost` how.",
    }),
    call: z
      .enum(["acquire", "release", "extend"])
      .optional()
      .meta({ description: "`refused`, `failed`: which call." }),
    by: z.string().optional().meta({ description: "`revoked`: who ordered it." }),
  })
  .meta({ id: "Event", description: "Something that happened, told once." });

export type EventJson = z.output<typeof eventSchema>;

export function eventToJson(event: LockEvent): EventJson {
  const { lockId, agentId, mode, scope, reason, fencingToken, waitedMs, heldMs, expiresAt, cause, call, by } =
    event;
  return {
    id: event.id,
    type: event.type,
    at: event.at.toISOString(),
    resource_path: event.resourcePath,
    resource_type: event.resourceType,
    ...(lockId !== undefined && { lock_id: lockId }),
    ...(agentId !== undefined && { agent_id: agentId }),
    ...(mode !== undefined && { mode }),
    ...(scope !== undefined && { scope }),
    ...(reason !== undefined && { reason }),
    ...(fencingToken !== undefined && { fencing_token: fencingToken }),
    ...(waitedMs !== undefined && { waited_ms: Math.round(waitedMs) }),
    ...(heldMs !== undefined && { held_ms: Math.round(heldMs) }),
    ...(expiresAt !== undefined && {
      expires_at: expiresAt.toISOString(),
      expires_in_ms: millisecondsUntil(expiresAt, event.at),
    }),
    ...(cause !== undefined && { cause }),
    ...(call !== undefined && { call }),
    ...(by !== undefined && { by }),
  };
}

export function eventFromJson(json: EventJson): LockEvent {
  const { lock_id, agent_id, mode, scope, reason, fencing_token, waited_ms, held_ms } = json;
  const { expires_at, cause, call, by } = json;
  return {
    id: json.id,
    type: json.type,
    at: new Date(json.at),
    resourcePath: json.resource_path,
    resourceType: json.resource_type,
    ...(lock_id !== undefined && { lockId: lock_id }),
    ...(agent_id !== undefined && { agentId: agent_id }),
    ...(mode !== undefined && { mode }),
    ...(scope !== undefined && { scope }),
    ...(reason !== undefined && { reason }),
    ...(fencing_token !== undefined && { fencingToken: fencing_token }),
    ...(waited_ms !== undefined && { waitedMs: waited_ms }),
    ...(held_ms !== undefined && { heldMs: held_ms }),
    ...(expires_at !== undefined && { expiresAt: new Date(expires_at) }),
    ...(cause !== undefined && { cause }),
    ...(call !== undefined && { call }),
    ...(by !== undefined && { by }),
  };
}

const prefixField = resourcePathField.meta({ description: "This path and everything below it." });
const typesField = z
  .array(typeField, { error: "a list of event types" })
  .min(1, "at least one event type")
  .max(eventTypes.length, "each event type once");
const sinceField = z.int({ error: "the id of an event" }).nonnegative("the id of an event");

/** What a subscription may ask for; the fields of a message that subscribes. */
export const subscriptionFields = {
  prefix: prefixField.optional(),
  types: typesField.optional().meta({ description: "Only events of these types. A `reset` always comes." }),
  since: sinceField.optional().meta({
    description: "The id of the last event that was seen: go on behind it, or begin with a `reset`.",
  }),
};

/** The same as a query has it: the types in one text, with commas; the id as digits. */
export const eventQuerySchema = z.strictObject({
  prefix: subscriptionFields.prefix,
  types: z
    .string()
    .transform((text, context) => {
      const types = typesField.safeParse(text.split(","));
      if (types.success) return types.data;
      const message = `event types with commas between them: ${eventTypes.join(", ")}`;
      context.issues.push({ code: "custom", message, input: text });
      return z.NEVER;
    })
    .optional()
    .meta({
      type: "string",
      description: "Only events of these types, with commas between them. A `reset` always comes.",
      examples: ["acquired,released"],
    }),
  since: z
    .string()
    .regex(/^\d{1,16}$/, "the id of an event")
    .transform(Number)
    .pipe(sinceField)
    .optional()
    .meta({
      type: "integer",
      minimum: 0,
      description:
        "The id of the last event that was seen: go on behind it, or begin with a `reset`. The same as `Last-Event-ID`, which wins.",
    }),
});

export type Subscription = z.output<typeof eventQuerySchema>;
