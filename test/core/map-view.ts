/** The view of the core over a plain Map, with the optimistic rules of a store: expectations, revisions, `notAfter`. */
import type { Happening } from "../../src/core/happening.js";
import { agentKey, lockKey } from "../../src/core/keys.js";
import type { AgentRecord, LockRecord } from "../../src/core/records.js";
import type { Found, Value, View } from "../../src/core/view.js";

interface Stored {
  readonly revision: number;
  readonly value: Value;
}

/** What a store holds: entries and the revision of the last change. */
export class Entries {
  revision = 0;
  private map = new Map<string, Stored>();
  private sorted: readonly string[] | undefined;

  at(key: string): Stored | undefined {
    return this.map.get(key);
  }

  /** In order. */
  keys(): readonly string[] {
    this.sorted ??= [...this.map.keys()].sort();
    return this.sorted;
  }

  /** Puts an entry as it stands in a store. */
  set({ key, revision, value }: Found): void {
    this.map.set(key, { revision, value });
    this.sorted = undefined;
    this.revision = Math.max(this.revision, revision);
  }

  /** The same entries, untouched by later changes. */
  snapshot(): Entries {
    const copy = new Entries();
    copy.revision = this.revision;
    copy.map = new Map(this.map);
    copy.sorted = this.sorted;
    return copy;
  }

  /** Carries out a plan as one change; `undefined` when something it looked at has changed, or when it comes too late. */
  apply(plan: MapView, now: number): number | undefined {
    if (now > plan.notAfter || !plan.stillHolds(this)) return undefined;
    if (plan.written.size === 0) return this.revision;
    this.revision += 1;
    this.sorted = undefined;
    for (const [key, value] of plan.written) {
      if (value === undefined) this.map.delete(key);
      // As JSON, like in a real store.
      else this.map.set(key, { revision: this.revision, value: JSON.parse(JSON.stringify(value)) });
    }
    return this.revision;
  }
}

export interface Moment {
  readonly earliest: number;
  readonly latest: number;
  readonly managerId: string;
}

/** One plan: everything is known, and everything that was looked at is expected not to change. */
export class MapView implements View {
  readonly earliest: number;
  readonly latest: number;
  readonly managerId: string;
  readonly ordinal: number = 0;
  /** `undefined`: removed. */
  readonly written = new Map<string, Value | undefined>();
  readonly announced: string[] = [];
  readonly told: Happening[] = [];
  notAfter = Infinity;
  private readonly seen = new Map<string, number>();
  private ranges: { prefix: string; after: string }[] = [];
  private readonly entries: Entries;
  /** What was there when the plan was made. */
  private readonly since: number;
  private readonly unknown: ReadonlySet<string>;

  /** @param unknown keys the view pretends not to know. */
  constructor(entries: Entries, moment: Moment, unknown: ReadonlySet<string> = new Set()) {
    this.entries = entries;
    this.since = entries.revision;
    this.earliest = moment.earliest;
    this.latest = moment.latest;
    this.managerId = moment.managerId;
    this.unknown = unknown;
  }

  lock(path: string): LockRecord | undefined {
    return this.get(lockKey(path)) as unknown as LockRecord | undefined;
  }

  lockRevision(path: string): number {
    return this.revision(lockKey(path));
  }

  putLock(path: string, record: LockRecord): void {
    const isEmpty = record.holders.length === 0 && record.queue === undefined;
    this.written.set(lockKey(path), isEmpty ? undefined : (record as unknown as Value));
  }

  agent(agentId: string): AgentRecord {
    const record = this.get(agentKey(agentId)) as unknown as AgentRecord | undefined;
    return record ?? { locks: 0, waits: 0 };
  }

  putAgent(agentId: string, record: AgentRecord): void {
    const isEmpty = record.locks === 0 && record.waits === 0;
    this.written.set(agentKey(agentId), isEmpty ? undefined : (record as unknown as Value));
  }

  index(key: string, value: Value): void {
    this.put(key, value);
  }

  unindex(key: string): void {
    this.remove(key);
  }

  get(key: string): Value | undefined {
    const stored = this.entries.at(key);
    this.seen.set(key, stored?.revision ?? 0);
    return this.written.has(key) ? this.written.get(key) : stored?.value;
  }

  revision(key: string): number {
    return this.written.has(key) ? 0 : (this.entries.at(key)?.revision ?? 0);
  }

  knows(key: string): boolean {
    return !this.unknown.has(key);
  }

  range(prefix: string, limit = Infinity, after = ""): readonly Found[] {
    this.ranges.push({ prefix, after });
    const keys = this.entries.keys().filter((key) => key.startsWith(prefix) && key > after);
    return keys.slice(0, limit).map((key) => ({ key, ...this.entries.at(key)! }));
  }

  forgetRanges(): void {
    this.ranges = [];
  }

  put(key: string, value: Value): void {
    this.written.set(key, value);
  }

  /** Everything is kept in mind here. */
  leaveBehind(): void {}

  remove(key: string): void {
    this.written.set(key, undefined);
  }

  announce(path: string): void {
    this.announced.push(path);
  }

  before(time: number): void {
    this.notAfter = Math.min(this.notAfter, time);
  }

  tell(happening: Happening): void {
    this.told.push(happening);
  }

  /** Whether what the plan looked at is still so: each key at its revision, and nothing new in a range. */
  stillHolds(now: Entries): boolean {
    for (const [key, revision] of this.seen) {
      if ((now.at(key)?.revision ?? 0) !== revision) return false;
    }
    return this.ranges.every(({ prefix, after }) =>
      now
        .keys()
        .every((key) => !key.startsWith(prefix) || key <= after || now.at(key)!.revision <= this.since),
    );
  }
}
