/** A manager and a program that reaches it over the wire, both under a clock that stands still. */
import { onTestFinished } from "vitest";
import { type CreateLockManagerConfig, createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { LoopbackServer } from "../support/loopback.js";
import { ManualClock } from "../support/manual-clock.js";

export class Wired {
  readonly clock = new ManualClock();
  readonly store = openMemoryStore({ clock: this.clock });
  #server: LoopbackServer | undefined = undefined;
  #manager: LockManager | undefined = undefined;
  readonly #remotes: LockManager[] = [];

  get server(): LoopbackServer {
    if (this.#server === undefined) throw new Error("No server runs.");
    return this.#server;
  }

  /** The manager of the server, in its process. */
  get manager(): LockManager {
    if (this.#manager === undefined) throw new Error("No server runs.");
    return this.#manager;
  }

  async start(config: CreateLockManagerConfig = {}): Promise<void> {
    this.#manager = await createLockManager(config, this.store, { clock: this.clock, random: () => 0.5 });
    const before = this.#server;
    this.#server = new LoopbackServer(this.#manager, this.clock);
    before?.succeededBy(this.#server);
  }

  /** The server dies: its sessions and waits are no more, the store stays as it is. */
  async crash(): Promise<void> {
    this.server.reachable(false);
    this.manager.close().catch(() => undefined);
    await this.clock.settle();
  }

  connect(): LockManager {
    const remote = this.server.connect();
    this.#remotes.push(remote);
    return remote;
  }

  /** Lets the call come to its end, or not. */
  async settled<T>(call: Promise<T>): Promise<T> {
    call.catch(() => undefined);
    await this.clock.settle();
    return call;
  }

  async close(): Promise<void> {
    for (const remote of this.#remotes) remote.close().catch(() => undefined);
    await this.clock.advance(5_000);
    this.#manager?.close().catch(() => undefined);
    await this.clock.advance(15_000);
    await this.#server?.close();
  }
}

export async function wired(config: CreateLockManagerConfig = {}): Promise<Wired> {
  const made = new Wired();
  await made.start(config);
  onTestFinished(() => made.close());
  return made;
}
