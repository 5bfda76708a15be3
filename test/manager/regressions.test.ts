/** What random runs found, as stories of their own. */
import { expect, test } from "vitest";
import { FaultyStore } from "../support/faulty-store.js";
import { CountingStore } from "./counting-store.js";
import { Freezer } from "./freezer.js";
import { refusal, stage, watch } from "./stage.js";

test("A lock that its first caller never heard of stays with the second call of the agent that joined it.", async () => {
  const play = stage();
  const freezer = new Freezer(play.clock, play.store);
  const stopped = await play.manager({}, freezer);
  const here = await play.manager();
  const first = watch(stopped.acquireLock("/a", "ann", { ttl: "1m", timeout: "4s" }));
  // Stopped between the request and its reply: the grant stands, but nobody was told.
  freezer.freeze();
  await play.clock.advance(1_000);
  expect(first.state).toBe("pending");
  const joined = await play.run(here.acquireLock("/a", "ann", { ttl: "10s" }));
  // A call of that process gives up before it reads the reply.
  await play.clock.advance(4_000);
  freezer.thaw();
  await play.clock.advance(500);
  if (first.state === "resolved") await play.run(first.value!.release());
  else {
    expect(await here.getLock("/a")).toMatchObject({ lockId: joined.lockId, agentId: "ann" });
    expect(joined.signal.aborted).toBe(false);
    expect(await play.run(joined.release())).toBe(true);
  }
  expect(await play.leftovers()).toEqual([]);
});

test("A lock that was joined outlives the call that was aborted too late to be spared the grant.", async () => {
  const play = stage();
  const store = new FaultyStore(play.store, { clock: play.clock });
  const locks = await play.manager({}, { store });
  const other = await play.manager();
  const abort = new AbortController();
  store.nextCommit({ kind: "slow", ms: 200 });
  const first = watch(locks.acquireLock("/a", "ann", { ttl: "1m", signal: abort.signal }));
  await play.clock.advance(150);
  // Granted in the store; its reply is still on the way.
  const joined = await play.run(other.acquireLock("/a", "ann", { ttl: "5s" }));
  abort.abort();
  await play.clock.advance(1_000);
  expect(first.error).toMatchObject({ code: "aborted" });
  expect(await other.getLock("/a")).toMatchObject({ lockId: joined.lockId });
  await refusal(play.run(other.acquireLock("/a", "bob", { timeout: 0 })), "held");
  expect(await play.run(joined.release())).toBe(true);
  expect(await play.leftovers()).toEqual([]);
});

test("A release of what was never held answers false also when its reply was lost, and at once.", async () => {
  const play = stage();
  const store = new FaultyStore(play.store, { clock: play.clock });
  const locks = await play.manager({}, { store });
  const lock = await locks.acquireLock("/a", "ann");
  await play.run(locks.releaseLock("/b", "ann", "no such lock"));
  store.nextCommit({ kind: "reply lost" });
  const other = await play.manager({}, { store });
  expect(await play.run(other.releaseLock("/a", "ann", "no such lock"))).toBe(false);
  expect(await play.run(lock.release())).toBe(true);
});

test("Two concurrent calls of one agent for one path, with another agent between them, are no deadlock.", async () => {
  const play = stage();
  const locks = await play.manager();
  const held = await locks.acquireLock("/a", "zoe");
  const calls = ["ann", "bob", "ann"].map((agent) => watch(locks.acquireLock("/a", agent)));
  await play.clock.settle();
  expect(calls.map((call) => call.state)).toEqual(["pending", "pending", "pending"]);
  await play.run(held.release());
  // The second call joins the first.
  expect(calls.map((call) => call.state)).toEqual(["resolved", "pending", "resolved"]);
  expect(calls[2]?.value?.lockId).toBe(calls[0]?.value?.lockId);
  await play.run(calls[0]!.value!.release());
  expect(calls[1]?.state).toBe("pending");
  await play.run(calls[2]!.value!.release());
  expect(calls[1]?.state).toBe("resolved");
});

