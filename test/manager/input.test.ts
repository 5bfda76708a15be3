/** Bad input is refused as `invalid` with field, value and what is allowed, before the store is asked anything. */
import { describe, expect, test } from "vitest";
import type { Duration, LockManager } from "../../src/lock-manager.js";
import { CountingStore } from "./counting-store.js";
import { refusal, type Stage, stage } from "./stage.js";

interface Setting {
  readonly play: Stage;
  readonly locks: LockManager;
  readonly store: CountingStore;
  readonly lockId: string;
}

/** A manager with one lock: ann's on /mine. */
async function setting(config = {}): Promise<Setting> {
  const play = stage();
  const store = new CountingStore(play.store);
  const locks = await play.manager(config, { store });
  const { lockId } = await locks.acquireLock("/mine", "ann");
  return { play, locks, store, lockId };
}

/** The call is refused naming the field, and neither the store nor what is in it was touched. */
async function expectInvalid(
  { store, play }: Setting,
  field: string,
  call: () => Promise<unknown> | unknown,
): Promise<void> {
  const before = await play.leftovers();
  const asked = store.operations;
  const error = await refusal((async () => call())(), "invalid");
  expect(error.facts.field).toBe(field);
  expect(error.facts.value).toEqual(expect.any(String));
  expect(error.facts.allowed).toEqual(expect.any(String));
  expect(error).toMatchObject({ family: "misused", httpStatus: 400, exitCode: 64, retryable: false });
  await play.clock.settle();
  expect(store.operations).toBe(asked);
  expect(await play.leftovers()).toEqual(before);
}

const neverDurations: readonly (readonly [string, unknown])[] = [
  ["negative", -1],
  ["NaN", Number.NaN],
  ["minus infinity", Number.NEGATIVE_INFINITY],
  ["a number as text", "100"],
  ["text with a sign", "-5s"],
  ["text with a space", "5 s"],
  ["text with a comma", "1,5h"],
  ["text with an unknown unit", "5 fortnights"],
  ["text in the style of numbers", "1e3s"],
  ["empty text", ""],
  ["very long text", "1s".repeat(1_000)],
  ["null", null],
  ["a BigInt", 100n],
  ["a date", new Date(1_000)],
  ["an object with valueOf", { valueOf: () => 1_000 }],
  ["an object with toPrimitive", { [Symbol.toPrimitive]: () => 1_000 }],
  ["an array", [1_000]],
  ["true", true],
];

const neverTtls = [
  ...neverDurations,
  ["nought", 0],
  ["minus nought", -0],
  ["a millisecond and a half", 1.5],
  ["infinity", Number.POSITIVE_INFINITY],
  ["1e20", 1e20],
  ["2^53", 2 ** 53],
  ["a day and a millisecond", 86_400_001],
  ["text beyond the maximum", "25h"],
] as const;

describe("A ttl is refused that is", () => {
  test.each(neverTtls)("%s", async (_, value) => {
    const ttl = value as Duration;
    const all = await setting();
    const { locks, lockId } = all;
    await expectInvalid(all, "ttl", () => locks.acquireLock("/a", "ann", { ttl }));
    await expectInvalid(all, "ttl", () => locks.acquireMultipleLocks(["/a", "/b"], "ann", { ttl }));
    await expectInvalid(all, "ttl", () => locks.extendLock("/mine", "ann", lockId, ttl));
    await expectInvalid(all, "ttl", () => locks.withLock("/a", "ann", { ttl }, () => expect.fail()));
    const handle = await locks.acquireLock("/mine", "ann");
    await expectInvalid(all, "ttl", () => handle.extend(ttl));
  });
});

describe("A timeout is refused that is", () => {
  test.each(neverDurations)("%s", async (_, value) => {
    const timeout = value as Duration;
    const all = await setting();
    await expectInvalid(all, "timeout", () => all.locks.acquireLock("/a", "ann", { timeout }));
    await expectInvalid(all, "timeout", () => all.locks.acquireMultipleLocks(["/a"], "ann", { timeout }));
  });
});

describe("A timeout may be", () => {
  test.each([
    ["nought: once and no more", 0],
    ["minus nought, the same", -0],
  ])("%s", async (_, timeout) => {
    const { locks } = await setting();
    await refusal(locks.acquireLock("/mine", "bob", { timeout }), "held");
  });

  test.each([
    ["1e20", 1e20],
    ["2^53", 2 ** 53],
    ["infinity", Number.POSITIVE_INFINITY],
    ["a part of a millisecond", 0.5],
    ["a hundred days", "100d"],
  ])("%s", async (_, timeout) => {
    const { play, locks, lockId } = await setting();
    const waiting = locks.acquireLock("/mine", "bob", { timeout });
    await locks.releaseLock("/mine", "ann", lockId);
    expect((await waiting).agentId).toBe("bob");
    await play.clock.advance(100);
  });
});

