/** The error in process that a problem of the server was made of. */
import { LockError } from "../errors.js";
import { lockErrorOf, type ProblemJson } from "../protocol/problem.js";

/** Fields are named as in TypeScript: `resourcePaths[3]`, not `resource_paths[3]`. */
export function errorOf(problem: ProblemJson): LockError {
  const error = lockErrorOf(problem);
  const { field, value, allowed } = error.facts;
  if (error.code !== "invalid" || field === undefined || value === undefined || allowed === undefined)
    return error;
  const name = field.startsWith("metadata.") ? field : camelCased(field);
  return new LockError("invalid", `Invalid ${name} ${value}: expected ${allowed}.`, {
    ...error.facts,
    field: name,
  });
}

function camelCased(field: string): string {
  return field.replace(/_[a-z]/g, (pair) => pair.slice(1).toUpperCase());
}
