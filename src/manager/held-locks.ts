/**
 * The locks that this manager acquired, as far as it knows: when each is to be extended, when its holder must hear that it is lost, and when it can be
 * removed. A holder is told `lost` as soon as the lock may have expired; it is removed only when it surely has.
 */
import { ChurnMap } from "../churn-map.js";
import { finestMs, Timed } from "../clock/timer-wheel.js";
import type { Granted } from "../core/holding.js";
import type { Holder } from "../core/records.js";
import type { ResourcePath } from "../core/resource-path.js";
import { asLock, type Found } from "../core/view.js";
import { LockError } from "../errors.js";
import { type End, type EndListener, endedError, type Loss, tellOfEnd } from "./lock-end.js";
import { tokenOf } from "./lock-of.js";
import { type OpenExtension, soonest, stillOpen } from "./open-extension.js";
import type { Services } from "./services.js";

/** A holder hears of the loss this much before anybody else can have the lock, for a timer fires up to a bucket late (invariant I16). */
const lossMarginMs = finestMs;
/** An automatic extension that failed is tried again this much later, as long as the lock is in force. */
const extensionRetryMs = 250;
const none: readonly never[] = [];

export class HeldLock extends Timed {
  readonly resource: ResourcePath;
  readonly token: number;
  holder: Holder;
  /** Acquires that were not released again. */
  handles = 0;
  /** Acquires that got it, ever. */
  grants = 0;
  autoExtend = false;
  extending = false;
  /** Extensions that may have been applied, in no order. */
  open: readonly OpenExtension[] = none;
  /** Its release is under way. */
  isLeaving = false;
  /** Once set, it stays. */
  end: End | undefined = undefined;
  /** Made when the holder first looks at the signal: most never do. */
  controller: AbortController | undefined = undefined;
  /** Told of its end beside the signal. */
  listeners: readonly EndListener[] = none;
  /** Another lock held on the same path. */
  next: HeldLock | undefined = undefined;
  readonly #locks: HeldLocks;

  constructor(locks: HeldLocks, resource: ResourcePath, holder: Holder, token: number) {
    super();
    this.#locks = locks;
    this.resource = resource;
    this.holder = holder;
    this.token = token;
  }

  get path(): string {
    return this.resource.path;
  }

  /** When it ends at the soonest, for all that is known. */
  get expiresAt(): number {
    return soonest(this.holder.expiresAt, this.open);
  }

  /** Somebody may act on its being lost. */
  get isWatched(): boolean {
    return this.controller !== undefined || this.autoExtend || this.listeners.length > 0;
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
  giveBack(held: HeldLock): Promise<unknown>;
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
    let held = this.#byPath.get(path);
    while (held !== undefined && held.holder.lockId !== lockId) held = held.next;
    return held;
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
    held.grants++;
    held.autoExtend ||= autoExtend;
    this.#prolong(held, holder);
    return held;
  }

  /** Notes an extension. What was sent before it can no longer be applied, for the entry has changed since. */
  extended({ path, holder }: Granted): void {
    const held = this.find(path, holder.lockId);
    if (held === undefined) return;
    held.open = none;
    this.#prolong(held, holder);
  }

  /** An extension is about to be sent: until it is known what came of it, the earlier expiry counts (invariant I16). */
  sent(path: string, lockId: string, extension: OpenExtension): void {
    const held = this.find(path, lockId);
    if (held === undefined) return;
    const before = held.expiresAt;
    if (!held.open.includes(extension)) held.open = [...held.open, extension];
    if (held.expiresAt !== before) this.#schedule(held);
  }

  /** An extension was surely not applied. */
  notExtended(path: string, lockId: string, extension: OpenExtension): void {
    const held = this.find(path, lockId);
    if (held === undefined) return;
    const before = held.expiresAt;
    held.open = held.open.filter((one) => one !== extension);
    if (held.expiresAt !== before) this.#schedule(held);
  }

  #prolong(held: HeldLock, holder: Holder): void {
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

  /** Compares a held lock with its entry as read at that store time. */
  compare(held: HeldLock, entry: Found | undefined, readAt: number): void {
    // Its own release has not been answered yet.
    if (held.end !== undefined || held.isLeaving) return;
    const holder =
      entry === undefined
        ? undefined
        : asLock(entry).holders.find((one) => one.lockId === held.holder.lockId);
    if (holder === undefined) {
      this.lost(held, "gone");
      return;
    }
    const before = held.expiresAt;
    held.open = stillOpen(held.open, readAt);
    if (holder.expiresAt !== held.holder.expiresAt || held.expiresAt !== before) this.#prolong(held, holder);
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
    if (held.listeners.length > 0) tellOfEnd(held, end);
  }

  #remove(held: HeldLock): void {
    let before = this.#byPath.get(held.path);
    if (before !== held) {
      while (before !== undefined && before.next !== held) before = before.next;
      if (before !== undefined) before.next = held.next;
    } else if (held.next === undefined) this.#byPath.delete(held.path);
    else this.#byPath.set(held.path, held.next);
    this.#size--;
  }

  onDue(held: HeldLock): void {
    const { clock, storeClock } = this.#services();
    const { expiresAt } = held;
    if (!this.#mayHaveExpired(held)) {
      this.#extend(held);
      return;
    }
    this.lost(held, "expired");
    // It may not have been cut short after all, and is in nobody's hands now.
    if (expiresAt < held.holder.expiresAt) this.#services().background(this.#upkeep.giveBack(held));
    const { path } = held;
    const left = storeClock.surelyAt(expiresAt) - clock.monotonic();
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
    const { clock, storeClock, expiries } = this.#services();
    const expiry = storeClock.perhapsAt(held.expiresAt) - lossMarginMs;
    const extension = held.autoExtend ? clock.monotonic() + (retryMs ?? held.holder.ttlMs / 3) : Infinity;
    expiries.set(held, Math.min(expiry, extension));
  }

  signalOf(held: HeldLock): AbortSignal {
    if (held.controller === undefined) {
      held.controller = new AbortController();
      if (held.end !== undefined) held.controller.abort(held.ended);
    }
    // A process that slept looks before it believes: the timer may be about to fire only now.
    if (held.end === undefined && this.#mayHaveExpired(held)) this.onDue(held);
    return held.controller.signal;
  }

  #mayHaveExpired(held: HeldLock): boolean {
    const { clock, storeClock } = this.#services();
    return storeClock.perhapsAt(held.expiresAt) - lossMarginMs <= clock.monotonic();
  }
}
