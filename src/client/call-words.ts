/** A call in words, for its errors. Found only when there is one: most calls have none. */
import type { Op } from "../protocol/wire.js";

/** What a call says; named is what its words are made of. */
export interface Fields {
  readonly resource_path?: string;
  readonly resource_paths?: readonly string[];
  readonly locks?: readonly { readonly resource_path: string; readonly lock_id: string | undefined }[];
  readonly agent_id?: string | undefined;
  readonly force?: boolean;
  readonly [other: string]: unknown;
}

interface Said {
  readonly op: Op;
  readonly fields: Fields;
}

/** As in "Cannot ...": `acquire "/a" and 2 more`. */
export function wordsFor({ op, fields }: Said): string {
  const paths = pathsOf(fields);
  switch (op) {
    case "acquire":
    case "acquire_multiple":
      return `acquire ${listed(paths)}`;
    case "extend":
      return `extend ${listed(paths)}`;
    case "release":
      return `release ${listed(paths)}${fields.force === true ? " by force" : ""}`;
    case "resource":
      return `look at ${listed(paths)}`;
    case "agent":
      return `see what ${JSON.stringify(fields.agent_id)} holds`;
    case "check":
      return "check paths";
    case "list":
      return "list locks";
    case "stats":
      return "count the locks";
    case "metrics":
      return "read the metrics";
    case "subscribe":
      return "watch events";
    default:
      return `say ${JSON.stringify(op)}`;
  }
}

export function pathsOf({ resource_path, resource_paths, locks = [] }: Fields): readonly string[] {
  if (resource_path !== undefined) return [resource_path];
  return resource_paths ?? locks.map((lock) => lock.resource_path);
}

/** The first in quotes, and how many more. */
export function listed([first = "", ...more]: readonly string[]): string {
  return `${JSON.stringify(first)}${more.length > 0 ? ` and ${more.length} more` : ""}`;
}
