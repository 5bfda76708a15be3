/** One trip through the pipeline as a promise. */
import type { View } from "../core/view.js";
import { LockError } from "../errors.js";
import type { Aborts } from "./aborts.js";
import type { Command, Commit } from "./job.js";
import type { Pipeline } from "./pipeline.js";
import { throwIfAborted } from "./reader.js";

export interface Trip<Reply> {
  readonly plan: (view: View) => Reply;
  /** Called at once when the change is committed, before the promise resolves: what others are owed. */
  readonly onDone?: (reply: Reply, commit: Commit) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects with `aborted` as soon as the signal does; what was already sent may still be done, and its `onDone` is called. */
export function run<Reply>(
  pipeline: Pipeline,
  aborts: Aborts,
  { plan, onDone, signal }: Trip<Reply>,
): Promise<{ reply: Reply; commit: Commit }> {
  throwIfAborted(signal);
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      job.cancelled = true;
      reject(new LockError("aborted", "The call was aborted by its caller.", {}, { cause: signal?.reason }));
    };
    const command: Command<Reply> = {
      plan,
      needsProof: () => true,
      done: (reply, commit) => {
        if (signal !== undefined) aborts.remove(signal, stop);
        onDone?.(reply, commit);
        resolve({ reply, commit });
      },
      fail: (error) => {
        if (signal !== undefined) aborts.remove(signal, stop);
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- passed on as it came
        reject(error);
      },
    };
    const job = pipeline.submit(command);
    if (signal !== undefined) aborts.add(signal, stop);
  });
}
