/** Refusals of the command line itself, beside those of the lock manager. */
import { constants } from "node:os";
import { exitCodes } from "./exit-codes.js";

const exitCodeOf = {
  usage: exitCodes.usage,
  no_such_lock: exitCodes.noSuchLock,
  not_holder: exitCodes.notAllowed,
  unreachable: exitCodes.unreachable,
  bad_configuration: exitCodes.badConfiguration,
} as const;

/** The message is a whole sentence: the action, the value in quotes, the state found. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: keyof typeof exitCodeOf;
  /** What the caller can do next, each a sentence. */
  readonly next: readonly string[];

  constructor(
    code: keyof typeof exitCodeOf,
    message: string,
    next: readonly string[] = [],
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.next = next;
  }

  get exitCode(): number {
    return exitCodeOf[this.code];
  }
}

/** A signal ended the command before it was done. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly code = "interrupted";
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals, message = `Interrupted by ${signal}.`) {
    super(message);
    this.exitCode = exitCodeOfSignal(signal);
  }
}

/** 128 + its number, as shells have it. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
