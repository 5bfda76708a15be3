/** Closing a manager, in whatever state it is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { LockManager } from "../../src/lock-manager.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { FaultyStore } from "../support/faulty-store.js";
import { refusal, type Stage, stage, watch } from "./stage.js";

/** Every call of a manager, as something that a closed one refuses. */
function everyCall(locks: LockManager): readonly (() => Promise<unknown>)[] {
  return [
    () => locks.acquireLock("/a", "ann"),
    () => locks.acquireMultipleLocks(["/a"], "ann"),
    () => locks.acquireMultipleLocks([], "ann"),
    () => locks.withLock("/a", "ann", {}, () => expect.fail()),
    () => locks.releaseLock("/a", "ann", "x"),
    () => locks.extendLock("/a", "ann", "x"),
    () => locks.forceRelease("/a", { reason: "stuck" }),
    () => locks.getLock("/a"),
    () => locks.getResource("/a"),
    () => locks.listLocks(),
    () => locks.getAgent("ann"),
    () => locks.getAgentLocks("ann"),
    () => locks.getLockCount(),
    () => locks.getStats(),
    () => locks.checkLocks(["/a"], "ann"),
    () => locks.metrics(),
    async () => locks.events(),
  ];
}

async function heldLocks(play: Stage): Promise<string[]> {
  return (await play.leftovers()).filter((key) => key.startsWith("lock/"));
}

describe("A closed manager", () => {
  test("refuses every call as `closed`, still says what time it is, and closes again without a word", async () => {
    const play = stage();
    const locks = await play.manager();
    await play.run(locks.close());
    for (const call of everyCall(locks)) {
      const error = await refusal(call(), "closed");
      expect(error).toMatchObject({ family: "misused", httpStatus: 503, exitCode: 69 });
    }
    expect(locks.currentTime()).toBeInstanceOf(Date);
    await play.run(Promise.all([locks.close(), locks.close({ release: true })]));
  });

  test("leaves its locks in the store until their time is over", async () => {
    const play = stage();
    const locks = await play.manager();
    const lock = await locks.acquireLock("/a", "ann", { ttl: "10s" });
    const { signal } = lock;
    await play.run(locks.close());
    expect(await heldLocks(play)).toEqual(["lock/a"]);
    expect(signal.reason).toMatchObject({ code: "closed" });
    const other = await play.manager();
    await refusal(other.acquireLock("/a", "bob", { timeout: 0 }), "held");
    await play.clock.advance(10_010);
    expect((await play.run(other.acquireLock("/a", "bob", { timeout: 0 }))).fencingToken).toBeGreaterThan(
      lock.fencingToken,
    );
  });

  test("has given back what it acquired when that was asked, and nothing else", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    await one.acquireMultipleLocks(["/a", "/b"], "ann");
    await one.acquireLock("/c", "ann", { mode: "shared" });
    await two.acquireLock("/c", "bob", { mode: "shared" });
    await two.acquireLock("/d", "bob");
    await play.run(one.close({ release: true }));
    expect((await two.listLocks()).locks.map((lock) => [lock.resourcePath, lock.agentId])).toEqual([
      ["/c", "bob"],
      ["/d", "bob"],
    ]);
  });

  test("has rejected everybody who waited, and their places are free at once", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    const held = await one.acquireLock("/a", "ann");
    const waiting = [
      watch(one.acquireLock("/a", "bob", { timeout: Infinity })),
      watch(one.acquireMultipleLocks(["/a", "/b"], "cat")),
      watch(one.withLock("/a", "dan", {}, () => expect.fail())),
    ];
    await play.clock.settle();
    const behind = watch(two.acquireLock("/b", "eve"));
    await play.clock.advance(10);
    expect(behind.state).toBe("pending");
    await play.run(one.close());
    expect(waiting.map((call) => call.error)).toEqual(
      Array(3).fill(expect.objectContaining({ code: "closed" })),
    );
    await play.clock.advance(50);
    expect(behind.state).toBe("resolved");
    await play.run(two.releaseLock("/a", "ann", held.lockId));
    await play.run(behind.value!.release());
    expect(await play.leftovers()).toEqual([]);
  });

  test("has answered what was under way: with the lock, or as `closed`", async () => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const locks = await play.manager({}, { store });
    store.nextCommit({ kind: "slow", ms: 100 });
    const calls = [watch(locks.acquireLock("/a", "ann")), watch(locks.acquireLock("/b", "bob"))];
    await play.clock.settle();
    const later = watch(locks.acquireLock("/c", "cat"));
    const closed = watch(locks.close());
    await play.clock.advance(500);
    expect(closed.state).toBe("resolved");
    for (const call of [...calls, later]) {
      if (call.state === "resolved") continue;
      expect(call.error).toMatchObject({ code: "closed" });
    }
    const kept = [...calls, later].filter((call) => call.state === "resolved").length;
    expect(await heldLocks(play)).toHaveLength(kept);
  });

  test("has given back also what was granted while it closed, when that was asked", async () => {
    const play = stage();
    const store = new FaultyStore(play.store, { clock: play.clock });
    const locks = await play.manager({}, { store });
    store.nextCommit({ kind: "slow", ms: 100 });
    const call = watch(locks.acquireLock("/a", "ann"));
    await play.clock.settle();
    const closed = watch(locks.close({ release: true }));
    await play.clock.advance(1_000);
    expect([closed.state, call.state]).not.toContain("pending");
    expect(await play.leftovers()).toEqual([]);
  });

  test("was not held up for ever by a store that is down or does not answer", async () => {
    for (const trouble of ["down", "vanish"] as const) {
      const play = stage();
      const store = new FaultyStore(play.store, { clock: play.clock });
      const locks = await play.manager({}, { store });
      await locks.acquireLock("/a", "ann", { autoExtend: true, ttl: "9s" });
      const waiting = watch(locks.acquireLock("/a", "bob"));
      await play.clock.settle();
      store[trouble]();
      const release = watch(locks.releaseLock("/a", "ann", "nothing"));
      const closed = watch(locks.close({ release: true }));
      await play.clock.advance(2_100);
      expect(closed.state).toBe("resolved");
      expect(waiting.error).toMatchObject({ code: "closed" });
      if (trouble === "down") expect(release.state).toBe("rejected");
      await play.clock.advance(10_000);
      expect(play.clock.pending).toBe(0);
    }
  });

  test("has no timer left, and its iterators have ended", async () => {
    const play = stage();
    const locks = await play.manager({ cleanupInterval: "1s" });
    const events = locks.events();
    await locks.acquireLock("/a", "ann", { autoExtend: true });
    watch(locks.acquireLock("/a", "bob"));
    await play.clock.advance(2_500);
    await play.run(locks.close());
    expect(play.clock.pending).toBe(0);
    for await (const event of events) expect(event.type).not.toBe("reset");
  });

  test("closes a store that it opened, and leaves one open that it was given", async () => {
    const play = stage();
    const locks = await play.manager();
    await play.run(locks.close());
    await play.store.read({});
    const own = openMemoryStore({ clock: play.clock });
    await own.close();
    await refusal(play.manager({}, { store: own }), "store_unavailable");
  });

  test("hears nothing any more of what others do", async () => {
    const play = stage();
    const [one, two] = [await play.manager(), await play.manager()];
    await one.acquireLock("/a", "ann");
    await play.run(one.close());
    await play.run(two.forceRelease("/a", { reason: "stuck" }));
    await play.clock.advance(10_000);
    expect(await play.leftovers()).toEqual([]);
  });
});