describe("A duration", () => {
  test("may have parts and fractions, and is rounded up to a whole millisecond", async () => {
    const { locks } = await setting();
    const ttls: [Duration, number][] = [
      ["1h30m", 5_400_000],
      ["1.5s", 1_500],
      ["10ms", 10],
      [10.2, 11],
      ["1d", 86_400_000],
    ];
    for (const [index, [ttl, ms]] of ttls.entries()) {
      expect((await locks.acquireLock(`/a/${index}`, "ann", { ttl })).ttlMs).toBe(ms);
    }
  });
});

const neverTexts: readonly (readonly [string, unknown])[] = [
  ["missing", undefined],
  ["null", null],
  ["a number", 5],
  ["an object", {}],
  ["an array", ["/a"]],
  ["empty", ""],
  ["with a NUL", "/a\u0000"],
  ["with a line break", "/a\nb"],
  ["with a lone surrogate", "/a\ud800"],
];

describe("A path is refused that is", () => {
  test.each([
    ...neverTexts,
    ["with an empty segment", "/a//b"],
    ["with two slashes at the end", "/a//"],
    ["with a dot", "/a/./b"],
    ["with two dots", "/a/../b"],
    ["with text that turns around", "/a\u202eb"],
    ["of more than 1024 bytes", `/${"ä".repeat(512)}`],
    ["of a mebibyte", "/a".repeat(524_288)],
    ["of more than 32 segments", "/a".repeat(33)],
  ] as const)("%s", async (_, value) => {
    const path = value as string;
    const all = await setting();
    const { locks, lockId } = all;
    await expectInvalid(all, "resourcePath", () => locks.acquireLock(path, "ann"));
    await expectInvalid(all, "resourcePaths[1]", () => locks.acquireMultipleLocks(["/a", path], "ann"));
    await expectInvalid(all, "resourcePath", () => locks.releaseLock(path, "ann", lockId));
    await expectInvalid(all, "resourcePath", () => locks.extendLock(path, "ann", lockId, "1m"));
    await expectInvalid(all, "resourcePath", () => locks.withLock(path, "ann", {}, () => expect.fail()));
    await expectInvalid(all, "resourcePath", () => locks.getLock(path));
    await expectInvalid(all, "resourcePath", () => locks.getResource(path));
    await expectInvalid(all, "resourcePath", () => locks.forceRelease(path, { reason: "stuck" }));
    await expectInvalid(all, "resourcePaths[0]", () => locks.checkLocks([path], "ann"));
    if (path === undefined) return;
    await expectInvalid(all, "prefix", () => locks.listLocks({ prefix: path }));
    await expectInvalid(all, "prefix", () => locks.events({ prefix: path }));
  });
});

describe("A path may be", () => {
  test.each([
    ["__proto__", "/__proto__"],
    ["constructor", "/constructor"],
    ["/toString/valueOf", "/toString/valueOf"],
    ["/a%2Fb", "/a%2Fb"],
    ["/with space", "/with space"],
    ["/back\\slash", "/back\\slash"],
    ["/e\u0301", "/\u00e9"],
    ["/a/", "/a"],
    ["/", "/"],
  ])("%s", async (path, normal) => {
    const { locks } = await setting();
    const lock = await locks.acquireLock(path, "ann");
    expect(lock.resourcePath).toBe(normal);
    expect((await locks.getLock(normal))?.lockId).toBe(lock.lockId);
    expect(await lock.release()).toBe(true);
  });
});

describe("An agent id is refused that is", () => {
  test.each([
    ...neverTexts,
    ["of more than 256 bytes", "ä".repeat(129)],
    ["very long", "a".repeat(257)],
  ] as const)("%s", async (_, value) => {
    const agentId = value as string;
    const all = await setting();
    const { locks, lockId } = all;
    await expectInvalid(all, "agentId", () => locks.acquireLock("/a", agentId));
    await expectInvalid(all, "agentId", () => locks.acquireMultipleLocks(["/a"], agentId));
    await expectInvalid(all, "agentId", () => locks.acquireMultipleLocks([], agentId));
    await expectInvalid(all, "agentId", () => locks.releaseLock("/mine", agentId, lockId));
    await expectInvalid(all, "agentId", () => locks.extendLock("/mine", agentId, lockId, "1m"));
    await expectInvalid(all, "agentId", () => locks.getAgent(agentId));
    await expectInvalid(all, "agentId", () => locks.getAgentLocks(agentId));
    await expectInvalid(all, "agentId", () => locks.checkLocks(["/a"], agentId));
    await expectInvalid(all, "lockId", () => locks.releaseLock("/mine", "ann", agentId));
    await expectInvalid(all, "lockId", () => locks.extendLock("/mine", "ann", agentId, "1m"));
    if (agentId === undefined) return;
    await expectInvalid(all, "agentId", () => locks.listLocks({ agentId }));
    await expectInvalid(all, "by", () => locks.forceRelease("/mine", { reason: "stuck", by: agentId }));
    await expectInvalid(all, "lockId", () => locks.forceRelease("/mine", { reason: "x", lockId: agentId }));
  });
});

