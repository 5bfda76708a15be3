/**
 * What a hint says: a path at, above or below which waiters may have their turn; and, of one that is free and waited for, how its queue stands, so that
 * the manager of whoever is next need not ask.
 */
import type { LockRecord, Queue } from "../core/records.js";

export interface Hint {
  readonly path: string;
  readonly queue: Queue | undefined;
}

/** No path has it in it. */
const separator = "\t";
const numbers = /^(\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/;

/** `record`: what the change that announces the path leaves there. */
export function hintText(path: string, record: LockRecord | undefined): string {
  if (record?.queue === undefined || record.holders.length > 0) return path;
  const { head, next, waiting, trees } = record.queue;
  return `${path}${separator}${head} ${next} ${waiting} ${trees}`;
}

export function hintOf(text: string): Hint {
  const [path = "", rest = ""] = text.split(separator);
  const found = numbers.exec(rest);
  if (found === null) return { path, queue: undefined };
  const [head = 0, next = 0, waiting = 0, trees = 0] = found.slice(1).map(Number);
  return { path, queue: { head, next, waiting, trees } };
}
