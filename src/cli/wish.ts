/** What a command that acquires wants, and what it got. */
import { toMilliseconds } from "../duration.js";
import type { AcquiredLock, Duration, Mode, Scope } from "../lock-manager.js";
import { CommandError } from "./command-error.js";

/** The flags of every command that acquires. */
export type TakeFlags = {
  readonly ttl?: string;
  readonly timeout?: string;
  readonly wait?: boolean;
  readonly shared?: boolean;
  readonly tree?: boolean;
  readonly reason?: string;
};

export interface Wish {
  readonly paths: readonly string[];
  readonly agentId: string;
  readonly ttl?: Duration;
  readonly timeoutMs: number;
  readonly mode: Mode;
  readonly scope: Scope;
  readonly reason?: string;
  readonly autoExtend: boolean;
}

export interface Taken {
  /** In the order asked, duplicates once. */
  readonly locks: readonly AcquiredLock[];
  /** Those of them that the agent held before: whoever took them gives them back. */
  readonly joined: ReadonlySet<string>;
  readonly waitedMs: number;
}

/** What the flags ask for. Waits for ever unless told otherwise: whoever sits before it can press Ctrl-C. */
export function wishOf(
  flags: TakeFlags,
  { paths, agentId, autoExtend }: Pick<Wish, "paths" | "agentId" | "autoExtend">,
): Wish {
  if (flags.wait === false && flags.timeout !== undefined)
    throw new CommandError("usage", "Give --no-wait or --timeout, not both.");
  const timeoutMs =
    flags.timeout === undefined
      ? Number.POSITIVE_INFINITY
      : toMilliseconds("timeout", flags.timeout, { minMs: 0, maxMs: Number.POSITIVE_INFINITY });
  return {
    paths,
    agentId,
    autoExtend,
    timeoutMs: flags.wait === false ? 0 : timeoutMs,
    mode: flags.shared === true ? "shared" : "exclusive",
    scope: flags.tree === true ? "tree" : "resource",
    ...(flags.ttl !== undefined && { ttl: flags.ttl }),
    ...(flags.reason !== undefined && { reason: flags.reason }),
  };
}