test("A call that joins a lock in the very change in which its last handle is released holds it, or is told.", async () => {
  const play = stage();
  const store = new FaultyStore(play.store, { clock: play.clock });
  const locks = await play.manager({}, { store });
  const first = await locks.acquireLock("/a", "ann", { ttl: "1m" });
  store.nextCommit({ kind: "slow", ms: 20 });
  const other = locks.acquireLock("/other", "bob");
  await play.clock.settle();
  // Both go with the next commit, the second call before the release.
  const second = locks.acquireLock("/a", "ann", { ttl: "2m" });
  const released = first.release();
  await play.run(Promise.all([other, released]));
  const joined = await play.run(second);
  const isThere = (await locks.getLock("/a"))?.lockId === joined.lockId;
  expect(joined.signal.aborted).toBe(!isThere);
});

test("What was forgotten while a commit that expected it was under way is not taken for absent when that commit is applied.", async () => {
  const play = stage();
  const store = new FaultyStore(play.store, { clock: play.clock });
  const locks = await play.manager({}, { store });
  const other = await play.manager();
  const { lockId } = await locks.acquireLock("/a", "ann", { ttl: "10m" });
  await locks.acquireLock("/b", "cat", { ttl: "10m" });
  const waiting = watch(locks.acquireLock("/b", "bob", { timeout: "1m" }));
  await play.clock.settle();
  // As many as one commit takes, all proving that the path is held; the release waits for the next one.
  store.nextCommit({ kind: "slow", ms: 100 });
  const asked = Array.from({ length: 512 }, () => watch(locks.acquireLock("/a", "dan", { timeout: 0 })));
  const released = locks.releaseLock("/a", "ann", lockId);
  await play.clock.advance(60);
  // Proved in the store, not answered yet: now the path changes, and a hint says so.
  await play.run(other.extendLock("/a", "ann", lockId, "5m"));
  await play.clock.advance(40);
  expect(asked.every((one) => one.state === "rejected")).toBe(true);
  expect(await play.run(released)).toBe(true);
  expect(await play.run(other.getLock("/a"))).toBeUndefined();
  expect(waiting.state).toBe("pending");
});

test("A lock that its agent acquired again while a release of it was fought out stays with that call.", async () => {
  const play = stage();
  const store = new FaultyStore(play.store, { clock: play.clock });
  const locks = await play.manager({}, { store });
  const first = await locks.acquireLock("/a", "ann", { ttl: "1m" });
  store.nextCommit({ kind: "overtaken" }, 2);
  const released = locks.releaseLock("/a", "ann", first.lockId);
  await play.clock.settle();
  // The release is tried again in a moment.
  const second = await play.run(locks.acquireLock("/a", "ann", { ttl: "1m" }));
  expect(second.lockId).toBe(first.lockId);
  await play.clock.advance(100);
  expect(await play.run(released)).toBe(true);
  expect(await locks.getLock("/a")).toMatchObject({ lockId: second.lockId });
  expect(second.signal.aborted).toBe(false);
  expect(await play.run(second.release())).toBe(true);
  expect(await play.leftovers()).toEqual([]);
});

test("Waiters that look for their turn at the same time do not make each other read again.", async () => {
  const play = stage();
  const store = new CountingStore(play.store);
  const locks = await play.manager({}, { store });
  const paths = ["/a", "/b", "/c", "/d"];
  const held = await locks.acquireMultipleLocks(paths, "host");
  const calls = Array.from({ length: 160 }, (_, n) =>
    watch(locks.acquireLock(paths[(n + Math.floor(n / 4)) % 4]!, `guest-${n % 4}`, { timeout: Infinity })),
  );
  await play.clock.settle();
  const before = store.reads;
  // Each guest is granted some, which gives its other calls a reason to look once more.
  await play.run(Promise.all(held.map((lock) => lock.release())));
  expect(calls.filter(({ state }) => state === "resolved").length).toBeGreaterThanOrEqual(4);
  expect(store.reads - before).toBeLessThanOrEqual(8 * calls.length);
});