describe("An agent id may be", () => {
  test.each([
    ["__proto__"],
    ["constructor"],
    ["a/b"],
    ["a/lock/x"],
    ["%2F"],
    ["with space"],
    ["ä".repeat(128)],
  ])("%s", async (agentId) => {
    const { locks, play } = await setting();
    const lock = await locks.acquireLock("/a", agentId);
    expect((await locks.getAgentLocks(agentId)).map((one) => one.lockId)).toEqual([lock.lockId]);
    expect(await locks.getAgentLocks("a")).toEqual([]);
    await refusal(locks.acquireLock("/a", "ann", { timeout: 0 }), "held");
    expect(await lock.release()).toBe(true);
    expect(await play.leftovers()).toHaveLength(3);
  });
});

describe("Options are refused", () => {
  const options: readonly (readonly [what: string, options: unknown, field: string])[] = [
    ["that are null", null, "options"],
    ["that are text", "1m", "options"],
    ["with an unknown field", { ttlMs: 5 }, "options"],
    ["with an unknown mode", { mode: "read" }, "mode"],
    ["with a mode of null", { mode: null }, "mode"],
    ["with an unknown scope", { scope: "deep" }, "scope"],
    ["with an autoExtend of 1", { autoExtend: 1 }, "autoExtend"],
    ["with an autoExtend of null", { autoExtend: null }, "autoExtend"],
    ["with a signal that is none", { signal: {} }, "signal"],
    ["with a signal of null", { signal: null }, "signal"],
    ["with a reason of 201 characters", { reason: "x".repeat(201) }, "reason"],
    ["with a reason with a line break", { reason: "a\nb" }, "reason"],
    ["with a reason that is a number", { reason: 5 }, "reason"],
    ["with a reason of null", { reason: null }, "reason"],
    ["with metadata in a list", { metadata: ["a"] }, "metadata"],
    ["with metadata of null", { metadata: null }, "metadata"],
    ["with metadata that is no text", { metadata: { n: 5 } }, "metadata.n"],
    ["with more than a kibibyte of metadata", { metadata: { a: "x".repeat(1_024) } }, "metadata"],
  ];

  test.each(options)("%s", async (_, given, field) => {
    const all = await setting();
    await expectInvalid(all, field, () => all.locks.acquireLock("/a", "ann", given as object));
    await expectInvalid(all, field, () => all.locks.acquireMultipleLocks(["/a"], "ann", given as object));
    await expectInvalid(all, field, () => all.locks.acquireMultipleLocks([], "ann", given as object));
    await expectInvalid(all, field, () =>
      all.locks.withLock("/a", "ann", given as object, () => expect.fail()),
    );
  });

  test("of calls other than acquire as well", async () => {
    const all = await setting();
    const { locks, lockId } = all;
    const signal = {} as AbortSignal;
    const none = null as unknown as object;
    await expectInvalid(all, "signal", () => locks.releaseLock("/mine", "ann", lockId, { signal }));
    await expectInvalid(all, "signal", () => locks.extendLock("/mine", "ann", lockId, "1m", { signal }));
    await expectInvalid(all, "signal", () => locks.getLock("/a", { signal }));
    await expectInvalid(all, "signal", () => locks.getResource("/a", { signal }));
    await expectInvalid(all, "signal", () => locks.listLocks({ signal }));
    await expectInvalid(all, "signal", () => locks.getAgent("ann", { signal }));
    await expectInvalid(all, "signal", () => locks.getAgentLocks("ann", { signal }));
    await expectInvalid(all, "signal", () => locks.getLockCount({ signal }));
    await expectInvalid(all, "signal", () => locks.getStats({ signal }));
    await expectInvalid(all, "signal", () => locks.checkLocks(["/a"], "ann", { signal }));
    await expectInvalid(all, "signal", () => locks.forceRelease("/mine", { reason: "x", signal }));
    await expectInvalid(all, "signal", () => locks.events({ signal }));
    await expectInvalid(all, "options", () => locks.releaseLock("/mine", "ann", lockId, none));
    await expectInvalid(all, "options", () => locks.extendLock("/mine", "ann", lockId, "1m", none));
    await expectInvalid(all, "options", () => locks.getLock("/a", none));
    await expectInvalid(all, "options", () => locks.getResource("/a", none));
    await expectInvalid(all, "options", () => locks.getAgent("ann", none));
    await expectInvalid(all, "options", () => locks.getAgentLocks("ann", none));
    await expectInvalid(all, "options", () => locks.getLockCount(none));
    await expectInvalid(all, "options", () => locks.getStats(none));
    await expectInvalid(all, "options", () => locks.checkLocks(["/a"], "ann", none));
    await expectInvalid(all, "filter", () => locks.listLocks(none));
    await expectInvalid(all, "filter", () => locks.events(none));
  });

  test("when a list is filtered by what cannot be", async () => {
    const all = await setting();
    const { locks } = all;
    for (const limit of [0, -1, 1.5, 1_001, Number.NaN, "5", null] as number[]) {
      await expectInvalid(all, "limit", () => locks.listLocks({ limit }));
    }
    await expectInvalid(all, "mode", () => locks.listLocks({ mode: "read" as "shared" }));
    await expectInvalid(all, "expiringWithin", () => locks.listLocks({ expiringWithin: -1 }));
    await expectInvalid(all, "resourceType", () => locks.listLocks({ resourceType: "" }));
    await expectInvalid(all, "resourceType", () => locks.listLocks({ resourceType: "a/b" }));
    await expectInvalid(all, "types", () => locks.events({ types: ["acquire" as "acquired"] }));
    await expectInvalid(all, "types", () => locks.events({ types: "acquired" as unknown as [] }));
    for (const since of [0, 7, -1, "7", null] as number[])
      await expectInvalid(all, "since", () => locks.events({ since }));
  });
});

