/** Waiting has an end, on time, and nothing is left of it: no waiter, no counter, no timer. */
import { describe, expect, test } from "vitest";
import type { Cancel, Clock, ScheduleOptions } from "../../src/clock/clock.js";
import { FaultyStore } from "../support/faulty-store.js";
import { gather, type Stage, stage, watch } from "./stage.js";

/** A clock that knows the timers that keep a process alive. */
class CountingClock implements Clock {
  /** Timers under way that are not in the background. */
  foreground = 0;
  background = 0;
  readonly #inner: Clock;

  constructor(inner: Clock) {
    this.#inner = inner;
  }

  now(): number {
    return this.#inner.now();
  }

  monotonic(): number {
    return this.#inner.monotonic();
  }

  nextTurn(run: () => void): void {
    this.#inner.nextTurn(run);
  }

  after(delayMs: number, run: () => void, options: ScheduleOptions = {}): Cancel {
    const kind = options.background === true ? "background" : "foreground";
    this[kind]++;
    let over = false;
    const end = (): void => {
      if (!over) this[kind]--;
      over = true;
    };
    const cancel = this.#inner.after(
      delayMs,
      () => {
        end();
        run();
      },
      options,
    );
    return () => {
      end();
      cancel();
    };
  }
}

/** How long after its deadline a caller may hear of it. */
const toleranceMs = 10;

describe("A timeout", () => {
  test.each([1, 5, 33, 100, 1_000, 4_321, 60_000, 600_000])(
    "of %s ms is kept: never early, and at most 10 ms late",
    async (timeout) => {
      const play = stage();
      const locks = await play.manager({ maxTtl: "48h" });
      await locks.acquireLock("/a", "ann", { ttl: "48h" });
      // Not at a round time of the clock.
      await play.clock.advance(7.3);
      const call = watch(locks.acquireLock("/a", "bob", { timeout }));
      await play.clock.advance(timeout - 0.1);
      expect(call.state).toBe("pending");
      await play.clock.advance(toleranceMs);
      expect(call.error).toMatchObject({ code: "held" });
      const waited = (call.error as { facts: { waitedMs: number } }).facts.waitedMs;
      expect(waited).toBeGreaterThanOrEqual(timeout);
      expect(waited).toBeLessThanOrEqual(timeout + toleranceMs);
    },
  );

  test("names who was in the way, how long the call waited, and how many others wait", async () => {
    const play = stage();
    const locks = await play.manager();
    const held = await locks.acquireLock("/a", "ann", { reason: "deploying" });
    const others = ["cat", "dan"].map((agent) => watch(locks.acquireLock("/a", agent)));
    const call = watch(locks.acquireLock("/a", "bob", { timeout: 500 }));
    await play.clock.advance(510);
    expect(call.error).toMatchObject({
      code: "held",
      facts: {
        conflicts: [
          { agentId: "ann", standing: "holder", reason: "deploying", expiresAt: held.expiresAt },
          { agentId: "cat", standing: "waiter" },
          { agentId: "dan", standing: "waiter" },
        ],
        queueLength: 2,
      },
    });
    expect(others.map((other) => other.state)).toEqual(["pending", "pending"]);
  });

  test("of nought asks once and leaves no trace", async () => {
    const play = stage();
    const locks = await play.manager();
    await locks.acquireLock("/a", "ann");
    const heard = gather(locks);
    const call = watch(locks.acquireLock("/a", "bob", { timeout: 0 }));
    await play.clock.settle();
    expect(call.error).toMatchObject({ code: "held" });
    await heard.end();
    expect(heard.events.map((event) => event.type)).toEqual(["contended", "refused"]);
    expect(await play.leftovers()).toEqual(["agent/ann", "agent/ann/lock/a", "lock/a"]);
  });

  test("bounds the whole call also when the store hangs", async () => {
    const play = stage();
    const inner = new FaultyStore(play.store, { clock: play.clock });
    const store = shared(inner);
    const locks = await play.manager({}, { store });
    inner.nextCommit({ kind: "slow", ms: 10_000 });
    const call = watch(locks.acquireLock("/a", "ann", { timeout: 300 }));
    await play.clock.advance(299);
    expect(call.state).toBe("pending");
    await play.clock.advance(toleranceMs + 1);
    expect(call.error).toMatchObject({ code: "held" });
    // The grant came too late, and was given back.
    await play.clock.advance(15_000);
    expect(await play.leftovers()).toEqual([]);
  });

  test("of a multi-acquire ends its wait on every path", async () => {
    const play = stage();
    const locks = await play.manager();
    await locks.acquireLock("/b", "ann");
    const call = watch(locks.acquireMultipleLocks(["/a", "/b"], "bob", { timeout: 100 }));
    const behind = watch(locks.acquireLock("/a", "cat"));
    await play.clock.advance(99);
    expect([call.state, behind.state]).toEqual(["pending", "pending"]);
    await play.clock.advance(toleranceMs + 1);
    expect(call.error).toMatchObject({ code: "held" });
    expect(behind.state).toBe("resolved");
  });
});

