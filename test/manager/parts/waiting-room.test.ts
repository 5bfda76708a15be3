/** Who of those who wait is asked to look, when, and what becomes of those who come and go. */
import { describe, expect, test } from "vitest";
import type { ScheduleOptions } from "../../../src/clock/clock.js";
import { acquire } from "../../../src/core/acquire.js";
import type { Mode, Request, Scope } from "../../../src/core/claim.js";
import { lockKey } from "../../../src/core/keys.js";
import type { Queue } from "../../../src/core/records.js";
import { storedPath } from "../../../src/core/resource-path.js";
import type { LockError } from "../../../src/errors.js";
import { assemble } from "../../../src/manager/assembly.js";
import { readConfig } from "../../../src/manager/config.js";
import type { Seat } from "../../../src/manager/local-queue.js";
import type { WaitingCall } from "../../../src/manager/waiting-call.js";
import { openMemoryStore } from "../../../src/store/memory/memory-store.js";
import { FaultyStore } from "../../support/faulty-store.js";
import { ManualClock } from "../../support/manual-clock.js";
import { holder } from "./holder.js";

/** Knows how many timers were set that keep a process alive. */
class WatchedClock extends ManualClock {
  keepingAlive = 0;

  override after(delayMs: number, run: () => void, options?: ScheduleOptions): () => void {
    if (options?.background !== true) this.keepingAlive++;
    return super.after(delayMs, run, options);
  }
}

/** The parts of a manager, whose waiters only say what they are told to do. */
class House {
  readonly clock = new WatchedClock();
  readonly store = new FaultyStore(openMemoryStore({ clock: this.clock }), { clock: this.clock });
  chance = 0.5;
  readonly parts = assemble({
    config: readConfig({}),
    store: this.store,
    ownsStore: false,
    clock: this.clock,
    newId: () => "id",
    random: () => this.chance,
  });
  readonly room = this.parts.room;
  #told: string[] = [];

  /** What the waiters were told since this was last asked. */
  told(): string[] {
    return this.#told.splice(0);
  }

  /** Somebody who waits on some paths. `n`: the number in each queue. */
  enter(agentId: string, paths: string | readonly string[], n: number, terms: Terms = {}): Waiter {
    const waiter = new Waiter(agentId, [paths].flat(), terms, (what) => this.#told.push(what));
    this.room.enter(
      waiter,
      waiter.request.claims.map(() => n),
    );
    return waiter;
  }

  /** Whether the waiters of the path below are told when it becomes free. */
  freed(path: string, scope: Scope = "resource"): string[] {
    this.room.freed(path, storedPath(path).ancestors, scope === "tree");
    return this.told();
  }

  /** Lets a commit of this manager leave a queue there, which it then believes in. */
  async believe(path: string, queue: Partial<Queue>): Promise<void> {
    await this.commit((view) =>
      view.putLock(path, { holders: [], queue: { head: 1, next: 9, waiting: 8, trees: 0, ...queue } }),
    );
  }

  async commit(plan: Parameters<typeof this.parts.services.pipeline.submit>[0]["plan"]): Promise<void> {
    this.parts.services.pipeline.submit({ plan, done: () => undefined, fail: unexpected });
    await this.clock.settle();
  }

  /** Commits take so long on the average, which counts the newest for an eighth. */
  async commitMs(ms: number): Promise<void> {
    this.store.nextCommit({ kind: "slow", ms: ms * 8 });
    await this.commit((view) => view.put("slow", 1));
    await this.clock.advance(ms * 8);
    expect(this.parts.services.pipeline.commitMs).toBe(ms);
  }
}

interface Terms {
  readonly mode?: Mode;
  readonly scope?: Scope;
  readonly name?: string;
}

class Waiter implements WaitingCall {
  readonly request: Request;
  seats: readonly Seat<WaitingCall>[] = [];
  brother: WaitingCall | undefined = undefined;
  readonly waitedMs = 0;
  isEntangled = false;
  readonly #name: string;
  readonly #tell: (what: string) => void;

  constructor(agentId: string, paths: readonly string[], terms: Terms, tell: (what: string) => void) {
    const { mode = "exclusive", scope = "resource", name = agentId } = terms;
    const claims = paths.map((path) => ({
      resource: storedPath(path),
      lockId: `${name} ${path}`,
      ttlMs: 1000,
    }));
    this.request = { requestId: name, agentId, mode, scope, claims };
    this.#name = name;
    this.#tell = tell;
  }

