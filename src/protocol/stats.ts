/** The figures of the whole store on the wire. */
import { z } from "zod";
import type { LockStats } from "../lock-manager.js";
import { countField, millisecondsUntil, timeField } from "./fields.js";

export const statsSchema = z
  .object({
    locks: countField.meta({ description: "Locks in force." }),
    waiters: countField,
    agents: countField.meta({ description: "Agents that hold or wait." }),
    oldest_waiter_since: timeField.optional(),
    oldest_waiter_ms: z.int().optional().meta({ description: "How long the longest waiter has waited." }),
  })
  .meta({ id: "Stats" });

type StatsJson = z.output<typeof statsSchema>;

export function statsToJson({ locks, waiters, agents, oldestWaiterSince }: LockStats, now: Date): StatsJson {
  return {
    locks,
    waiters,
    agents,
    ...(oldestWaiterSince !== undefined && {
      oldest_waiter_since: oldestWaiterSince.toISOString(),
      oldest_waiter_ms: -millisecondsUntil(oldestWaiterSince, now),
    }),
  };
}

export function statsFromJson(json: StatsJson): LockStats {
  return {
    locks: json.locks,
    waiters: json.waiters,
    agents: json.agents,
    ...(json.oldest_waiter_since !== undefined && { oldestWaiterSince: new Date(json.oldest_waiter_since) }),
  };
}
