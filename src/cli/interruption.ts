/** Signals that end a wait. */
import process from "node:process";
import { LockError } from "../errors.js";
import { exitCodeOfSignal, Interrupted } from "./command-error.js";

const ending = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interruption {
  /** Aborts, with an `Interrupted`, at the first signal. */
  readonly signal: AbortSignal;
  /** From now on the handler gets the signals instead. In one step, so that none of them ends the process in between. */
  handOver(handler: (name: NodeJS.Signals) => void): void;
}

/**
 * Runs `work` such that SIGINT, SIGTERM and SIGHUP let it leave in order. A second one ends the process at once, for a
 * store that does not answer.
 *
 * @throws Interrupted when `work` rejected because of that.
 */
export async function interruptible<T>(work: (interruption: Interruption) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  let handler = (name: NodeJS.Signals): void => {
    if (signal.aborted) process.exit(exitCodeOfSignal(name));
    controller.abort(new Interrupted(name));
  };
  const onSignal = (name: NodeJS.Signals): void => handler(name);
  for (const name of ending) process.on(name, onSignal);
  try {
    return await work({
      signal,
      handOver: (next) => {
        handler = next;
      },
    });
  } catch (error) {
    if (error instanceof LockError && error.code === "aborted" && signal.reason instanceof Interrupted)
      throw signal.reason;
    throw error;
  } finally {
    for (const name of ending) process.off(name, onSignal);
  }
}

/** Resolves when any of the signals aborts. */
export function anyAborted(signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    }
  });
}