  get places(): readonly number[] {
    return this.seats.map(({ n }) => n);
  }

  look(isAfresh = false): void {
    this.#tell(isAfresh ? `${this.#name} looks afresh` : `${this.#name} looks`);
  }

  lookForDeadlock(): void {
    this.#tell(`${this.#name} looks for a deadlock`);
  }

  requeue(): void {
    this.#tell(`${this.#name} queues again`);
  }

  serve(granted: readonly { readonly path: string }[], revision: number): void {
    this.#tell(`${this.#name} is served ${granted.map(({ path }) => path).join()} at ${revision}`);
  }

  stop(error: LockError | undefined): void {
    this.#tell(`${this.#name} is refused: ${error?.code}`);
  }
}

function unexpected(error: unknown): never {
  throw error;
}

describe("The room", () => {
  test("knows who waits, and forgets who left.", () => {
    const house = new House();
    const { room } = house;
    expect([room.isEmpty, room.size, room.calls()]).toEqual([true, 0, []]);
    const bob = house.enter("bob", "/a", 1);
    const cat = house.enter("cat", "/a", 2);
    expect([room.isEmpty, room.size, room.calls()]).toEqual([false, 2, [bob, cat]]);
    expect([room.find("bob"), room.find("dan")]).toEqual([bob, undefined]);
    expect([bob.places, cat.places]).toEqual([[1], [2]]);
    room.leave(bob);
    expect([room.size, room.calls(), room.find("bob")]).toEqual([1, [cat], undefined]);
    room.leave(cat);
    expect(room.isEmpty).toBe(true);
  });

  test("lets nobody leave twice.", () => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1);
    house.room.leave(bob);
    house.enter("cat", "/a", 2);
    house.room.leave(bob);
    expect(house.freed("/a")).toEqual(["cat looks"]);
  });

  test("tells those who are granted by a release of their locks.", async () => {
    const house = new House();
    house.enter("bob", "/a", 1);
    house.room.serve([{ requestId: "bob", granted: { path: "/a", holder } }], 7);
    expect(house.told()).toEqual(["bob is served /a at 7"]);
  });

  test("gives back what was granted to one who has left.", async () => {
    const house = new House();
    const { request } = new Waiter("bob", ["/a"], {}, unexpected);
    const promoted: Parameters<typeof house.room.serve>[0][number][] = [];
    await house.commit((view) => {
      const reply = acquire(view, request, house.parts.services.limits, undefined);
      if (reply.kind === "granted") promoted.push({ requestId: "gone", granted: reply.granted[0]! });
    });
    expect(promoted).toHaveLength(1);
    house.room.serve(promoted, 1);
    await house.clock.settle();
    expect((await house.store.read({ keys: [lockKey("/a")] })).entries).toEqual([undefined]);
  });

  test("lets all queue again, each out of its old place first.", () => {
    const house = new House();
    house.enter("bob", "/a", 1);
    house.enter("cat", "/b", 1);
    house.room.requeueAll();
    expect(house.told()).toEqual(["bob queues again", "cat queues again"]);
    expect(house.room.isEmpty).toBe(true);
  });

  test("refuses all when it is closed, and does not look after those who come then.", async () => {
    const house = new House();
    house.enter("bob", "/a", 1);
    expect(house.room.isClosed).toBe(false);
    house.room.close();
    expect([house.room.isClosed, house.told()]).toEqual([true, ["bob is refused: closed"]]);
    expect(house.clock.pending).toBe(0);
    house.enter("cat", "/a", 2);
    expect(house.clock.pending).toBe(0);
    new House().room.close();
  });
});

