/** Every field of the configuration: its default, and what it changes. */
import { describe, expect, test } from "vitest";
import type { CreateLockManagerConfig } from "../../src/create-lock-manager.js";
import { FaultyStore } from "../support/faulty-store.js";
import { CountingStore } from "./counting-store.js";
import { refusal, type Stage, stage, watch } from "./stage.js";

async function throughFaults(
  play: Stage,
  config: CreateLockManagerConfig,
): Promise<{ store: FaultyStore; locks: Awaited<ReturnType<Stage["manager"]>> }> {
  const store = new FaultyStore(play.store, { clock: play.clock });
  return { store, locks: await play.manager(config, { store }) };
}

describe("The configuration", () => {
  test("may be left empty: a ttl of one minute, a wait of five seconds, a hundred locks for an agent", async () => {
    const play = stage();
    const locks = await play.manager();
    expect((await locks.acquireLock("/a", "ann")).ttlMs).toBe(60_000);
    expect((await locks.getAgent("ann")).limit).toBe(100);
    const waiting = watch(locks.acquireLock("/a", "bob"));
    await play.clock.advance(4_990);
    expect(waiting.state).toBe("pending");
    await play.clock.advance(30);
    expect(waiting.error).toMatchObject({ code: "held" });
  });

  test("sets the ttl of an acquire that names none: `defaultTtl`", async () => {
    const locks = await stage().manager({ defaultTtl: "90s" });
    expect((await locks.acquireLock("/a", "ann")).ttlMs).toBe(90_000);
  });

  test("bounds what may be asked for: `maxTtl`, a day unless told otherwise", async () => {
    const play = stage();
    const locks = await play.manager();
    expect((await locks.acquireLock("/a", "ann", { ttl: "24h" })).ttlMs).toBe(86_400_000);
    expect(
      (await refusal(locks.acquireLock("/b", "ann", { ttl: 86_400_001 }), "invalid")).facts,
    ).toMatchObject({ field: "ttl", value: "86400001", allowed: expect.stringContaining("1d") });
    const strict = await play.manager({ maxTtl: "10s" });
    const lock = await strict.acquireLock("/c", "ann");
    expect(lock.ttlMs).toBe(10_000);
    await refusal(lock.extend("11s"), "invalid");
  });

  test("gives resource types a policy of their own: `policies`", async () => {
    const locks = await stage().manager({
      defaultTtl: "1m",
      policies: { builds: { defaultTtl: "10m", maxTtl: "1h" }, __proto__x: { maxTtl: "30s" } },
    });
    expect((await locks.acquireLock("/builds/web", "ann")).ttlMs).toBe(600_000);
    expect((await locks.acquireLock("/builds", "ann")).ttlMs).toBe(600_000);
    expect((await locks.acquireLock("/buildsx", "ann")).ttlMs).toBe(60_000);
    expect((await locks.acquireLock("/__proto__x", "ann")).ttlMs).toBe(30_000);
    await refusal(locks.acquireLock("/builds/api", "ann", { ttl: "61m" }), "invalid");
    const several = await locks.acquireMultipleLocks(["/builds/x", "/plain"], "ann");
    expect(several.map((lock) => lock.ttlMs)).toEqual([600_000, 60_000]);
  });

  test("takes a policy for a type called `__proto__` like any other", async () => {
    const policies = JSON.parse('{"__proto__":{"defaultTtl":"7s"},"constructor":{"defaultTtl":"8s"}}');
    const locks = await stage().manager({ policies });
    expect((await locks.acquireLock("/__proto__/a", "ann")).ttlMs).toBe(7_000);
    expect((await locks.acquireLock("/constructor/a", "ann")).ttlMs).toBe(8_000);
    expect((await locks.acquireLock("/toString/a", "ann")).ttlMs).toBe(60_000);
  });

  test("bounds the locks of one agent: `maxLocksPerAgent`", async () => {
    const locks = await stage().manager({ maxLocksPerAgent: 2 });
    await locks.acquireMultipleLocks(["/a", "/b"], "ann");
    const error = await refusal(locks.acquireLock("/c", "ann"), "limit_exceeded");
    expect(error.facts).toMatchObject({ limit: 2, agentId: "ann" });
    expect(error.facts.oldestLocks?.map((lock) => lock.resourcePath).toSorted()).toEqual(["/a", "/b"]);
    await refusal(locks.acquireMultipleLocks(["/c", "/d", "/e"], "bob"), "limit_exceeded");
    expect(await locks.getLockCount()).toBe(2);
  });

  test("bounds queues: `maxWaitersPerAgent` and `maxWaitersPerResource`", async () => {
    const play = stage();
    const locks = await play.manager({ maxWaitersPerAgent: 2, maxWaitersPerResource: 3 });
    for (const path of ["/a", "/b", "/c"]) await locks.acquireLock(path, "ann");
    const waiting = ["/a", "/b"].map((path) => watch(locks.acquireLock(path, "bob", { timeout: "1m" })));
    const one = await refusal(locks.acquireLock("/c", "bob", { timeout: "1m" }), "limit_exceeded");
    expect(one.facts).toMatchObject({ limit: 2, resourcePath: "/c" });
    waiting.push(...["cat", "dan"].map((agent) => watch(locks.acquireLock("/a", agent, { timeout: "1m" }))));
    const other = await refusal(locks.acquireLock("/a", "eve", { timeout: "1m" }), "limit_exceeded");
    expect(other.facts).toMatchObject({ limit: 3, resourcePath: "/a" });
    expect(waiting.map((call) => call.state)).toEqual(Array(4).fill("pending"));
    expect(await locks.getStats()).toMatchObject({ waiters: 4 });
  });

  test("says how long an acquire waits that names no timeout: `acquisitionTimeout`", async () => {
    const play = stage();
    const locks = await play.manager({ acquisitionTimeout: "200ms" });
    await locks.acquireLock("/a", "ann");
    const waiting = watch(locks.acquireLock("/a", "bob"));
    await play.clock.advance(199);
    expect(waiting.state).toBe("pending");
    await play.clock.advance(20);
    expect(waiting.error).toMatchObject({ code: "held" });
    const never = await play.manager({ acquisitionTimeout: 0 });
    await refusal(never.acquireLock("/a", "bob"), "held");
    const ever = await play.manager({ acquisitionTimeout: Number.POSITIVE_INFINITY, defaultTtl: "1h" });
    const patient = watch(ever.acquireLock("/a", "cat"));
    await play.clock.advance(59_000);
    expect(patient.state).toBe("pending");
    await play.clock.advance(2_000);
    expect(patient.state).toBe("resolved");
  });

  test("says how often and when a failed store operation is tried again: `maxRetries` and the pauses", async () => {
    const play = stage();
    const { store, locks } = await throughFaults(play, {});
    store.nextCommit({ kind: "refused", retryable: true }, 10);
    const tried: number[] = [];
    const began = play.clock.monotonic();
    const call = watch(locks.acquireLock("/a", "ann"));
    const before = store.calls.commits;
    for (let at = 0; at < 1_000 && call.state === "pending"; at += 5) {
      await play.clock.advance(5);
      while (tried.length < store.calls.commits - before) tried.push(play.clock.monotonic() - began);
    }
    expect(call.error).toMatchObject({ code: "store_unavailable", family: "failed", retryable: true });
    expect(tried).toHaveLength(4);
    // The jitter of this stage is nought: 100, 150 and 225 ms apart.
    const pauses = tried.slice(1).map((at, index) => at - (tried[index] ?? 0));
    expect(pauses[0]).toBeGreaterThanOrEqual(95);
    expect(pauses[0]).toBeLessThanOrEqual(110);
    expect(pauses[1]).toBeGreaterThanOrEqual(145);
    expect(pauses[1]).toBeLessThanOrEqual(160);
    expect(pauses[2]).toBeGreaterThanOrEqual(220);
    expect(pauses[2]).toBeLessThanOrEqual(235);
    store.nextCommit({ kind: "refused", retryable: true }, 0);
  });

  test("may forbid retries: `maxRetries: 0` fails at the first failure, and nothing is left", async () => {
    const play = stage();
    const { store, locks } = await throughFaults(play, { maxRetries: 0 });
    store.nextCommit({ kind: "refused", retryable: true });
    await refusal(locks.acquireLock("/a", "ann"), "store_unavailable");
    expect(await play.leftovers()).toEqual([]);
    expect((await locks.acquireLock("/a", "ann")).agentId).toBe("ann");
  });

  test("looks for the locks of dead processes now and then: `cleanupInterval`", async () => {
    const play = stage();
    const dead = await play.manager();
    const locks = await play.manager({ cleanupInterval: "10s" });
    await dead.acquireLock("/a", "ann", { ttl: "2s" });
    await dead.close();
    await play.clock.advance(9_000);
    expect(await play.leftovers()).not.toEqual([]);
    expect(await locks.getLockCount()).toBe(0);
    await play.clock.advance(2_000);
    expect(await play.leftovers()).toEqual([]);
  });

  test("works without any fault in as many store operations as needed, and not more", async () => {
    const play = stage();
    const store = new CountingStore(play.store);
    const locks = await play.manager({}, { store });
    const before = store.operations;
    const lock = await locks.acquireLock("/a", "ann");
    expect(store.operations - before).toBe(1);
    await lock.release();
    expect(store.operations - before).toBe(2);
  });
});

