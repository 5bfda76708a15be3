/** A store without a clock of its own: each manager reads store time from another clock, and is told how far they may be apart. */
import { describe, expect, test } from "vitest";
import { StoreClock } from "../../src/manager/store-clock.js";
import type {
  Change,
  CommitReply,
  HintListener,
  Query,
  ReadReply,
  Store,
  StoreTraits,
} from "../../src/store/store.js";
import { ManualClock } from "../support/manual-clock.js";
import { stage, watch } from "./stage.js";

/** The store as it looks to a machine whose clock is so much ahead, of those that may be two seconds apart. */
class SkewedStore implements Store {
  readonly traits: StoreTraits;
  private readonly inner: Store;
  private readonly aheadMs: number;

  constructor(inner: Store, aheadMs: number) {
    this.inner = inner;
    this.aheadMs = aheadMs;
    this.traits = { ...inner.traits, clockUncertaintyMs: 1_000 };
  }

  async commit(changes: readonly Change[]): Promise<CommitReply> {
    const reply = await this.inner.commit(
      changes.map(({ notAfter = Infinity, ...change }) => ({ ...change, notAfter: notAfter - this.aheadMs })),
    );
    return { ...reply, storeTime: reply.storeTime + this.aheadMs };
  }

  async read(query: Query): Promise<ReadReply> {
    const reply = await this.inner.read(query);
    return { ...reply, storeTime: reply.storeTime + this.aheadMs };
  }

  subscribe(listener: HintListener): ReturnType<Store["subscribe"]> {
    return this.inner.subscribe(listener);
  }

  async close(): Promise<void> {}
}

describe("Managers whose clocks are as far apart as they may be", () => {
  for (const [holder, waiter] of [
    [1_000, -1_000],
    [-1_000, 1_000],
    [0, 0],
  ] as const) {
    test(`A lock ends for its holder (${holder} ms ahead) before another (${waiter} ms ahead) gets it.`, async () => {
      const on = stage();
      const ann = await on.manager({}, { store: new SkewedStore(on.store, holder) });
      const bob = await on.manager({}, { store: new SkewedStore(on.store, waiter) });
      const lock = await on.run(ann.acquireLock("/a", "ann", { ttl: "10s" }));
      const next = watch(bob.acquireLock("/a", "bob", { timeout: "1m" }));

      let lostAfter = 0;
      let passed = 0;
      for (; next.state === "pending"; passed += 50) {
        await on.clock.advance(50);
        if (lock.signal.aborted) lostAfter ||= passed + 50;
        else expect(next.state).toBe("pending");
      }
      expect(next.state).toBe("resolved");
      // The holder has what it asked for, and the waiter gets it at most one skew (2 s) and a slow poll later.
      expect(lostAfter).toBeGreaterThan(9_500);
      expect(lostAfter).toBeLessThanOrEqual(10_050);
      expect(passed).toBeLessThanOrEqual(10_000 + 2 * 2_000 + 1_500);
    });
  }
});

describe("The store's clock, as a manager knows it", () => {
  test("is within the uncertainty on both sides of what a reply said, and grows with the drift", () => {
    const clock = new ManualClock();
    const known = new StoreClock(clock, 250);
    known.learn(5_000, 0);
    expect([known.earliest(), known.latest()]).toEqual([4_750, 5_250]);
    expect(known.earliest(1_000)).toBeCloseTo(5_749.5);
    expect(known.latest(1_000)).toBeCloseTo(6_250.5);
  });

  test("surely and perhaps reaches a time when its bounds do", () => {
    const clock = new ManualClock();
    const known = new StoreClock(clock, 250);
    known.learn(5_000, 0);
    expect(known.earliest(known.surelyAt(9_000))).toBeCloseTo(9_000);
    expect(known.latest(known.perhapsAt(9_000))).toBeCloseTo(9_000);
  });
});
