import { Registry } from "@prometheus-io/client";
import { describe, expect, test } from "vitest";
import { errorCatalogue } from "../../src/errors.js";
import { createLockMetrics, type LockMetrics } from "../../src/metrics/lock-metrics.js";
import type { CountedEvent } from "../../src/metrics/lock-sums.js";
import { readExposition } from "./read-exposition.js";

const noLocks = () => Promise.resolve(0);

/** The series that are not 0 after these events, of those whose name begins like this. */
async function seriesAfter(events: readonly CountedEvent[], name: string): Promise<Record<string, number>> {
  const metrics = await createLockMetrics({ activeLocks: noLocks });
  for (const event of events) metrics.observe(event);
  return nonZero(metrics, name);
}

async function nonZero(metrics: LockMetrics, name: string): Promise<Record<string, number>> {
  const series = readExposition(await metrics.text());
  return Object.fromEntries([...series].filter(([key, value]) => key.startsWith(name) && value !== 0));
}

const repo = "repo";

describe("what each event counts as", () => {
  test("an acquire is a success when it got the lock and none when it was refused", async () => {
    const events: CountedEvent[] = [
      { type: "acquired", resourceType: repo, waitedMs: 0 },
      { type: "acquired", resourceType: repo, waitedMs: 0 },
      { type: "refused", resourceType: repo, call: "acquire", cause: "held", waitedMs: 0 },
    ];
    expect(await seriesAfter(events, "engram_lock_acquisitions_total")).toEqual({
      'engram_lock_acquisitions_total{resource_type="repo",success="true"}': 2,
      'engram_lock_acquisitions_total{resource_type="repo",success="false"}': 1,
    });
  });

  test("acquiring a lock again is an extension, and neither a success nor a failure", async () => {
    expect(await seriesAfter([{ type: "extended", resourceType: repo }], "engram_lock")).toEqual({
      'engram_lock_extensions_total{resource_type="repo"}': 1,
    });
  });

  test("a release fails only when the call that failed was a release", async () => {
    const events: CountedEvent[] = [
      { type: "released", resourceType: repo, heldMs: 5 },
      { type: "failed", resourceType: repo, call: "release", cause: "not_holder" },
      { type: "failed", resourceType: repo, call: "extend", cause: "lost" },
    ];
    expect(await seriesAfter(events, "engram_lock_releases_total")).toEqual({
      'engram_lock_releases_total{resource_type="repo",success="true"}': 1,
      'engram_lock_releases_total{resource_type="repo",success="false"}': 1,
    });
  });

  test("a forced release has a counter of its own and is no release", async () => {
    const events: CountedEvent[] = [{ type: "revoked", resourceType: repo, cause: "stuck", heldMs: 5 }];
    expect(await seriesAfter(events, "engram_lock_re")).toEqual({
      'engram_lock_revocations_total{resource_type="repo"}': 1,
    });
  });

  test("failures go by error code, and whatever is no code is other", async () => {
    const events = ["held", "held", "deadlock", "store_unavailable", "ECONNRESET", "toString"].map(
      (cause): CountedEvent => ({ type: "refused", resourceType: repo, cause }),
    );
    events.push({ type: "failed", resourceType: repo, call: "extend", cause: "lost" });
    events.push({ type: "failed", resourceType: repo, call: "extend" });
    expect(await seriesAfter(events, "engram_lock_failures_total")).toEqual({
      'engram_lock_failures_total{reason="held"}': 2,
      'engram_lock_failures_total{reason="deadlock"}': 1,
      'engram_lock_failures_total{reason="store_unavailable"}': 1,
      'engram_lock_failures_total{reason="lost"}': 1,
      'engram_lock_failures_total{reason="other"}': 3,
    });
  });

  test("contention counts what was found taken, and queueing adds nothing to it", async () => {
    const events: CountedEvent[] = [
      { type: "contended", resourceType: repo },
      { type: "queued", resourceType: repo },
      { type: "dequeued", resourceType: repo, waitedMs: 9 },
    ];
    expect(await seriesAfter(events, "engram_")).toEqual({
      'engram_lock_contention_total{resource_type="repo"}': 1,
    });
  });

  test("of the expired locks those are cleaned up that no other claim had to take over", async () => {
    const events = ["timer", "sweep", "sweep", "takeover"].map(
      (cause): CountedEvent => ({ type: "expired", resourceType: repo, cause, heldMs: 60_000 }),
    );
    expect(await seriesAfter(events, "engram_locks_")).toEqual({
      engram_locks_expired_total: 4,
      engram_locks_cleaned_up_total: 3,
    });
  });

  test("holders told of their loss are counted by how it came", async () => {
    const events = ["expired", "revoked", "revoked", "gone", "the store is away"].map(
      (cause): CountedEvent => ({ type: "lost", resourceType: repo, cause }),
    );
    expect(await seriesAfter(events, "engram_lock_lost_total")).toEqual({
      'engram_lock_lost_total{how="expired"}': 1,
      'engram_lock_lost_total{how="revoked"}': 2,
      'engram_lock_lost_total{how="gone"}': 1,
      'engram_lock_lost_total{how="other"}': 1,
    });
  });
});

