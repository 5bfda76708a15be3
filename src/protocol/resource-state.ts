/** Holders and queue of one path on the wire. */
import { z } from "zod";
import type { ResourceState } from "../lock-manager.js";
import { countField, resourcePathField } from "./fields.js";
import { lockFromJson, lockSchema, lockToJson } from "./lock.js";
import { waiterFromJson, waiterSchema, waiterToJson } from "./waiter.js";

export const resourceQuerySchema = z.strictObject({
  wait_for: z
    .enum(["free"], { error: '"free"' })
    .optional()
    .meta({ description: "Answer only once nobody holds the path, or after `timeout`." }),
  timeout: z
    .string()
    .optional()
    .meta({ description: "How long to wait, up to `24h`. Default 30s.", examples: ["30s"] }),
});

export const resourceStateSchema = z
  .object({
    resource_path: resourcePathField,
    held: z.boolean().meta({ description: "Whether a lock stands on this path or covers it." }),
    fencing_token: z
      .int()
      .nullable()
      .meta({ description: "The largest of the holders; null when there is none." }),
    holders: z.array(lockSchema),
    covered_by: z.array(lockSchema).meta({ description: "Trees above that cover the path." }),
    waiters: z.array(waiterSchema).meta({ description: "In the order of the queue; at most 100." }),
    queue_length: countField.meta({ description: "How many wait, also beyond those shown." }),
  })
  .meta({ id: "ResourceState" });

type ResourceStateJson = z.output<typeof resourceStateSchema>;

export function isHeld(state: ResourceState): boolean {
  return state.holders.length > 0 || state.coveredBy.length > 0;
}

export function resourceStateToJson(state: ResourceState, now: Date): ResourceStateJson {
  return {
    resource_path: state.resourcePath,
    held: isHeld(state),
    fencing_token:
      state.holders.length === 0 ? null : Math.max(...state.holders.map((lock) => lock.fencingToken)),
    holders: state.holders.map((lock) => lockToJson(lock, now)),
    covered_by: state.coveredBy.map((lock) => lockToJson(lock, now)),
    waiters: state.waiters.map((waiter) => waiterToJson(waiter, now)),
    queue_length: state.queueLength,
  };
}

export function resourceStateFromJson(json: ResourceStateJson): ResourceState {
  return {
    resourcePath: json.resource_path,
    holders: json.holders.map(lockFromJson),
    coveredBy: json.covered_by.map(lockFromJson),
    waiters: json.waiters.map(waiterFromJson),
    queueLength: json.queue_length,
  };
}
