/** What the routes work with. */
import type { Logger } from "pino";
import type { Clock } from "../clock/clock.js";
import type { LockManager } from "../lock-manager.js";
import type { AcquireAttempts } from "./acquire-attempts.js";
import type { Background } from "./background.js";
import type { EventLog } from "./event-log.js";
import type { LongWaits } from "./long-waits.js";
import type { ResourceWatch } from "./resource-watch.js";

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
  /** Shown in the API description. */
  readonly version: string;
  /** Where the files of the API page are. */
  readonly docsFolder: URL;
}