describe("durations", () => {
  test("acquisitions fall into buckets from 1 ms to 600 s, each bucket including the ones below", async () => {
    const events = [0, 1, 1.5, 600_000, 600_001].map(
      (waitedMs): CountedEvent => ({ type: "acquired", resourceType: repo, waitedMs }),
    );
    const series = await seriesAfter(events, "engram_lock_acquisition_duration_seconds");
    const name = "engram_lock_acquisition_duration_seconds";
    expect(series).toMatchObject({
      [`${name}_bucket{le="0.001",resource_type="repo"}`]: 2,
      [`${name}_bucket{le="0.0025",resource_type="repo"}`]: 3,
      [`${name}_bucket{le="300",resource_type="repo"}`]: 3,
      [`${name}_bucket{le="600",resource_type="repo"}`]: 4,
      [`${name}_bucket{le="+Inf",resource_type="repo"}`]: 5,
      [`${name}_count{resource_type="repo"}`]: 5,
    });
    expect(series[`${name}_sum{resource_type="repo"}`]).toBeCloseTo(1200.0035, 6);
  });

  test("what a refused acquire waited is no acquisition duration", async () => {
    const events: CountedEvent[] = [{ type: "refused", resourceType: repo, cause: "held", waitedMs: 5000 }];
    expect(await seriesAfter(events, "engram_lock_acquisition_duration_seconds")).toEqual({});
  });

  test("holding ends with a release, an expiry or an operator; buckets reach from 10 ms to a day", async () => {
    const events: CountedEvent[] = [
      { type: "released", resourceType: repo, heldMs: 10 },
      { type: "expired", resourceType: repo, cause: "timer", heldMs: 60_000 },
      { type: "revoked", resourceType: repo, heldMs: 86_400_000 },
    ];
    const name = "engram_lock_hold_duration_seconds";
    expect(await seriesAfter(events, name)).toMatchObject({
      [`${name}_bucket{le="0.01",resource_type="repo"}`]: 1,
      [`${name}_bucket{le="60",resource_type="repo"}`]: 2,
      [`${name}_bucket{le="86400",resource_type="repo"}`]: 3,
      [`${name}_sum{resource_type="repo"}`]: 86_460.01,
      [`${name}_count{resource_type="repo"}`]: 3,
    });
  });
});

