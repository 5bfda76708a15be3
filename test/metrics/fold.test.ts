import fc from "fast-check";
import { expect, test } from "vitest";
import { errorCatalogue } from "../../src/errors.js";
import { createLockMetrics } from "../../src/metrics/lock-metrics.js";
import type { CountedEvent } from "../../src/metrics/lock-sums.js";
import { readExposition } from "./read-exposition.js";

const causes = [
  ...Object.keys(errorCatalogue),
  "timer",
  "takeover",
  "sweep",
  "expired",
  "revoked",
  "whatever",
];

const event: fc.Arbitrary<CountedEvent> = fc.record(
  {
    type: fc.constantFrom(
      "acquired",
      "extended",
      "released",
      "expired",
      "revoked",
      "lost",
      "contended",
      "queued",
      "dequeued",
      "refused",
      "failed",
      "reset",
    ),
    resourceType: fc.constantFrom("a", "b", "c", "other"),
    cause: fc.constantFrom(...causes),
    call: fc.constantFrom("acquire", "release", "extend"),
    waitedMs: fc.integer({ min: 0, max: 1_000_000 }),
    heldMs: fc.integer({ min: 0, max: 100_000_000 }),
  },
  { requiredKeys: ["type", "resourceType"] },
);

/** Says of one event which series grow by how much, in the words of the documentation rather than of the code. */
function* grows(event: CountedEvent): Generator<[series: string, by: number]> {
  const { type, resourceType, cause, call, waitedMs, heldMs } = event;
  const ofType = `resource_type="${resourceType}"`;
  if (type === "acquired") yield [`engram_lock_acquisitions_total{${ofType},success="true"}`, 1];
  if (type === "refused") yield [`engram_lock_acquisitions_total{${ofType},success="false"}`, 1];
  if (type === "released") yield [`engram_lock_releases_total{${ofType},success="true"}`, 1];
  if (type === "failed" && call === "release") {
    yield [`engram_lock_releases_total{${ofType},success="false"}`, 1];
  }
  if (type === "refused" || type === "failed") {
    const reason = Object.keys(errorCatalogue).find((code) => code === cause) ?? "other";
    yield [`engram_lock_failures_total{reason="${reason}"}`, 1];
  }
  if (type === "contended") yield [`engram_lock_contention_total{${ofType}}`, 1];
  if (type === "extended") yield [`engram_lock_extensions_total{${ofType}}`, 1];
  if (type === "revoked") yield [`engram_lock_revocations_total{${ofType}}`, 1];
  if (type === "lost") {
    yield [
      `engram_lock_lost_total{how="${cause === "expired" || cause === "revoked" ? cause : "other"}"}`,
      1,
    ];
  }
  if (type === "expired") yield ["engram_locks_expired_total", 1];
  if (type === "expired" && cause !== "takeover") yield ["engram_locks_cleaned_up_total", 1];
  if (type === "acquired" && waitedMs !== undefined) {
    yield* observed("engram_lock_acquisition_duration_seconds", ofType, waitedMs / 1000);
  }
  if (["released", "expired", "revoked"].includes(type) && heldMs !== undefined) {
    yield* observed("engram_lock_hold_duration_seconds", ofType, heldMs / 1000);
  }
}

/** Buckets are judged by their own label: each holds what is not longer than it says. */
function* observed(name: string, ofType: string, seconds: number): Generator<[string, number]> {
  yield [`${name}_sum{${ofType}}`, seconds];
  yield [`${name}_count{${ofType}}`, 1];
  for (const le of bounds(name)) {
    if (seconds <= le) yield [`${name}_bucket{le="${le === Infinity ? "+Inf" : le}",${ofType}}`, 1];
  }
}

function bounds(name: string): number[] {
  const finite = name.includes("acquisition")
    ? [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
    : [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400, 43200, 86400];
  return [...finite, Infinity];
}

/** Sums of fractions of a second depend on the order in which they are added. */
const near = (value: number): unknown => expect.closeTo(value, 3);

test("whatever happens in whatever order, the metrics are what a recount of the events gives", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 200 }), async (events) => {
      const metrics = await createLockMetrics({ activeLocks: () => Promise.resolve(0) });
      const recount = new Map<string, number>();
      for (const one of events) {
        metrics.observe(one);
        for (const [series, by] of grows(one)) recount.set(series, (recount.get(series) ?? 0) + by);
      }
      const shown = readExposition(await metrics.text());
      for (const [series, value] of recount)
        expect({ [series]: shown.get(series) }).toEqual({ [series]: near(value) });
      const uncounted = [...shown].filter(([series, value]) => value !== 0 && !recount.has(series));
      expect(uncounted).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("locks acquired, less those released, expired and revoked, are the locks in force", async () => {
  const ends = ["released", "expired", "revoked"] as const;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(999), { maxLength: 300 }), async (choices) => {
      const held: string[] = [];
      const metrics = await createLockMetrics({ activeLocks: () => Promise.resolve(held.length) });
      for (const choice of choices) {
        const ended = choice % 2 === 0 ? held.pop() : undefined;
        const resourceType = ended ?? `type-${choice}`;
        if (ended === undefined) held.push(resourceType);
        metrics.observe({
          type: ended === undefined ? "acquired" : (ends[choice % 3] ?? "released"),
          resourceType,
        });
      }
      const shown = readExposition(await metrics.text());
      const sum = (pattern: RegExp) =>
        [...shown].reduce((total, [series, value]) => total + (pattern.test(series) ? value : 0), 0);
      const balance =
        sum(/^engram_lock_acquisitions_total\{.*success="true"/) -
        sum(/^engram_lock_releases_total\{.*success="true"/) -
        sum(/^engram_locks_expired_total$/) -
        sum(/^engram_lock_revocations_total\{/);
      expect(balance).toBe(shown.get("engram_active_locks"));
    }),
  );
});

test("there are fewer than 1,500 series after 100,000 events, whatever clients send", async () => {
  const anything: fc.Arbitrary<CountedEvent> = fc.record({
    type: fc.constantFrom(
      "acquired",
      "refused",
      "failed",
      "lost",
      "released",
      "expired",
      "revoked",
      "contended",
    ),
    resourceType: fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 200 })),
    cause: fc.string(),
    call: fc.constantFrom("acquire", "release", "extend"),
    waitedMs: fc.double({ min: 0, noNaN: true }),
    heldMs: fc.double({ min: 0, noNaN: true }),
  });
  const metrics = await createLockMetrics({
    namedTypes: Array.from({ length: 50 }, (_, n) => `policy-${n}`),
    activeLocks: () => Promise.resolve(0),
  });
  const events = fc.sample(anything, { numRuns: 1_000, seed: 7 });
  for (let n = 0; n < 100_000; n++) {
    const like = events[n % events.length];
    if (like !== undefined)
      metrics.observe({ ...like, resourceType: `${n}${like.resourceType}`, cause: `${n}` });
  }
  const text = await metrics.text();
  expect(readExposition(text).size).toBeLessThan(1_500);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(300);
});
