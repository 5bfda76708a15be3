/**
 * The locks that this manager acquired, as far as it knows: when each is to be extended, when its holder must hear that it is lost, and when it can be
 * removed. A holder is told `lost` as soon as the lock may have expired; it is removed only when it surely has.
 */

import { ChurnMap } from "../churn-map.js";
import type { Granted } from "../core/holding.js";
import type { Holder } from "../core/records.js";
import type { ResourcePath } from "../core/resource-path.js";
import { asLock, type Found } from "../core/view.js";
import { LockError } from "../errors.js";
import { tokenOf } from "./lock-of.js";
import { type End, endedError, type Loss } from "./loss.js";
import type { Services } from "./services.js";
import { type Bucket, finestMs, type Timed } from "./timer-wheel.js";

/** A holder hears of the loss this much before anybody else can have the lock, for a timer fires up to a bucket late (invariant I16). */
const lossMarginMs = finestMs;
/** An automatic extension that failed is tried again this much later, as long as the lock is in force. */
const extensionRetryMs = 250;

export class HeldLock implements Timed {
  readonly resource: ResourcePath;
  readonly token: number;
  holder: Holder;
  /** Acquires that were not released again. */
  handles = 0;
  autoExtend = false;
  extending = false;
  /** Its release is under way. */
  isLeaving = false;
  /** To where an extension that has no answer yet may have shortened it. */
  doubtedFrom = Infinity;
  /** Once set, it stays. */
  end: End | undefined = undefined;
  /** Made when the holder first looks at the signal: most never do. */
  controller: AbortController | undefined = undefined;
  /** Another lock held on the same path. */
  next: HeldLock | undefined = undefined;
  bucket: Bucket | undefined = undefined;
  before: Timed | undefined = undefined;
  after: Timed | undefined = undefined;
  due = Infinity;
  readonly #locks: HeldLocks;

  constructor(locks: HeldLocks, resource: ResourcePath, holder: Holder, token: number) {
    this.#locks = locks;
    this.resource = resource;
    this.holder = holder;
    this.token = token;
  }

  get path(): string {
    return this.resource.path;
  }

  /** Until when the holder can count on it. */
  get countedUntil(): number {
    return Math.min(this.holder.expiresAt, this.doubtedFrom);
  }

  /** Somebody may act on its being lost. */
  get isWatched(): boolean {
    return this.controller !== undefined || this.autoExtend;
  }

  /** Why it is no longer held. */
  get ended(): LockError | undefined {
    return this.end === undefined ? undefined : endedError(this.path, this.holder, this.end);
  }

  onDue(): void {
    this.#locks.onDue(this);
  }
}

/** What the manager does for its held locks. */
export interface Upkeep {
  /** Extends by the lock's own ttl. */
  extend(held: HeldLock): Promise<unknown>;
  /** Removes what has surely expired on the path. */
  expire(path: string): void;
}

export class HeldLocks {
  readonly #services: () => Services;
  readonly #upkeep: Upkeep;
  readonly #byPath = new ChurnMap<string, HeldLock>();
  #size = 0;

  constructor(services: () => Services, upkeep: Upkeep) {
    this.#services = services;
    this.#upkeep = upkeep;
  }

  get size(): number {
    return this.#size;
  }

  *all(): IterableIterator<HeldLock> {
    for (const first of this.#byPath.values()) {
      for (let held: HeldLock | undefined = first; held !== undefined; held = held.next) yield held;
    }
  }

  *at(path: string): IterableIterator<HeldLock> {
    for (let held = this.#byPath.get(path); held !== undefined; held = held.next) yield held;
  }

  find(path: string, lockId: string): HeldLock | undefined {
    for (const held of this.at(path)) if (held.holder.lockId === lockId) return held;
    return undefined;
  }

  /** Notes a grant, or one more handle on a lock that is held already. */
  add(resource: ResourcePath, holder: Holder, revision: number, autoExtend: boolean): HeldLock {
    const { path } = resource;
    let held = this.find(path, holder.lockId);
    if (held === undefined) {
      held = new HeldLock(this, resource, holder, tokenOf(holder, revision));
      held.next = this.#byPath.get(path);
      this.#byPath.set(path, held);
      this.#size++;
    }
    held.handles++;
    held.autoExtend ||= autoExtend;
    this.#prolong(held, holder);
    return held;
  }

  /** Notes an extension. */
  extended({ path, holder }: Granted): void {
    const held = this.find(path, holder.lockId);
    if (held !== undefined) this.#prolong(held, holder);
  }

  /** An extension to this is under way: if it shortens the lock, the reply may come after the lock has expired, or never. */
  doubt({ path, holder }: Granted): void {
    const held = this.find(path, holder.lockId);
    if (held === undefined || held.end !== undefined || holder.expiresAt >= held.countedUntil) return;
    held.doubtedFrom = holder.expiresAt;
    this.#services().expiries.set(held, Math.min(held.due, this.#mayExpireAt(held)));
  }

  /** The extension has surely changed nothing. */
  undoubt(path: string, lockId: string): void {
    const held = this.find(path, lockId);
    if (held !== undefined) held.doubtedFrom = Infinity;
  }

  #prolong(held: HeldLock, holder: Holder): void {
    held.doubtedFrom = Infinity;
    held.holder = holder;
    this.#schedule(held);
  }

