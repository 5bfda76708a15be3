/**
 * The messages of the WebSocket (`GET /v1/ws`). A frame is one message or a list of them, in both directions; `docs/protocol.md` tells of them in words.
 *
 * A caller that says `hello` first has a session: both sides count the frames they were sent in it, tell each other how many they have `seen`, and send
 * again what was lost with a connection (the idea of XEP-0198, stream management). So nothing is done twice and nothing is missed, as long as the session lasts.
 */
import { z } from "zod";
import { acquireRequestSchema } from "./acquire.js";
import { checkRequestSchema } from "./check.js";
import { eventSchema, subscriptionFields } from "./event.js";
import { extendRequestSchema } from "./extend.js";
import { agentIdField, countField, lockIdField, resourcePathField, timeField } from "./fields.js";
import { listRequestSchema } from "./list.js";
import { problemSchema } from "./problem.js";
import { releaseRequestSchema } from "./release.js";

export const subprotocol = "engram-lock.v1";

/** A longer frame ends the connection. */
export const maxFrameBytes = 64 * 1024;

/** How long a session outlives its connection unless its caller asks otherwise, and at most. */
export const defaultGraceMs = 5_000;
const longestGraceMs = 60_000;

/** The `timeout` of an acquire that waits until it has its turn. */
export const forEver = "for ever";

const idField = z.int({ error: "a whole number that names the call" });
const call = { id: idField };

const boundField = z.boolean({ error: "true or false" }).optional().meta({
  description: "The lock is released when the caller has been gone for its grace time.",
});

/** The calls by the name of their `op`. Their other fields are those of the HTTP bodies. */
export const callSchemas = {
  acquire: acquireRequestSchema
    .omit({ resource_paths: true })
    .extend({ ...call, op: z.literal("acquire"), resource_path: resourcePathField, bound: boundField }),
  acquire_multiple: acquireRequestSchema.omit({ resource_path: true }).extend({
    ...call,
    op: z.literal("acquire_multiple"),
    resource_paths: acquireRequestSchema.shape.resource_paths.unwrap(),
    bound: boundField,
  }),
  extend: extendRequestSchema.extend({ ...call, op: z.literal("extend") }),
  release: releaseRequestSchema.omit({ acquired_with: true }).extend({ ...call, op: z.literal("release") }),
  check: checkRequestSchema.extend({ ...call, op: z.literal("check") }),
  list: listRequestSchema.extend({ ...call, op: z.literal("list") }),
  resource: z.strictObject({ ...call, op: z.literal("resource"), resource_path: resourcePathField }),
  agent: z.strictObject({ ...call, op: z.literal("agent"), agent_id: agentIdField.optional() }),
  stats: z.strictObject({ ...call, op: z.literal("stats") }),
  metrics: z.strictObject({ ...call, op: z.literal("metrics") }),
  /** Leaves the queue: the call of that id ends with `aborted`. */
  cancel: z.strictObject({ ...call, op: z.literal("cancel"), call: idField }),
  /** Events come from now on, or from behind the event `since`, until `unsubscribe`. The caller numbers its subscriptions. */
  subscribe: z.strictObject({
    ...call,
    op: z.literal("subscribe"),
    subscription: idField,
    ...subscriptionFields,
  }),
  unsubscribe: z.strictObject({ ...call, op: z.literal("unsubscribe"), subscription: idField }),
  ping: z.strictObject({ ...call, op: z.literal("ping") }),
} as const;

export type Op = keyof typeof callSchemas;

/** The first message of a caller that wants a session, alone in its frame. */
export const helloSchema = z.strictObject({
  hello: z.strictObject({
    /** The session to go on with, and how many of its frames were seen. */
    session: z.string({ error: "the session that `welcome` named" }).optional(),
    seen: countField.optional(),
    grace_ms: z
      .int({ error: `whole milliseconds, at most ${longestGraceMs}` })
      .nonnegative()
      .max(longestGraceMs, `at most ${longestGraceMs}`)
      .optional(),
  }),
});

/** How many frames of the other side were seen in this session. */
export const seenSchema = z.strictObject({ seen: countField });

export const welcomeSchema = z.object({
  welcome: z.object({
    session: z.string(),
    /** False: a new session, in which nothing is known of the old one. */
    resumed: z.boolean(),
    seen: countField,
    grace_ms: countField,
    max_frame_bytes: countField,
    store_time: timeField,
    version: z.string(),
  }),
});

/** Begins a frame of the server. Store time was this when `seen` frames of the caller had been seen. */
export const headSchema = z.object({ seen: countField, store_time: timeField });

/** A lock that the caller acquired has ended, and not by its own release on this connection. */
export const lostSchema = z.object({
  lost: z.object({ resource_path: resourcePathField, lock_id: lockIdField, problem: problemSchema }),
});

/** An event of a subscription. */
export const newsSchema = z.object({ subscription: idField, event: eventSchema });

/** No more events of that subscription come. */
export const endedSchema = z.object({ subscription: idField, ended: z.literal(true) });

/** What `subscribe` answers: the events up to this id are not of the subscription. */
export const unsubscribedSchema = z.object({ unsubscribed: z.boolean() });
export const subscribedSchema = z.object({ position: z.int() });

/** What `metrics` answers: Prometheus text exposition. */
export const metricsTextSchema = z.object({ text: z.string() });