describe("A path that became free", () => {
  test("lets the first who waits there look, and nobody else.", () => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1);
    house.enter("cat", "/a", 2);
    house.enter("dan", "/b", 1);
    house.enter("eve", "/a/b", 1);
    house.enter("fay", "/", 1);
    expect(house.freed("/a")).toEqual(["bob looks"]);
    house.room.leave(bob);
    expect(house.freed("/a")).toEqual(["cat looks"]);
    expect(house.freed("/nowhere")).toEqual([]);
  });

  test("lets the first above look where somebody waits for a tree.", () => {
    const house = new House();
    house.enter("bob", "/a", 1);
    const cat = house.enter("cat", "/a", 2, { scope: "tree" });
    house.enter("dan", "/", 1, { scope: "tree" });
    house.enter("eve", "/b", 1, { scope: "tree" });
    expect(house.freed("/a/b/c")).toEqual(["bob looks", "dan looks"]);
    house.room.leave(cat);
    expect(house.freed("/a/b/c")).toEqual(["dan looks"]);
  });

  test("lets the first of each queue below look when a tree became free.", () => {
    const house = new House();
    const bob = house.enter("bob", "/a/b", 1);
    house.enter("cat", "/a/b", 2);
    const dan = house.enter("dan", "/a/c/d", 1);
    house.enter("eve", "/b", 1);
    expect(house.freed("/a")).toEqual([]);
    expect(house.freed("/a", "tree")).toEqual(["bob looks", "dan looks"]);
    expect(house.freed("/", "tree")).toEqual(["bob looks", "dan looks", "eve looks"]);
    expect(house.freed("/a/c", "tree")).toEqual(["dan looks"]);
    house.room.leave(bob);
    expect(house.freed("/a", "tree")).toEqual(["cat looks", "dan looks"]);
    house.room.leave(dan);
    expect(house.freed("/a", "tree")).toEqual(["cat looks"]);
    house.enter("dan", "/a/c/d", 2);
    expect(house.freed("/a", "tree")).toEqual(["cat looks", "dan looks"]);
  });

  test("lets all who wait for several paths look, at each.", () => {
    const house = new House();
    const bob = house.enter("bob", ["/a", "/b"], 1);
    expect([house.freed("/a"), house.freed("/b")]).toEqual([["bob looks"], ["bob looks"]]);
    house.room.leave(bob);
    expect([house.freed("/a"), house.freed("/b")]).toEqual([[], []]);
  });

  test("lets the smallest number look, whoever came first.", () => {
    const house = new House();
    house.enter("bob", "/a", 5);
    house.enter("cat", "/a", 3);
    expect(house.freed("/a")).toEqual(["cat looks"]);
  });
});