  /** The lock was given back. Its signal aborts, so that whoever still works under another handle stops. */
  released(path: string, lockId: string): void {
    const held = this.find(path, lockId);
    if (held === undefined) return;
    this.#end(held, "released");
  }

  /** The lock was ended while somebody here still had it in hand. */
  endedUnder(path: string, lockId: string): void {
    const held = this.find(path, lockId);
    if (held !== undefined) this.lost(held, "gone");
  }

  /** Tells the holder that the lock is lost; once, and for good. */
  lost(held: HeldLock, how: Loss): void {
    if (held.end !== undefined) return;
    const told = held.isWatched;
    this.#end(held, how);
    if (!told) return;
    const { events, storeClock } = this.#services();
    const { agentId, mode, scope, lockId } = held.holder;
    events.emit({
      type: "lost",
      at: new Date(storeClock.latest()),
      resourcePath: held.path,
      resourceType: held.resource.type,
      lockId,
      agentId,
      mode,
      scope,
      fencingToken: held.token,
      cause: how,
    });
  }

  /** Compares a held lock with its entry as just read. */
  compare(held: HeldLock, entry: Found | undefined): void {
    // Its own release has not been answered yet.
    if (held.end !== undefined || held.isLeaving) return;
    const holder =
      entry === undefined
        ? undefined
        : asLock(entry).holders.find((one) => one.lockId === held.holder.lockId);
    if (holder === undefined) this.lost(held, "gone");
    else if (holder.expiresAt !== held.holder.expiresAt) this.#prolong(held, holder);
  }

  /** The manager stops watching over its locks, which stay in the store. */
  abandonAll(): void {
    for (const held of this.all()) this.#end(held, "closed");
  }

  #end(held: HeldLock, end: End): void {
    held.end = end;
    this.#services().expiries.remove(held);
    this.#remove(held);
    held.controller?.abort(held.ended);
  }

  #remove(held: HeldLock): void {
    let last: HeldLock | undefined;
    for (const one of this.at(held.path)) {
      if (one === held) {
        if (last !== undefined) last.next = one.next;
        else if (one.next !== undefined) this.#byPath.set(held.path, one.next);
        else this.#byPath.delete(held.path);
        this.#size--;
        return;
      }
      last = one;
    }
  }

  onDue(held: HeldLock): void {
    const { clock, storeClock } = this.#services();
    if (!this.#mayHaveExpired(held)) {
      this.#extend(held);
      return;
    }
    this.lost(held, "expired");
    const { path } = held;
    const left = storeClock.surelyAt(held.countedUntil) - clock.monotonic();
    if (left <= 0) this.#upkeep.expire(path);
    else clock.after(left, () => this.#upkeep.expire(path), { background: true });
  }

  /** Extends at a third of the ttl, and again soon when that failed. The expiry stays watched all the while. */
  #extend(held: HeldLock): void {
    this.#schedule(held, extensionRetryMs);
    if (!held.autoExtend || held.extending) return;
    held.extending = true;
    const extension = this.#upkeep.extend(held).then(
      () => {
        held.extending = false;
      },
      (error: unknown) => {
        held.extending = false;
        if (error instanceof LockError && error.family === "lost") this.lost(held, "gone");
      },
    );
    this.#services().background(extension);
  }

  #schedule(held: HeldLock, retryMs?: number): void {
    if (held.end !== undefined) return;
    const { clock, expiries } = this.#services();
    const expiry = this.#mayExpireAt(held);
    const extension = held.autoExtend ? clock.monotonic() + (retryMs ?? held.holder.ttlMs / 3) : Infinity;
    expiries.set(held, Math.min(expiry, extension));
  }

  signalOf(held: HeldLock): AbortSignal {
    if (held.controller === undefined) {
      held.controller = new AbortController();
      if (held.end !== undefined) held.controller.abort(held.ended);
    }
    // A process that slept looks before it believes: the timer may be about to fire only now.
    else if (held.end === undefined && this.#mayHaveExpired(held)) this.onDue(held);
    return held.controller.signal;
  }

  #mayHaveExpired(held: HeldLock): boolean {
    return this.#mayExpireAt(held) <= this.#services().clock.monotonic();
  }

  /** Local monotonic time at which its holder must hear of the loss. */
  #mayExpireAt(held: HeldLock): number {
    return this.#services().storeClock.perhapsAt(held.countedUntil) - lossMarginMs;
  }
}
