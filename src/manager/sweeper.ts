/** The periodic clean-up: removes what has expired and nobody removed, because the manager that granted it is gone. In pages, so that it never stalls. */
import { type Clock, sleep } from "../clock/clock.js";
import { allLocks, allManagers, pathOfLockKey } from "../core/keys.js";
import { type ExpireReply, expire } from "../core/release.js";
import { storedPath } from "../core/resource-path.js";
import { asLock, asManager, type Found, managerAt } from "../core/view.js";
import type { Range } from "../store/store.js";
import type { Command } from "./job.js";
import type { Read } from "./reader.js";
import type { Services } from "./services.js";

const pageSize = 500;
/** A manager that has been dead this long has no waiters left that anybody has to be told about. */
const managerKeptMs = 60_000;

export class Sweeper {
  readonly #services: () => Services;
  readonly #read: Read;
  readonly #intervalMs: number;
  readonly #closing = new AbortController();

  constructor(services: () => Services, read: Read, intervalMs: number) {
    this.#services = services;
    this.#read = read;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    const { clock, background } = this.#services();
    background(this.#sweepForEver(clock));
  }

  close(): void {
    this.#closing.abort();
  }

  async #sweepForEver(clock: Clock): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await sleep(clock, this.#intervalMs, { background: true, signal });
        await this.sweep();
      } catch {
        // A store that fails is swept at the next round; every caller hears of it by itself.
      }
    }
  }

  /** One round over all entries. */
  async sweep(): Promise<void> {
    await this.#pages(allLocks, (found, now) => this.#isStale(found, now) && this.#expire(found));
    await this.#pages(allManagers, (found, now) => {
      if (asManager(found).expiresAt + managerKeptMs <= now) this.#bury(found.key);
    });
  }

  async #pages(prefix: string, visit: (found: Found, now: number) => unknown): Promise<void> {
    let after: string | undefined;
    do {
      const range: Range = { prefix, limit: pageSize, ...(after === undefined ? {} : { after }) };
      const { ranges } = await this.#read({ ranges: [range] }, this.#closing.signal);
      const page = ranges[0] ?? [];
      const now = this.#services().storeClock.earliest();
      for (const found of page) visit(found, now);
      after = page.length === pageSize ? page.at(-1)?.key : undefined;
    } while (after !== undefined);
  }

  #isStale(found: Found, now: number): boolean {
    const record = asLock(found);
    return record.queue !== undefined || record.holders.some((holder) => holder.expiresAt <= now);
  }

  #expire(found: Found): void {
    const { pipeline, limits, room } = this.#services();
    const resource = storedPath(pathOfLockKey(found.key));
    pipeline.beliefs.forget(resource.path);
    const command: Command<ExpireReply> = {
      plan: (view) => expire(view, resource, "sweep", limits.maxLocksPerAgent),
      done: (reply, { revision }) => room.serve(reply.promoted, revision),
      fail: () => undefined,
    };
    pipeline.submit(command);
  }

  #bury(key: string): void {
    const command: Command<void> = {
      plan: (view) => {
        const entry = managerAt(view, key);
        if (entry !== undefined && entry.expiresAt + managerKeptMs <= view.earliest) view.remove(key);
      },
      done: () => undefined,
      fail: () => undefined,
    };
    this.#services().pipeline.submit(command);
  }
}