describe("Where waiters of other managers are ahead", () => {
  /** Somebody at number 3, where 2 wait, of which one is ahead. */
  async function behind(terms: Terms = {}): Promise<House & { bob: Waiter }> {
    const house = new House();
    await house.believe("/a", { head: 2, waiting: 2 });
    return Object.assign(house, { bob: house.enter("bob", "/a", 3, terms) });
  }

  test("the first of this manager looks a moment later.", async () => {
    const house = await behind();
    expect(house.freed("/a")).toEqual([]);
    await house.clock.advance(19);
    expect(house.told()).toEqual([]);
    await house.clock.advance(5);
    expect(house.told()).toEqual(["bob looks"]);
    await house.clock.advance(500);
    expect(house.told()).toEqual([]);
  });

  test.each([
    [10, 80],
    [20, 100],
  ])("the moment is eight commits of %d ms, but a tenth of a second at most.", async (commitMs, momentMs) => {
    const house = await behind();
    await house.commitMs(commitMs);
    expect(house.freed("/a")).toEqual([]);
    await house.clock.advance(momentMs - 1);
    expect(house.told()).toEqual([]);
    await house.clock.advance(9);
    expect(house.told()).toEqual(["bob looks"]);
  });

  test("the moment begins anew with each word that the path is free.", async () => {
    const house = await behind();
    for (let i = 0; i < 3; i++) {
      expect(house.freed("/a")).toEqual([]);
      await house.clock.advance(15);
    }
    expect(house.told()).toEqual([]);
    await house.clock.advance(9);
    expect(house.told()).toEqual(["bob looks"]);
  });

  test("nobody looks later than when the lock in the way has expired.", async () => {
    const house = await behind();
    const { storeClock } = house.parts.services;
    // The moment would end first.
    house.room.wakeAt(house.bob, storeClock.latest() + 50);
    expect(house.freed("/a")).toEqual([]);
    await house.clock.advance(24);
    expect(house.told()).toEqual(["bob looks"]);
    // And here last.
    house.room.wakeAt(house.bob, storeClock.latest() + 10);
    expect(house.freed("/a")).toEqual([]);
    await house.clock.advance(15);
    expect(house.told()).toEqual(["bob looks"]);
    // The expiry comes into the moment, which does not begin anew then.
    expect(house.freed("/a")).toEqual([]);
    house.room.wakeAt(house.bob, storeClock.latest() + 10);
    expect(house.freed("/a")).toEqual([]);
    await house.clock.advance(15);
    expect(house.told()).toEqual(["bob looks"]);
  });

  test("after the moment another one can begin.", async () => {
    const house = await behind();
    for (let i = 0; i < 2; i++) {
      expect(house.freed("/a")).toEqual([]);
      await house.clock.advance(24);
      expect(house.told()).toEqual(["bob looks"]);
    }
  });

  test("whoever shares looks at once.", async () => {
    const house = await behind({ mode: "shared" });
    expect(house.freed("/a")).toEqual(["bob looks"]);
  });

  test("whoever may be waited for looks at once.", async () => {
    const house = await behind();
    house.bob.isEntangled = true;
    expect(house.freed("/a")).toEqual(["bob looks"]);
  });

  test.each([
    ["it is the head of the queue", { head: 3, waiting: 2 }],
    ["the head is behind it", { head: 4, waiting: 2 }],
    ["all who wait are of this manager", { head: 2, waiting: 1 }],
  ])("it looks at once all the same when %s.", async (_when, queue) => {
    const house = await behind();
    await house.believe("/a", queue);
    expect(house.freed("/a")).toEqual(["bob looks"]);
  });

  test("one that was queued blindly looks a moment later, but one for a tree at once.", async () => {
    const house = await behind();
    house.room.lookInTurn(house.bob);
    expect(house.told()).toEqual([]);
    await house.clock.advance(24);
    expect(house.told()).toEqual(["bob looks"]);
    await house.believe("/a", { head: 2, waiting: 3 });
    house.room.lookInTurn(house.enter("cat", "/a", 4, { scope: "tree" }));
    expect(house.told()).toEqual(["cat looks"]);
    house.room.lookInTurn(house.enter("dan", "/free", 1));
    expect(house.told()).toEqual(["dan looks"]);
    // It has left all its queues meanwhile.
    house.room.lookInTurn(new Waiter("eve", [], {}, (what) => expect(what).toBe("eve looks")));
  });

  test("word from other managers is believed.", async () => {
    const house = await behind();
    const queue: Queue = { head: 3, next: 9, waiting: 2, trees: 0 };
    house.room.hinted([{ path: "/a", queue }], Number.MAX_SAFE_INTEGER);
    expect(house.told()).toEqual(["bob looks"]);
    expect(house.parts.services.pipeline.beliefs.queueAt("/a")).toEqual(queue);
  });
});

describe("Word from other managers", () => {
  test("lets those look who wait at, above for a tree, or below.", () => {
    const house = new House();
    const none = { queue: undefined };
    house.room.hinted([{ path: "/a", ...none }], 5);
    house.enter("bob", "/a/b", 1);
    house.enter("cat", "/a/b/c", 1);
    house.enter("dan", "/a", 1, { scope: "tree" });
    house.enter("eve", "/x", 1);
    house.room.hinted(
      [
        { path: "/a/b", ...none },
        { path: "/y", ...none },
        { path: "/x", ...none },
      ],
      5,
    );
    expect(house.told()).toEqual(["bob looks", "dan looks", "cat looks", "eve looks"]);
  });
});

describe("The word is passed on", () => {
  test.each<[string, Terms, string, Terms, string[]]>([
    ["by one who shares to one who shares", { mode: "shared" }, "cat", { mode: "shared" }, ["cat looks"]],
    ["to nobody who wants it alone", { mode: "shared" }, "cat", {}, []],
    ["by nobody who wants it alone", {}, "cat", { mode: "shared" }, []],
    ["to another call of the same agent", {}, "bob", { name: "bob again" }, ["bob again looks"]],
  ])("%s.", (_what, first, agentId, second, told) => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1, first);
    house.enter(agentId, "/a", 2, second);
    house.room.passOn(bob);
    expect(house.told()).toEqual(told);
    // Also when it was served, and has left.
    house.room.leave(bob);
    house.room.passOn(bob);
    expect(house.told()).toEqual(told);
  });

  test("to whoever is next behind it in each of its queues.", () => {
    const house = new House();
    const shared: Terms = { mode: "shared" };
    house.enter("ann", "/a", 1, shared);
    const bob = house.enter("bob", ["/a", "/b", "/c"], 2, shared);
    house.enter("cat", "/a", 3, shared);
    house.enter("dan", "/a", 4, shared);
    house.enter("eve", "/c", 3, shared);
    house.room.passOn(bob);
    expect(house.told()).toEqual(["cat looks", "eve looks"]);
    house.room.leave(bob);
    house.room.passOn(bob);
    expect(house.told()).toEqual(["ann looks", "eve looks"]);
  });
});

