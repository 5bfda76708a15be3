/** Faults around a store, on command or by chance: replies and requests that get lost or late, a store that is down, hints that go astray. */
import { type Clock, sleep } from "../../src/clock/clock.js";
import type { Holder, LockRecord } from "../../src/core/records.js";
import { settled } from "../../src/core/view.js";
import {
  type Change,
  type CommitReply,
  type Entry,
  type HintListener,
  type Json,
  type Query,
  type ReadReply,
  type Store,
  StoreError,
  type StoreOptions,
  type StoreTraits,
  type Subscription,
} from "../../src/store/store.js";

/** What becomes of one call. */
export type Fault =
  /** Applied, but the caller never learns: outcome unknown. */
  | { readonly kind: "reply lost" }
  /** Not applied, and the caller cannot know: outcome unknown. */
  | { readonly kind: "request lost" }
  /** Reported as lost at once, and applied this much later all the same, if its `notAfter` allows. */
  | { readonly kind: "late"; readonly ms: number }
  /** Refused: surely nothing was done. */
  | { readonly kind: "refused"; readonly retryable: boolean }
  /** Both ways take this long together. */
  | { readonly kind: "slow"; readonly ms: number }
  /** Another writer is faster: it writes what stands at the expected keys once more. */
  | { readonly kind: "overtaken" };

/** How often, between 0 and 1, a call meets which fault. */
export interface Chances {
  readonly replyLost?: number;
  readonly requestLost?: number;
  readonly late?: number;
  readonly refused?: number;
  readonly slow?: number;
  readonly overtaken?: number;
  readonly hintLost?: number;
  readonly hintRepeated?: number;
  readonly hintDelayed?: number;
  /** How late a late request may be at most, in milliseconds; default 2,000. */
  readonly latestMs?: number;
  /** After a late request the store cannot be reached for up to so many milliseconds. */
  readonly cutOffMs?: number;
  /** No fault: a call that meets none takes up to so many milliseconds, both ways together. */
  readonly latencyMs?: number;
}

/** What a fault is called when it is told of. */
export type FaultName =
  | Fate
  | "down"
  | "read refused"
  | "read slow"
  | "hint lost"
  | "hint repeated"
  | "hint delayed";
type Fate = Fault["kind"];

export interface FaultyStoreOptions {
  readonly clock: Clock;
  /** Between 0 and 1; needed for chances. Seeded, so that a run can be repeated. */
  readonly random?: () => number;
  /** Told of every fault when it happens. */
  readonly onFault?: (name: FaultName, ms?: number) => void;
}

const longestDelayMs = 2_000;
const longestHintDelayMs = 10_000;

export class FaultyStore implements Store {
  readonly traits: StoreTraits;
  /** Calls that reached it, also those that failed. */
  calls = { commits: 0, reads: 0 };
  private readonly inner: Store;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly onFault: (name: FaultName, ms?: number) => void;
  private readonly commitFaults: Fault[] = [];
  private readonly readFaults: Fault[] = [];
  private chances: Chances = {};
  private isDown = false;
  /** Local monotonic time until which it is cut off. */
  private cutOffUntil = -Infinity;
  private isGone = false;
  private hints: "pass" | "lost" | "twice" | number = "pass";
  private pending = 0;

  constructor(inner: Store, { clock, random, onFault }: FaultyStoreOptions) {
    this.inner = inner;
    this.clock = clock;
    this.onFault = onFault ?? (() => undefined);
    // What can fail and be late is not within the process.
    this.traits = { ...inner.traits, sharedBy: "network", commitsUnderWay: 2 };
    this.random =
      random ??
      (() => {
        throw new Error("Chances need a random source.");
      });
  }

  // On command

  /** The next commits meet this fault, one after the other. */
  nextCommit(fault: Fault, times = 1): void {
    for (let i = 0; i < times; i++) this.commitFaults.push(fault);
  }

  nextRead(fault: Fault, times = 1): void {
    for (let i = 0; i < times; i++) this.readFaults.push(fault);
  }

  /** Every call fails, surely without effect, until `up`. */
  down(): void {
    this.isDown = true;
  }

  up(): void {
    this.isDown = false;
    this.cutOffUntil = -Infinity;
  }

  /** The process that uses the store is dead: nothing it asks is carried out or answered, and it hears nothing. */
  vanish(): void {
    this.isGone = true;
  }

  /** What becomes of hints: a number delays them by so many milliseconds. */
  hint(fate: "pass" | "lost" | "twice" | number): void {
    this.hints = fate;
  }

  /** From now on faults also happen by chance. */
  chance(chances: Chances): void {
    this.chances = chances;
  }

  /** Late commits that are still under way. */
  get underway(): number {
    return this.pending;
  }

  // As a store

  async commit(changes: readonly Change[], options?: StoreOptions): Promise<CommitReply> {
    this.calls.commits++;
    if (this.isGone) return never();
    const isOutOfReach = this.isOutOfReach;
    const fault = this.commitFaults.shift() ?? this.commitByChance();
    if (isOutOfReach) {
      this.onFault("down");
      throw refusal(true);
    }
    if (fault === undefined) return this.unhindered(() => this.inner.commit(changes, options));
    this.onFault(fault.kind, "ms" in fault ? fault.ms : undefined);
    switch (fault?.kind) {
      case "refused":
        throw refusal(fault.retryable);
      case "request lost":
        throw lost();
      case "reply lost":
        await this.inner.commit(changes, options);
        throw lost();
      case "late":
        this.later(fault.ms, changes);
        throw lost();
      case "slow":
        return this.slowly(fault.ms, () => this.inner.commit(changes, options));
      case "overtaken":
        await this.overtake(changes);
        return this.inner.commit(changes, options);
    }
  }