describe("resource types", () => {
  const acquired = (resourceType: string): CountedEvent => ({ type: "acquired", resourceType, waitedMs: 0 });

  async function typesAfter(events: readonly CountedEvent[], namedTypes: readonly string[]) {
    const metrics = await createLockMetrics({ namedTypes, activeLocks: noLocks });
    for (const event of events) metrics.observe(event);
    const series = await nonZero(metrics, "engram_lock_acquisitions_total");
    return Object.fromEntries(
      Object.entries(series).map(([key, value]) => [/resource_type="([^"]*)"/.exec(key)?.[1], value]),
    );
  }

  test("the first twenty have labels of their own and the rest are other", async () => {
    const first = Array.from({ length: 20 }, (_, n) => `type-${n}`);
    const types = await typesAfter([...first, "late", "later", "type-0"].map(acquired), []);
    expect(Object.keys(types)).toHaveLength(21);
    expect(types).toMatchObject({ "type-0": 2, "type-19": 1, other: 2 });
  });

  test("those named in policies have their labels even when twenty others came first", async () => {
    const crowd = Array.from({ length: 30 }, (_, n) => `type-${n}`);
    const types = await typesAfter([...crowd, "builds"].map(acquired), ["builds", "docs"]);
    expect(types).toMatchObject({ "type-17": 1, builds: 1, other: 12 });
  });

  test("a type that is really called other takes no place from the others", async () => {
    const first = Array.from({ length: 20 }, (_, n) => `type-${n}`);
    expect(await typesAfter(["other", ...first].map(acquired), [])).toMatchObject({ other: 1, "type-19": 1 });
  });

  test("labels end after 64 characters, and never in the middle of one", async () => {
    const long = "x".repeat(70);
    const astral = `${"y".repeat(63)}😀tail`;
    expect(await typesAfter([long, `${long}z`, astral].map(acquired), [])).toEqual({
      ["x".repeat(64)]: 2,
      ["y".repeat(63)]: 1,
    });
  });

  test("names with a meaning in JavaScript or in the text format are ordinary", async () => {
    const names = ["__proto__", "constructor", 'say "hi"', "back\\slash", "/"];
    const series = await seriesAfter(names.map(acquired), "engram_lock_acquisitions_total");
    expect(Object.keys(series).map((key) => key.slice("engram_lock_acquisitions_total".length))).toEqual([
      '{resource_type="__proto__",success="true"}',
      '{resource_type="constructor",success="true"}',
      '{resource_type="say \\"hi\\"",success="true"}',
      '{resource_type="back\\\\slash",success="true"}',
      '{resource_type="/",success="true"}',
    ]);
  });
});

describe("the active gauge", () => {
  const gauge = async (metrics: LockMetrics): Promise<number | undefined> =>
    readExposition(await metrics.text()).get("engram_active_locks");

  test("is asked anew at each scrape", async () => {
    let locks = 3;
    const metrics = await createLockMetrics({ activeLocks: () => Promise.resolve(locks) });
    expect(await gauge(metrics)).toBe(3);
    locks = 0;
    expect(await gauge(metrics)).toBe(0);
  });

  test("is missing, and everything else is there, while the store cannot be asked", async () => {
    let reachable = false;
    const metrics = await createLockMetrics({
      activeLocks: () => (reachable ? Promise.resolve(7) : Promise.reject(new Error("store away"))),
    });
    metrics.observe({ type: "acquired", resourceType: repo, waitedMs: 0 });
    expect(await gauge(metrics)).toBeUndefined();
    expect(await nonZero(metrics, "engram_lock_acquisitions_total")).not.toEqual({});
    reachable = true;
    expect(await gauge(metrics)).toBe(7);
  });

  test("counts the locks of a store once when two managers of one registry share it", async () => {
    const registry = new Registry();
    const store = {};
    const first = await createLockMetrics({ registry, store, activeLocks: () => Promise.resolve(5) });
    const second = await createLockMetrics({ registry, store, activeLocks: () => Promise.resolve(5) });
    expect(await gauge(first)).toBe(5);
    first.close();
    expect(await gauge(second)).toBe(5);
    second.close();
    expect(await gauge(second)).toBe(0);
  });

  test("adds up the locks of different stores, and those of a closed manager's store no more", async () => {
    const registry = new Registry();
    const first = await createLockMetrics({ registry, activeLocks: () => Promise.resolve(5) });
    const second = await createLockMetrics({ registry, activeLocks: () => Promise.resolve(2) });
    expect(await gauge(first)).toBe(7);
    second.close();
    second.close();
    expect(await gauge(first)).toBe(5);
  });
});

