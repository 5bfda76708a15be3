/** The message that asks for locks. */
import { z } from "zod";
import {
  agentIdField,
  durationField,
  metadataField,
  millisecondsField,
  modeField,
  reasonField,
  resourcePathField,
  scopeField,
} from "./fields.js";

/** As many as one acquire may take. */
const maxPaths = 50;

export const acquireRequestSchema = z
  .strictObject({
    resource_path: resourcePathField.optional(),
    resource_paths: z
      .array(resourcePathField, { error: "a list of paths" })
      .max(maxPaths, `at most ${maxPaths} paths`)
      .optional()
      .meta({ description: "All of them or none. Give this or `resource_path`." }),
    agent_id: agentIdField.optional(),
    mode: modeField.optional(),
    scope: scopeField.optional(),
    ttl: durationField.optional().meta({ description: "How long the lock lives unless extended." }),
    ttl_ms: millisecondsField.optional(),
    timeout: durationField
      .optional()
      .meta({ description: "How long to wait in the queue, up to `24h`. Default 0: try once." }),
    timeout_ms: millisecondsField.optional(),
    reason: reasonField.optional(),
    metadata: metadataField.optional(),
  })
  .meta({ id: "AcquireRequest" });

export type AcquireRequest = z.output<typeof acquireRequestSchema>;