describe("Lists of paths are refused", () => {
  test("that are none, or too long", async () => {
    const all = await setting();
    const { locks } = all;
    const many = (count: number): string[] => Array.from({ length: count }, (_, n) => `/many/${n}`);
    for (const paths of [undefined, null, "/a", { 0: "/a" }] as unknown as string[][]) {
      await expectInvalid(all, "resourcePaths", () => locks.acquireMultipleLocks(paths, "ann"));
      await expectInvalid(all, "resourcePaths", () => locks.checkLocks(paths, "ann"));
    }
    await expectInvalid(all, "resourcePaths", () => locks.acquireMultipleLocks(many(51), "ann"));
    await expectInvalid(all, "resourcePaths", () => locks.checkLocks(many(201), "ann"));
    expect(await locks.acquireMultipleLocks(many(50), "ann")).toHaveLength(50);
    expect((await locks.checkLocks(many(200), "bob")).theirs).toHaveLength(50);
  });
});

describe("A forced release is refused", () => {
  test.each([
    ["without options", undefined, "reason"],
    ["without a reason", {}, "reason"],
    ["with an empty reason", { reason: "" }, "reason"],
    ["with a long reason", { reason: "x".repeat(201) }, "reason"],
  ])("%s", async (_, options, field) => {
    const all = await setting();
    await expectInvalid(all, field, () =>
      all.locks.forceRelease("/mine", options as unknown as { reason: string }),
    );
  });
});

test("Work that is no function is refused before a lock is taken.", async () => {
  const all = await setting();
  await expectInvalid(all, "work", () => all.locks.withLock("/a", "ann", {}, undefined as never));
});

test("A value that is not there is called missing.", async () => {
  const { locks } = await setting();
  const error = await refusal(locks.forceRelease("/a", {} as never), "invalid");
  expect(error.message).toMatch(/^Missing reason: expected at most 200 characters/);
});

test("A long value is shown shortened, and with its control characters escaped.", async () => {
  const { locks } = await setting();
  const long = await refusal(locks.acquireLock("x".repeat(5_000), "ann"), "invalid");
  expect(long.facts.value?.length).toBeLessThan(300);
  expect(long.message.length).toBeLessThan(1_000);
  const escaped = await refusal(locks.acquireLock("/a\u001b[31m\n", "ann"), "invalid");
  // oxlint-disable-next-line no-control-regex -- that there is none is the point
  expect(escaped.message).not.toMatch(/[\u0000-\u001f]/);
});

test("Metadata and reasons come back as they were given, and later changes by the caller change no lock.", async () => {
  const { locks } = await setting();
  const metadata: Record<string, string> = JSON.parse('{"__proto__":"x","b":"é\\n"}');
  const lock = await locks.acquireLock("/a", "ann", { metadata, reason: "because" });
  metadata["b"] = "changed";
  const seen = await locks.getLock("/a");
  expect(JSON.stringify(seen?.metadata)).toBe('{"__proto__":"x","b":"é\\n"}');
  expect(JSON.parse(JSON.stringify(lock))).toMatchObject({ reason: "because", lockId: lock.lockId });
});