describe("registries", () => {
  const acquired: CountedEvent = { type: "acquired", resourceType: repo, waitedMs: 2 };
  const successes = 'engram_lock_acquisitions_total{resource_type="repo",success="true"}';

  test("managers without one do not see each other's events", async () => {
    const first = await createLockMetrics({ activeLocks: noLocks });
    const second = await createLockMetrics({ activeLocks: noLocks });
    first.observe(acquired);
    expect(await nonZero(second, "engram_")).toEqual({});
  });

  test("managers that share one add to the same sums, also after one has closed", async () => {
    const registry = new Registry();
    const first = await createLockMetrics({ registry, activeLocks: noLocks });
    const second = await createLockMetrics({ registry, activeLocks: noLocks });
    first.observe(acquired);
    second.observe(acquired);
    first.close();
    expect(readExposition(await registry.metrics()).get(successes)).toBe(2);
  });

  test("a registry that was cleared shows the metrics again for the next manager", async () => {
    const registry = new Registry();
    (await createLockMetrics({ registry, activeLocks: noLocks })).observe(acquired);
    registry.clear();
    expect(await registry.metrics()).not.toContain("engram");
    await createLockMetrics({ registry, activeLocks: noLocks });
    expect(readExposition(await registry.metrics()).get(successes)).toBe(1);
  });

  test("its default labels are on every series, and its other metrics stay as they are", async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ region: "north" });
    (await createLockMetrics({ registry, activeLocks: noLocks })).observe(acquired);
    const names = [...readExposition(await registry.metrics()).keys()];
    expect(names.filter((name) => !name.includes('region="north"'))).toEqual([]);
  });

  test("its JSON says what its text says, so that the processes of a cluster can be added up", async () => {
    const registry = new Registry();
    (await createLockMetrics({ registry, activeLocks: () => Promise.resolve(4) })).observe(acquired);
    const json: object[] = structuredClone(await registry.getMetricsAsJSON());
    const both = readExposition(await Registry.aggregate([json, json]).metrics());
    expect(both.get(successes)).toBe(2);
    expect(both.get('engram_lock_acquisition_duration_seconds_count{resource_type="repo"}')).toBe(2);
    expect(both.get('engram_lock_acquisition_duration_seconds_bucket{le="+Inf",resource_type="repo"}')).toBe(
      2,
    );
    // Every process of a cluster on one store sees the same four locks.
    expect(both.get("engram_active_locks")).toBe(4);
  });

  test("OpenMetrics text has the same numbers under the same names", async () => {
    const registry = new Registry(Registry.OPENMETRICS_CONTENT_TYPE);
    (await createLockMetrics({ registry, activeLocks: noLocks })).observe(acquired);
    const text = await registry.metrics();
    expect(text).toMatch(/# EOF\n$/);
    expect(text).toContain("# TYPE engram_lock_acquisitions counter");
    expect(readExposition(text).get(successes)).toBe(1);
  });

  test("asking twice counts nothing twice", async () => {
    const metrics = await createLockMetrics({ activeLocks: noLocks });
    metrics.observe(acquired);
    expect(await metrics.text()).toBe(await metrics.text());
  });
});

test("the text names every series with its type and its help before anything happened", async () => {
  const text = await (await createLockMetrics({ activeLocks: noLocks })).text();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
  expect(Object.fromEntries(types)).toEqual({
    engram_lock_acquisitions_total: "counter",
    engram_lock_releases_total: "counter",
    engram_lock_failures_total: "counter",
    engram_lock_contention_total: "counter",
    engram_active_locks: "gauge",
    engram_lock_acquisition_duration_seconds: "histogram",
    engram_lock_hold_duration_seconds: "histogram",
    engram_locks_expired_total: "counter",
    engram_locks_cleaned_up_total: "counter",
    engram_lock_revocations_total: "counter",
    engram_lock_extensions_total: "counter",
    engram_lock_lost_total: "counter",
  });
  expect([...text.matchAll(/^# HELP \S+ \S+/gm)]).toHaveLength(types.length);
  for (const code of Object.keys(errorCatalogue)) {
    expect(text).toContain(`engram_lock_failures_total{reason="${code}"} 0`);
  }
});