describe("A call that finds itself in no queue any more", () => {
  test("leaves its look to whoever is first in each of its queues, in whatever mode.", () => {
    const house = new House();
    const bob = house.enter("bob", ["/a", "/b", "/c"], 1);
    house.enter("cat", "/a", 2);
    house.enter("dan", "/a", 3);
    house.enter("eve", "/b", 2, { mode: "shared" });
    house.room.leave(bob);
    house.room.lookBehind(bob);
    expect(house.told()).toEqual(["cat looks", "eve looks"]);
  });
});

describe("When an agent got a lock", () => {
  test("all its calls that wait look, and may be waited for from now on.", () => {
    const house = new House();
    const calls = ["one", "two", "three"].map((name, n) => house.enter("bob", `/${name}`, n, { name }));
    const cat = house.enter("cat", "/a", 1);
    house.room.granted("bob");
    expect(house.told()).toEqual(["three looks", "two looks", "one looks"]);
    expect([...calls, cat].map(({ isEntangled }) => isEntangled)).toEqual([true, true, true, false]);
    house.room.granted("nobody");
    expect(house.told()).toEqual([]);
  });

  test.each([
    ["one", ["three looks", "two looks"]],
    ["two", ["three looks", "one looks"]],
    ["three", ["two looks", "one looks"]],
  ])("those that have left do not: %s.", (name, told) => {
    const house = new House();
    for (const other of ["one", "two", "three"]) house.enter("bob", `/${other}`, 1, { name: other });
    const gone = house.room.find(name)!;
    house.room.leave(gone);
    expect(gone.brother).toBeUndefined();
    house.room.granted("bob");
    expect(house.told()).toEqual(told);
    for (const call of house.room.calls()) house.room.leave(call);
    house.room.granted("bob");
    expect(house.told()).toEqual([]);
  });
});

describe("A newcomer", () => {
  /** How long it would wait for company where 3 wait of which one is of this manager, and a commit takes 10 ms. */
  async function patience(paths: string[], leftMs: number, queue: Partial<Queue> = {}): Promise<number> {
    const house = new House();
    await house.commitMs(10);
    // Not as slow as that, which counts for an eighth.
    house.store.nextCommit({ kind: "slow", ms: 10 });
    await Promise.all([house.believe("/a", { waiting: 3, ...queue }), house.clock.advance(10)]);
    house.enter("bob", "/a", 1);
    return house.room.patienceOf(new Waiter("cat", paths, {}, unexpected).request, leftMs);
  }

  test("waits for company as long as those ahead take at least.", async () => {
    expect(await patience(["/a"], Infinity)).toBe(30);
    expect(await patience(["/a"], Infinity, { waiting: 2 })).toBe(20);
  });

  test("waits a tenth of a second at most, and a quarter of its time.", async () => {
    expect(await patience(["/a"], Infinity, { waiting: 11 })).toBe(100);
    expect(await patience(["/a"], 100)).toBe(25);
    expect(await patience(["/a"], 4)).toBe(1);
  });

  test("does not wait when that would be less than a millisecond.", async () => {
    expect(await patience(["/a"], 3.9)).toBe(0);
  });

  test("does not wait where none of other managers are ahead, or nobody of its own.", async () => {
    expect(await patience(["/a"], Infinity, { waiting: 1 })).toBe(0);
    expect(await patience(["/b"], Infinity)).toBe(0);
    expect(await patience(["/a", "/b"], Infinity)).toBe(0);
    expect(await patience([], Infinity)).toBe(0);
  });

  test("does not wait where nothing is believed, or where all of its own have left.", async () => {
    const house = new House();
    await house.commitMs(10);
    const { request } = new Waiter("cat", ["/a"], {}, unexpected);
    const bob = house.enter("bob", "/a", 1);
    expect(house.room.patienceOf(request, Infinity)).toBe(0);
    await house.believe("/a", {});
    expect(house.room.patienceOf(request, Infinity)).toBeGreaterThan(1);
    house.room.leave(bob);
    expect(house.room.patienceOf(request, Infinity)).toBe(0);
  });
});

