/** What the routes work with. */
import type { Logger } from "pino";
import type { Clock } from "../clock/clock.js";
import type { AcquiredLock, LockManager } from "../lock-manager.js";
import type { AcquireAttempt } from "./acquire-attempt.js";
import { AcquireAttempts } from "./acquire-attempts.js";
import { Background } from "./background.js";
import { EventLog } from "./event-log.js";
import { tooManyStreams, tooManyWaits } from "./http-refusal.js";
import { LongWaits } from "./long-waits.js";
import { ResourceWatch } from "./resource-watch.js";

/** Fewer than connections, so that whoever holds a lock can always give it back. */
const defaultMaxWaits = 8_000;
const defaultMaxStreams = 1_000;
/** Some sixty callers that read nothing at all, or a thousand that are slow: little of what Node's heap may have, even where each character takes two bytes. */
const defaultMaxUnreadBytes = 256 * 1024 * 1024;

export interface Services {
  readonly manager: LockManager;
  readonly clock: Clock;
  readonly log: Logger;
  readonly background: Background;
  readonly waits: LongWaits;
  /** Streams of events: requests too that last for as long as they like. */
  readonly streams: LongWaits;
  readonly events: EventLog;
  readonly attempts: AcquireAttempts;
  readonly watch: ResourceWatch;
  /** How much all sessions of WebSockets together may keep for their callers to read. */
  readonly maxUnreadBytes: number;
  /** Shown in the API description. */
  readonly version: string;
  /** Where the files of the API page are. */
  readonly docsFolder: URL;
}

export interface ServiceOptions {
  /** Neither closed nor owned by the server. */
  readonly manager: LockManager;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many requests may wait at one time: acquires with a timeout and long polls. Default 8000. */
  readonly maxWaits?: number;
  /** How many streams of events may be open at one time. Default 1000. */
  readonly maxStreams?: number;
  /** How much all sessions of WebSockets together may keep for their callers to read. Default 256 MiB. */
  readonly maxUnreadBytes?: number;
  readonly version?: string;
  /** Where swagger-ui is; by default where the build puts it. */
  readonly docsFolder?: URL;
}

export function createServices({ manager, clock, logger, ...options }: ServiceOptions): Services {
  const background = new Background();
  const giveBack = (attempt: AcquireAttempt): void => {
    background.run(
      () => releaseAll(attempt),
      (error) => logger.warn({ err: error }, "could not give back an undelivered lock; it will expire"),
    );
  };
  return {
    manager,
    clock,
    log: logger,
    background,
    waits: new LongWaits(options.maxWaits ?? defaultMaxWaits, tooManyWaits),
    streams: new LongWaits(options.maxStreams ?? defaultMaxStreams, tooManyStreams),
    events: new EventLog({
      manager,
      clock,
      report: (error) => logger.error({ err: error }, "the events of the lock manager ended"),
    }),
    attempts: new AcquireAttempts(clock, giveBack),
    watch: new ResourceWatch(manager, (error) =>
      logger.warn({ err: error }, "no events; looking now and then"),
    ),
    maxUnreadBytes: options.maxUnreadBytes ?? defaultMaxUnreadBytes,
    version: options.version ?? "0.0.0",
    docsFolder: options.docsFolder ?? new URL("../swagger-ui/", import.meta.url),
  };
}

/** By handle, so that a lock which an earlier acquire of the same agent was told of stays. */
async function releaseAll(attempt: AcquireAttempt): Promise<void> {
  let locks: readonly AcquiredLock[];
  try {
    locks = await attempt.locks;
  } catch {
    // Nothing was acquired, and nobody is left to be told why.
    return;
  }
  await Promise.all(locks.map((lock) => lock.release()));
}
