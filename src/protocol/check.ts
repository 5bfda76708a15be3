/** The question which of some paths are free, and its answer. */
import { z } from "zod";
import type { CheckResult } from "../lock-manager.js";
import { conflictFromJson, conflictSchema, conflictToJson } from "./conflict.js";
import { agentIdField, resourcePathField } from "./fields.js";
import { lockFromJson, lockSchema, lockToJson } from "./lock.js";

const maxPaths = 200;

export const checkRequestSchema = z
  .strictObject({
    resource_paths: z
      .array(resourcePathField, { error: "a list of paths" })
      .max(maxPaths, `at most ${maxPaths} paths`),
    agent_id: agentIdField.optional(),
  })
  .meta({ id: "CheckRequest" });

export const checkResultSchema = z
  .object({
    mine: z.array(lockSchema).meta({ description: "Held by the agent." }),
    theirs: z
      .array(z.object({ resource_path: resourcePathField, conflicts: z.array(conflictSchema) }))
      .meta({ description: "An exclusive acquire would not be granted at once, and why." }),
    free: z.array(resourcePathField).meta({ description: "An exclusive acquire would be granted at once." }),
  })
  .meta({ id: "CheckResult" });

type CheckResultJson = z.output<typeof checkResultSchema>;

export function checkResultToJson(result: CheckResult, now: Date): CheckResultJson {
  return {
    mine: result.mine.map((lock) => lockToJson(lock, now)),
    theirs: result.theirs.map(({ resourcePath, conflicts }) => ({
      resource_path: resourcePath,
      conflicts: conflicts.map((conflict) => conflictToJson(conflict, now)),
    })),
    free: [...result.free],
  };
}

export function checkResultFromJson(json: CheckResultJson): CheckResult {
  return {
    mine: json.mine.map(lockFromJson),
    theirs: json.theirs.map((each) => ({
      resourcePath: each.resource_path,
      conflicts: each.conflicts.map(conflictFromJson),
    })),
    free: json.free,
  };
}