describe("A bad configuration is refused with field, value and what is allowed:", () => {
  const bad: readonly (readonly [what: string, config: unknown, field: string])[] = [
    ["no object", null, "config"],
    ["a number", 5, "config"],
    ["an unknown field", { defaultTTL: "1m" }, "config"],
    ["another type", { type: "advanced" }, "type"],
    ["a ttl of nought", { defaultTtl: 0 }, "defaultTtl"],
    ["a ttl beyond the maximum", { defaultTtl: "2h", maxTtl: "1h" }, "defaultTtl"],
    ["a maximum that never ends", { maxTtl: Number.POSITIVE_INFINITY }, "maxTtl"],
    ["a clean-up that never rests", { cleanupInterval: 0 }, "cleanupInterval"],
    ["no locks at all", { maxLocksPerAgent: 0 }, "maxLocksPerAgent"],
    ["half a lock", { maxLocksPerAgent: 1.5 }, "maxLocksPerAgent"],
    ["a limit in words", { maxLocksPerAgent: "100" }, "maxLocksPerAgent"],
    ["a limit of null", { maxLocksPerAgent: Number.NaN }, "maxLocksPerAgent"],
    ["waiters without number", { maxWaitersPerAgent: Number.POSITIVE_INFINITY }, "maxWaitersPerAgent"],
    ["no waiters", { maxWaitersPerResource: 0 }, "maxWaitersPerResource"],
    ["a negative timeout", { acquisitionTimeout: -1 }, "acquisitionTimeout"],
    ["a negative number of retries", { maxRetries: -1 }, "maxRetries"],
    ["very many retries", { maxRetries: 101 }, "maxRetries"],
    ["a pause without a unit", { retryDelay: "100" }, "retryDelay"],
    ["pauses that shrink", { retryBackoff: 0.5 }, "retryBackoff"],
    ["pauses that explode", { retryBackoff: 11 }, "retryBackoff"],
    ["a jitter of NaN", { retryJitter: Number.NaN }, "retryJitter"],
    ["policies in a list", { policies: 5 }, "policies"],
    ["a policy for a path", { policies: { "a/b": {} } }, "policies"],
    ["a policy with another field", { policies: { a: { ttl: "1m" } } }, "policies.a"],
    [
      "a policy beyond its own maximum",
      { policies: { a: { defaultTtl: "2m", maxTtl: "1m" } } },
      "policies.a.defaultTtl",
    ],
    ["a policy that is null", { policies: { a: null } }, "policies.a"],
    ["a policy that is text", { policies: { a: "1m" } }, "policies.a"],
    ["policies of null", { policies: null }, "policies"],
    [
      "a limit that a basic manager would not use",
      { type: "basic", maxLocksPerAgent: 0 },
      "maxLocksPerAgent",
    ],
    ...[
      "type",
      "defaultTtl",
      "maxTtl",
      "cleanupInterval",
      "maxLocksPerAgent",
      "maxWaitersPerAgent",
      "maxWaitersPerResource",
      "acquisitionTimeout",
      "maxRetries",
      "retryDelay",
      "retryBackoff",
      "retryJitter",
    ].map((field) => [`null as ${field}, which is no default`, { [field]: null }, field] as const),
  ];

  test.each(bad)("%s", async (_, config, field) => {
    const error = await refusal(stage().manager(config as CreateLockManagerConfig), "invalid");
    expect(error.facts.field).toBe(field);
    expect(error.facts.value).toEqual(expect.any(String));
    expect(error.facts.allowed).toEqual(expect.any(String));
  });
});
