/** Something that hands out locks, as the workloads see it. */

/** What is done while a lock is held. */
export type Work = () => Promise<void> | void;

export interface Contestant {
  readonly name: string;
  /** Waiters are served by events and in order, so that handing a lock over can be measured. */
  readonly queues: boolean;
  /** Takes the lock of a path as this worker, works, gives the lock back. */
  hold(path: string, worker: number, work: Work): Promise<unknown>;
  /** The same with the locks of several paths at once. */
  holdAll?(paths: readonly string[], worker: number, work: Work): Promise<unknown>;
  close(): Promise<void>;
}

export interface ContestantKind {
  readonly name: string;
  /** Undefined where it cannot run; `why` says what is missing. */
  open(): Promise<Contestant | undefined>;
  readonly why?: string;
}
