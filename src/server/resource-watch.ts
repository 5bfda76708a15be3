/**
 * Tells whoever waits for a path to become free when to look again. One reader of the manager's events serves all of them; it runs only while somebody
 * waits. Events of other managers on the same store do not come this way, so waiters also look by themselves from time to time.
 */
import { storedPath } from "../core/resource-path.js";
import type { LockEvent, LockManager } from "../lock-manager.js";

type Wake = () => void;

/** What can make a path free; `reset` may have hidden any of them. */
const freeing = ["released", "expired", "revoked", "reset"] as const;

export class ResourceWatch {
  readonly #manager: LockManager;
  readonly #report: (error: unknown) => void;
  readonly #wakes = new Map<string, Set<Wake>>();
  #reading: AbortController | undefined = undefined;

  constructor(manager: LockManager, report: (error: unknown) => void) {
    this.#manager = manager;
    this.#report = report;
  }

  /** How many paths are watched. */
  get size(): number {
    return this.#wakes.size;
  }

  /**
   * Calls `wake` after a lock on the path, or one above that may have covered it, has ended.
   *
   * @param path normalised.
   * @returns what ends the watch.
   */
  watch(path: string, wake: Wake): () => void {
    const paths = [path, ...storedPath(path).ancestors];
    for (const each of paths) {
      const wakes = this.#wakes.get(each);
      if (wakes === undefined) this.#wakes.set(each, new Set([wake]));
      else wakes.add(wake);
    }
    this.#start();
    return () => {
      for (const each of paths) {
        const wakes = this.#wakes.get(each);
        wakes?.delete(wake);
        if (wakes?.size === 0) this.#wakes.delete(each);
      }
      if (this.#wakes.size === 0) this.#stop();
    };
  }

  #start(): void {
    if (this.#reading !== undefined) return;
    const reading = new AbortController();
    this.#reading = reading;
    this.#read(reading).catch((error: unknown) => {
      // Without events those who wait are served by looking from time to time.
      if (!reading.signal.aborted) this.#report(error);
    });
  }

  #stop(): void {
    this.#reading?.abort();
    this.#reading = undefined;
  }

  async #read({ signal }: AbortController): Promise<void> {
    for await (const event of this.#manager.events({ types: freeing, signal })) this.#tell(event);
  }

  #tell({ type, resourcePath }: LockEvent): void {
    if (type === "reset") {
      for (const wakes of this.#wakes.values()) wakeAll(wakes);
      return;
    }
    const wakes = this.#wakes.get(resourcePath);
    // Those below watch this path too. A lock on just this path never covered them, but to look once more does no harm.
    if (wakes !== undefined) wakeAll(wakes);
  }
}

function wakeAll(wakes: ReadonlySet<Wake>): void {
  for (const wake of wakes) wake();
}