  async read(query: Query, options?: StoreOptions): Promise<ReadReply> {
    this.calls.reads++;
    if (this.isGone) return never();
    const fault = this.readFaults.shift() ?? this.readByChance();
    if (this.isOutOfReach || fault?.kind === "refused") {
      this.onFault(this.isOutOfReach ? "down" : "read refused");
      throw refusal(true);
    }
    if (fault?.kind === "slow") {
      this.onFault("read slow", fault.ms);
      return this.slowly(fault.ms, () => this.inner.read(query, options));
    }
    return this.unhindered(() => this.inner.read(query, options));
  }

  private unhindered<T>(call: () => Promise<T>): Promise<T> {
    const { latencyMs } = this.chances;
    return latencyMs === undefined ? call() : this.slowly(this.random() * latencyMs, call);
  }

  /** Half the time goes by on the way there. What was sent arrives, even if the process dies meanwhile. */
  private async slowly<T>(ms: number, call: () => Promise<T>): Promise<T> {
    await sleep(this.clock, ms / 2);
    const reply = await call();
    await sleep(this.clock, ms / 2);
    return this.isGone ? never() : reply;
  }

  subscribe(listener: HintListener): Promise<Subscription> {
    return this.inner.subscribe((texts, revision) => {
      const fate = this.fateOfHint();
      if (this.isGone || fate === "lost") return;
      const tell = (): void => {
        if (!this.isGone) listener(texts, revision);
      };
      if (typeof fate === "number") {
        this.clock.after(fate, tell);
        return;
      }
      tell();
      if (fate === "twice") tell();
    });
  }

  /** Leaves the inner store open: others use it too. */
  async close(): Promise<void> {}

  // By chance

  private get isOutOfReach(): boolean {
    return this.isDown || this.clock.monotonic() < this.cutOffUntil;
  }

  private commitByChance(): Fault | undefined {
    const { replyLost, requestLost, late, refused, slow, overtaken } = this.chances;
    return this.oneOf<Fault>([
      [replyLost, () => ({ kind: "reply lost" })],
      [requestLost, () => ({ kind: "request lost" })],
      [late, () => this.lateByChance()],
      [refused, () => ({ kind: "refused", retryable: true })],
      [slow, () => ({ kind: "slow", ms: this.random() * longestDelayMs })],
      [overtaken, () => ({ kind: "overtaken" })],
    ]);
  }

  private lateByChance(): Fault {
    const { latestMs = longestDelayMs, cutOffMs } = this.chances;
    if (cutOffMs !== undefined) this.cutOffUntil = this.clock.monotonic() + this.random() * cutOffMs;
    return { kind: "late", ms: this.random() * latestMs };
  }

  private readByChance(): Fault | undefined {
    return this.oneOf<Fault>([
      [this.chances.refused, () => ({ kind: "refused", retryable: true })],
      [this.chances.slow, () => ({ kind: "slow", ms: this.random() * longestDelayMs })],
    ]);
  }

  private fateOfHint(): "pass" | "lost" | "twice" | number {
    const { hintLost, hintRepeated, hintDelayed } = this.chances;
    const fate = this.oneOf<"lost" | "twice" | number>([
      [hintLost, () => "lost"],
      [hintRepeated, () => "twice"],
      [hintDelayed, () => this.random() * longestHintDelayMs],
    ]);
    if (fate === "lost") this.onFault("hint lost");
    else if (fate === "twice") this.onFault("hint repeated");
    else if (fate !== undefined) this.onFault("hint delayed", fate);
    return fate ?? this.hints;
  }

  private oneOf<T>(choices: readonly (readonly [number | undefined, () => T])[]): T | undefined {
    const possible = choices.filter(([chance]) => (chance ?? 0) > 0);
    if (possible.length === 0) return undefined;
    let dice = this.random();
    for (const [chance, make] of possible) {
      dice -= chance ?? 0;
      if (dice < 0) return make();
    }
    return undefined;
  }

  private later(ms: number, changes: readonly Change[]): void {
    this.pending++;
    this.clock.after(ms, () => {
      const applied = this.inner.commit(changes);
      applied.then(
        () => this.pending--,
        () => this.pending--,
      );
    });
  }

  /**
   * Writes the entries that the changes expect once more, as another manager might: the same values, tokens written out. Waiters are never
   * rewritten by anybody, and absent entries stay absent.
   */
  private async overtake(changes: readonly Change[]): Promise<void> {
    const keys = changes.flatMap((change) => change.expect.flatMap((one) => ("key" in one ? [one.key] : [])));
    const { entries } = await this.inner.read({ keys: [...new Set(keys)] });
    const put = entries
      .filter((entry) => entry !== undefined)
      .filter((entry) => !entry.key.startsWith("wait/"))
      .map((entry) => ({ key: entry.key, value: rewritten(entry) }));
    if (put.length === 0) return;
    const expect = put.map(({ key }) => ({
      key,
      revision: entries.find((one) => one?.key === key)!.revision,
    }));
    await this.inner.commit([{ expect, put, remove: [], announce: [] }]);
  }
}

function rewritten({ key, revision, value }: Entry): Json {
  if (!key.startsWith("lock/")) return value;
  const record = value as unknown as LockRecord;
  const holders: readonly Holder[] = settled(record.holders, revision);
  return { ...record, holders } as unknown as Json;
}

function lost(): StoreError {
  return new StoreError("The connection to the store broke.", { outcome: "unknown", retryable: true });
}

function refusal(retryable: boolean): StoreError {
  return new StoreError("The store is down.", { outcome: "none", retryable });
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
