/** The fields that several messages have. What is in them is judged by the lock manager; here it is only their kind. */
import { z } from "zod";

export const resourcePathField = z
  .string({ error: 'a path such as "/repo/src/a.ts"' })
  .meta({ description: "A resource path; the root is `/`.", examples: ["/repo/src/a.ts"] });

export const agentIdField = z.string({ error: "a text of 1 to 256 bytes without control characters" }).meta({
  description: "Who holds or waits. May be given in `X-Agent-ID` instead.",
  examples: ["agent-123"],
});

export const lockIdField = z
  .string({ error: "the lock id that came with the lock" })
  .meta({ description: "Names the lock together with its path." });

const modes = ["exclusive", "shared"] as const;
export const modeField = z
  .enum(modes, { error: '"exclusive" or "shared"' })
  .meta({ description: "`exclusive`: nobody else beside it. `shared`: other shared locks beside it." });

const scopes = ["resource", "tree"] as const;
export const scopeField = z
  .enum(scopes, { error: '"resource" or "tree"' })
  .meta({ description: "`resource`: just that path. `tree`: the path and everything below it." });

export const durationField = z
  .union([z.string(), z.number()], {
    error: 'milliseconds as a number, or text such as "250ms", "30s", "10m", "1h30m"',
  })
  .meta({ examples: ["30s"] });

export const millisecondsField = z.number({ error: "milliseconds as a number" });

export const reasonField = z
  .string({ error: "a text of at most 200 characters" })
  .meta({ description: "For those who find the resource held; at most 200 characters." });

/** Not `z.record`, which drops a member called `__proto__` without a word; here it is a name like any other. */
export const metadataField = z
  .custom<Readonly<Record<string, string>>>(isStringMap, { error: "an object whose values are all strings" })
  .meta({
    type: "object",
    additionalProperties: { type: "string" },
    description: "Strings by name, at most 1 KiB together.",
  });

function isStringMap(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => typeof each === "string")
  );
}

/** A moment in store time. */
export const timeField = z.iso
  .datetime()
  .meta({ format: "date-time", examples: ["2026-01-31T12:00:00.000Z"] });

export const countField = z.int().nonnegative();

/** The milliseconds from `now` to `time`: the twin of every time, which does no harm to whoever has another clock. */
export function millisecondsUntil(time: Date, now: Date): number {
  return time.getTime() - now.getTime();
}
