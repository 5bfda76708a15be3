/** Several managers that want one path: what a change of hands costs, and who is left in peace. */
import { describe, expect, test } from "vitest";
import { FaultyStore } from "../support/faulty-store.js";
import { CountingStore } from "./counting-store.js";
import { entriesOf, type Stage, stage, watch } from "./stage.js";

async function waitersAt(play: Stage, path: string): Promise<number> {
  return (await entriesOf(play.store)).filter(({ key }) => key.startsWith(`wait${path}//`)).length;
}

describe("A path that was freed", () => {
  test("goes to whoever is next in one commit of its manager, without a read; the others do nothing", async () => {
    const play = stage();
    const [next, later] = [new CountingStore(play.store), new CountingStore(play.store)];
    const one = await play.manager();
    const two = await play.manager({}, { store: next });
    const three = await play.manager({}, { store: later });
    const held = await one.acquireLock("/a/b", "ann");
    const bob = watch(two.acquireLock("/a/b", "bob"));
    await play.clock.settle();
    const cat = watch(three.acquireLock("/a/b", "cat"));
    await play.clock.settle();
    const before = [next.commits, next.reads, later.operations];
    await held.release();
    await play.clock.settle();
    expect([bob.state, cat.state]).toEqual(["resolved", "pending"]);
    expect([next.commits, next.reads, later.operations]).toEqual([before[0]! + 1, before[1], before[2]]);
  });

  test("goes to the one behind when the next has left from the middle of the queue, a moment later", async () => {
    const play = stage();
    const [one, two, three] = [await play.manager(), await play.manager(), await play.manager()];
    const held = await one.acquireLock("/a", "ann");
    const first = watch(two.acquireLock("/a", "bob"));
    await play.clock.settle();
    const leaving = new AbortController();
    const left = watch(two.acquireLock("/a", "cat", { signal: leaving.signal }));
    await play.clock.settle();
    const last = watch(three.acquireLock("/a", "dan"));
    await play.clock.settle();
    leaving.abort();
    await play.clock.settle();
    await held.release();
    await play.clock.settle();
    expect([first.state, left.state, last.state]).toEqual(["resolved", "rejected", "pending"]);
    const { lockId } = (await one.getLock("/a"))!;
    await play.run(two.releaseLock("/a", "bob", lockId));
    await play.clock.advance(50);
    expect(last.state).toBe("resolved");
  });
});

describe("A newcomer behind waiters of its own manager and of others", () => {
  async function contended(play: Stage) {
    const slow = new FaultyStore(play.store, { clock: play.clock, random: () => 0.5 });
    const counted = new CountingStore(slow);
    const one = await play.manager({}, { store: counted });
    slow.chance({ latencyMs: 8 });
    const held = await play.run(one.acquireLock("/a", "ann"));
    const bob = watch((await play.manager()).acquireLock("/a", "bob"));
    await play.clock.settle();
    const cat = watch(one.acquireLock("/a", "cat"));
    await play.clock.advance(50);
    expect(await waitersAt(play, "/a")).toBe(2);
    return { one, held, bob, cat, counted };
  }

  test("queues in the commit of whoever comes along on its path", async () => {
    const play = stage();
    const { one, held, bob, counted } = await contended(play);
    const before = counted.commits;
    const dan = watch(one.acquireLock("/a", "dan"));
    await play.clock.settle();
    expect(counted.commits).toBe(before);
    await play.run(held.release());
    expect(counted.commits).toBe(before + 1);
    expect(await waitersAt(play, "/a")).toBe(2);
    expect([bob.state, dan.state]).toEqual(["resolved", "pending"]);
  });

  test("queues by itself when nobody comes", async () => {
    const play = stage();
    const { one } = await contended(play);
    const dan = watch(one.acquireLock("/a", "dan"));
    await play.clock.advance(100);
    expect(await waitersAt(play, "/a")).toBe(3);
    expect(dan.state).toBe("pending");
  });

  test("is refused at its timeout all the same, and leaves nothing", async () => {
    const play = stage();
    const { one } = await contended(play);
    const dan = watch(one.acquireLock("/a", "dan", { timeout: 20 }));
    await play.clock.advance(45);
    expect(dan.state).toBe("rejected");
    await play.clock.advance(100);
    expect(await waitersAt(play, "/a")).toBe(2);
  });

  test("is rejected when its manager closes", async () => {
    const play = stage();
    const { one } = await contended(play);
    const dan = watch(one.acquireLock("/a", "dan"));
    await play.clock.settle();
    await play.run(one.close());
    await play.clock.advance(25);
    expect(dan.state).toBe("rejected");
  });
});