/** The memory store as one that may hang, so that every call has a deadline. */
function shared(store: FaultyStore): FaultyStore {
  return Object.defineProperty(store, "traits", {
    value: { ...store.traits, sharedBy: "machine" },
  });
}

async function expectNoTimerLeft(play: Stage, clock: CountingClock): Promise<void> {
  const locks = await play.manager({}, { clock });
  const idle = clock.foreground;
  expect(idle).toBe(0);
  await locks.acquireLock("/a", "ann", { ttl: "1h" });
  const controller = new AbortController();
  const calls = Array.from({ length: 200 }, (_, n) =>
    watch(
      locks.acquireLock("/a", `agent-${n}`, {
        timeout: n % 2 === 0 ? 1_000 + n : Infinity,
        ...(n % 2 === 1 ? { signal: controller.signal } : {}),
      }),
    ),
  );
  await play.clock.advance(500);
  expect(clock.foreground).toBeGreaterThan(0);
  controller.abort();
  await play.clock.advance(1_000);
  expect(calls.every((call) => call.state === "rejected")).toBe(true);
  expect(clock.foreground).toBe(0);
}

describe("After cancels and timeouts", () => {
  test("no timer is left that would keep the process alive", async () => {
    const play = stage();
    await expectNoTimerLeft(play, new CountingClock(play.clock));
  });

  test("nothing is left in the store but the lock that is held", async () => {
    const play = stage();
    await expectNoTimerLeft(play, new CountingClock(play.clock));
    expect(await play.leftovers()).toEqual(["agent/ann", "agent/ann/lock/a", "lock/a"]);
  });

  test("no timer is left at all once the manager is closed", async () => {
    const play = stage();
    const clock = new CountingClock(play.clock);
    const locks = await play.manager({}, { clock });
    await locks.acquireLock("/a", "ann", { ttl: "10s", autoExtend: true });
    const call = watch(locks.acquireLock("/a", "bob"));
    await play.clock.advance(100);
    expect(clock.background).toBeGreaterThan(0);
    const closed = watch(locks.close());
    await play.clock.settle();
    expect([call.state, closed.state]).toEqual(["rejected", "resolved"]);
    expect([clock.foreground, clock.background]).toEqual([0, 0]);
    expect(play.clock.pending).toBe(0);
  });

  test("the events tell of each wait: contended and queued, then dequeued and refused", async () => {
    const play = stage();
    const locks = await play.manager();
    await locks.acquireLock("/a", "ann");
    const heard = gather(locks);
    watch(locks.acquireLock("/a", "bob", { timeout: 100 }));
    await play.clock.advance(110);
    await heard.end();
    expect(heard.events.map(({ type, agentId, cause }) => [type, agentId, cause])).toEqual([
      ["queued", "bob", undefined],
      ["contended", "bob", undefined],
      ["dequeued", "bob", "held"],
      ["refused", "bob", "held"],
    ]);
  });

  test("waits may come and go by the thousand, and the store ends as empty as it was", async () => {
    const play = stage();
    const locks = await play.manager();
    for (let round = 0; round < 6; round++) {
      const held = await locks.acquireLock("/a", "ann", { timeout: 0 });
      const calls = Array.from({ length: 100 }, (_, n) =>
        watch(locks.acquireLock("/a", `agent-${n}`, { timeout: 10 + n })),
      );
      await play.clock.advance(60);
      watch(held.release());
      await play.clock.advance(200);
      expect(calls.every((call) => call.state !== "pending")).toBe(true);
      const given = calls.flatMap((call) => (call.value === undefined ? [] : [call.value]));
      for (const lock of given) watch(lock.release());
      await play.clock.advance(200);
    }
    expect(await play.leftovers()).toEqual([]);
  });
});

test.each([1, 3, 10, 50])(
  "A wait of %s ms among faster writers ends as held, and names the holder",
  async (timeout) => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    // A store in this process has no deadline of its own: the call ends when its conflicts do.
    const near = new Proxy(store, {
      get: (target, name) =>
        name === "traits" ? play.store.traits : Reflect.get(target, name, target).bind(target),
    });
    const locks = await play.manager({}, { store: near });
    await locks.acquireLock("/a", "ann");
    store.nextCommit({ kind: "overtaken" }, 100_000);
    const call = watch(locks.acquireLock("/a", "bob", { timeout }));
    await play.clock.advance(timeout + 100);
    expect(call.error).toMatchObject({ code: "held", facts: { conflicts: [{ agentId: "ann" }] } });
  },
);
