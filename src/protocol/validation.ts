/** Input against a schema, refused in the words of the catalogue. */
import type { z } from "zod";
import { invalid, type LockError } from "../errors.js";

const shownNameLength = 64;
const shownIssueNames = 20;

/** @throws LockError `invalid`, naming the first field that is not as the schema wants it. */
export function parseAs<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refuse(result.error.issues[0], value, schema);
}

function refuse(issue: z.core.$ZodIssue | undefined, value: unknown, schema: z.ZodType): LockError {
  if (issue === undefined) return invalid("request", value, "another one");
  const where = fieldName(issue.path);
  if (issue.code === "unrecognized_keys") {
    const key = printable(issue.keys[0] ?? "");
    const allowed = where === "" ? `only ${namesOf(schema)}` : "no such field";
    return invalid(
      where === "" ? key : `${where}.${key}`,
      valueAt(value, [...issue.path, issue.keys[0] ?? ""]),
      allowed,
    );
  }
  const found = valueAt(value, issue.path);
  return invalid(where === "" ? "request" : where, found, where === "" ? "a JSON object" : issue.message);
}

/** `locks[0].lock_id`. */
function fieldName(path: readonly PropertyKey[]): string {
  let name = "";
  for (const part of path) {
    if (typeof part === "number") name += `[${part}]`;
    else name += `${name === "" ? "" : "."}${printable(String(part))}`;
  }
  return name;
}

/** Names come from the caller: escaped as in JSON, and short. */
function printable(name: string): string {
  const escaped = JSON.stringify(name).slice(1, -1);
  return escaped.length <= shownNameLength ? escaped : `${escaped.slice(0, shownNameLength)}…`;
}

function namesOf(schema: z.ZodType): string {
  const shape: unknown = Reflect.get(schema, "shape");
  if (typeof shape !== "object" || shape === null) return "known fields";
  return Object.keys(shape).slice(0, shownIssueNames).join(", ");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}