describe("One that waits for locks to expire", () => {
  /** In a second of the store's time, which this manager knows exactly. */
  async function due(house: House, inMs: number): Promise<number> {
    await house.commit((view) => view.put("x", 1));
    return house.parts.services.storeClock.latest() + inMs;
  }

  test("looks when they surely have, once.", async () => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1);
    house.enter("cat", "/a", 2);
    house.room.wakeAt(bob, await due(house, 100));
    await house.clock.advance(99);
    expect(house.told()).toEqual([]);
    await house.clock.advance(6);
    expect(house.told()).toEqual(["bob looks"]);
    await house.clock.advance(500);
    expect(house.told()).toEqual([]);
  });

  test("looks at the first time that was said.", async () => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1);
    house.room.wakeAt(bob, await due(house, 200));
    house.room.wakeAt(bob, await due(house, 100));
    house.room.wakeAt(bob, await due(house, 300));
    await house.clock.advance(105);
    expect(house.told()).toEqual(["bob looks"]);
    await house.clock.advance(400);
    expect(house.told()).toEqual([]);
  });

  test("does not when nobody knows when, or when it stands nowhere.", async () => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1);
    house.room.wakeAt(bob, -Infinity);
    house.room.wakeAt(bob, Infinity);
    house.room.wakeAt(new Waiter("cat", [], {}, unexpected), await due(house, 100));
    await house.clock.advance(500);
    expect(house.told()).toEqual([]);
  });

  test("is left in peace once it has left.", async () => {
    const house = new House();
    const bob = house.enter("bob", "/a", 1);
    house.room.wakeAt(bob, await due(house, 100));
    house.room.leave(bob);
    house.enter("cat", "/a", 2);
    await house.clock.advance(200);
    expect(house.told()).toEqual([]);
  });
});

describe("Once a second, more or less,", () => {
  test.each([
    [0, 750],
    [0.5, 1_000],
    [1, 1_250],
  ])("with the chance %d, the first of each queue looks afresh.", async (chance, ms) => {
    const house = new House();
    house.chance = chance;
    house.enter("bob", "/a", 1);
    house.enter("cat", "/a", 2);
    house.enter("dan", "/b", 1);
    for (let i = 0; i < 3; i++) {
      await house.clock.advance(ms - 1);
      expect(house.told()).toEqual([]);
      await house.clock.advance(1);
      expect(house.told()).toEqual(["bob looks afresh", "dan looks afresh"]);
    }
  });

  test("whoever may be waited for looks as well, and looks for a deadlock.", async () => {
    const house = new House();
    house.enter("ann", ["/a", "/b"], 1);
    const bob = house.enter("bob", "/a", 2);
    const cat = house.enter("cat", ["/b", "/c"], 2);
    bob.isEntangled = true;
    cat.isEntangled = true;
    await house.clock.advance(1_000);
    expect(house.told()).toEqual([
      "ann looks afresh",
      "ann looks afresh",
      "cat looks afresh",
      "bob looks",
      "bob looks for a deadlock",
      "cat looks for a deadlock",
    ]);
  });

  test("that ends when nobody waits any more, and begins with the next who does.", async () => {
    const house = new House();
    house.room.leave(house.enter("bob", "/a", 1));
    await house.clock.advance(1_000);
    expect(house.clock.pending).toBe(0);
    await house.clock.advance(300);
    house.enter("cat", "/a", 2);
    await house.clock.advance(999);
    expect(house.told()).toEqual([]);
    await house.clock.advance(1);
    expect(house.told()).toEqual(["cat looks afresh"]);
  });

  test("that keeps no process alive.", async () => {
    const house = new House();
    house.enter("bob", "/a", 1);
    await house.clock.advance(2_000);
    expect([house.told().length, house.clock.keepingAlive]).toEqual([2, 0]);
  });
});
