/** One trip through the pipeline as a promise. */

import type { Aborts } from "../aborts.js";
import type { View } from "../core/view.js";
import { LockError } from "../errors.js";
import type { Attempts, Command, Commit } from "./job.js";
import type { Pipeline } from "./pipeline.js";
import { abortedCall } from "./reader.js";

export interface Trip<Reply, Answer> {
  readonly path?: string | undefined;
  readonly plan: (view: View, attempts: Attempts) => Reply;
  /** Called at once when the change is committed: does what others are owed, and answers the caller or throws. */
  readonly answer: (reply: Reply, commit: Commit) => Answer;
  /** Told when the pipeline has given up, whether or not the caller still listens. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Told of every error, thrown by `answer` or met on the way. */
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects with `aborted` as soon as the signal does; what was already sent may still be done, and is then answered for nobody. */
export function run<Reply, Answer>(
  pipeline: Pipeline,
  aborts: Aborts,
  trip: Trip<Reply, Answer>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const command = new TripCommand(trip, aborts, resolve, reject);
    const { signal } = trip;
    if (signal?.aborted) {
      command.refuse(abortedCall(signal));
      return;
    }
    const job = pipeline.submit(command);
    if (signal === undefined) return;
    command.stop = () => {
      job.cancelled = true;
      command.refuse(abortedCall(signal));
    };
    aborts.add(signal, command.stop);
  });
}

class TripCommand<Reply, Answer> implements Command<Reply> {
  readonly path: string | undefined;
  readonly mustBeProved = true;
  stop: (() => void) | undefined = undefined;
  readonly #trip: Trip<Reply, Answer>;
  readonly #aborts: Aborts;
  #isRefused = false;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    trip: Trip<Reply, Answer>,
    aborts: Aborts,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ) {
    this.path = trip.path;
    this.#trip = trip;
    this.#aborts = aborts;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  plan(view: View, attempts: Attempts): Reply {
    return this.#trip.plan(view, attempts);
  }

  done(reply: Reply, commit: Commit): void {
    try {
      const answer = this.#trip.answer(reply, commit);
      this.#ignoreSignal();
      this.#resolve(answer);
    } catch (error) {
      this.refuse(error);
    }
  }

  fail(error: unknown): void {
    this.#trip.onFailure?.(error);
    this.refuse(error);
  }

  refuse(error: unknown): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#ignoreSignal();
    if (error instanceof LockError) this.#trip.onError?.(error);
    this.#reject(error);
  }

  #ignoreSignal(): void {
    const { signal } = this.#trip;
    if (signal !== undefined && this.stop !== undefined) this.#aborts.remove(signal, this.stop);
  }
}