const library = new URL("../../dist/index.js", import.meta.url).href;

/** Runs a program in a process of its own; how it ended and what it printed. */
async function runProgram(program: string): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const [code] = await once(child, "exit");
  clearTimeout(late);
  return { code, out };
}

describe("A process that uses a manager", () => {
  test("ends by itself once it is closed, whatever was going on", { timeout: 15_000 }, async () => {
    const { code, out } = await runProgram(`
      import { createLockManager } from ${JSON.stringify(library)};
      const locks = await createLockManager({}, "memory:");
      await locks.acquireLock("/a", "ann", { autoExtend: true });
      const waiting = locks.acquireLock("/a", "bob", { timeout: Infinity }).catch((error) => error.code);
      const events = (async () => { for await (const event of locks.events()); return "ended"; })();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await locks.close();
      console.log(await waiting, await events);
    `);
    expect(out).toBe("closed ended\n");
    expect(code).toBe(0);
  });

  test("is not kept alive by a manager that is only there, nor by its locks", {
    timeout: 15_000,
  }, async () => {
    const { code } = await runProgram(`
      import { createLockManager } from ${JSON.stringify(library)};
      const locks = await createLockManager({ cleanupInterval: "1s" }, "memory:");
      await locks.acquireLock("/a", "ann", { autoExtend: true });
    `);
    expect(code).toBe(0);
  });

  test("is kept alive by a call that waits, until its timeout", { timeout: 15_000 }, async () => {
    const { code, out } = await runProgram(`
      import { createLockManager } from ${JSON.stringify(library)};
      const locks = await createLockManager({}, "memory:");
      await locks.acquireLock("/a", "ann");
      console.log(await locks.acquireLock("/a", "bob", { timeout: 300 }).catch((error) => error.code));
    `);
    expect(out).toBe("held\n");
    expect(code).toBe(0);
  });
});
