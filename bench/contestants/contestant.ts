/** Something that hands out locks, as the workloads see it. */

/** What is done while a lock is held. */
export type Work = () => Promise<void> | void;

export interface Contestant {
  readonly name: string;
  /** Waiters are served by events and in order, so that handing a lock over can be measured. */
  readonly queues: boolean;
  /** Waiters ask again and again: they are served, sooner or later. */
  readonly asksAgain?: boolean;
  /** Takes the lock of a path as this worker, works, gives the lock back. */
  hold(path: string, worker: number, work: Work): Promise<unknown>;
  /** The same with the locks of several paths at once. */
  holdAll?(paths: readonly string[], worker: number, work: Work): Promise<unknown>;
  /** What share of the changes that it sent was refused, because another writer was faster. */
  refusedShare?(): number;
  close(): Promise<void>;
}

export interface ContestantKind {
  readonly name: string;
  /** Undefined where it cannot run; `why` says what is missing. */
  open(): Promise<Contestant | undefined>;
  readonly why?: string;
}

/** A server that runs. */
export interface Site {
  readonly url: string;
  stop(): Promise<void>;
}

/** A contestant that works on a server, and so in several processes at once. */
export interface SiteKind extends ContestantKind {
  /** Undefined where the server is not installed. */
  start(): Promise<Site | undefined>;
  at(url: string): Promise<Contestant>;
}

export function onSite(kind: Pick<SiteKind, "name" | "why" | "start" | "at">): SiteKind {
  return {
    ...kind,
    async open() {
      const site = await kind.start();
      if (site === undefined) return undefined;
      try {
        const contestant = await kind.at(site.url);
        const close = async (): Promise<void> => {
          await contestant.close();
          await site.stop();
        };
        return { ...contestant, close };
      } catch (error) {
        await site.stop();
        throw error;
      }
    },
  };
}
