/** Reading for a plan that could not be made from what is believed. */
import type { Clock } from "../clock/clock.js";
import { type Store, StoreError } from "../store/store.js";
import type { Job } from "./job.js";
import type { Missing } from "./planner.js";
import type { StoreClock } from "./store-clock.js";

interface Surroundings {
  readonly store: Store;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
}

/** A plan that keeps needing other ranges is broken. */
const mostLoads = 1_000;

/** Reads the ranges a plan lacked, and anew all it read before: one snapshot. `serial`: of this request. */
export async function load(
  { store, clock, storeClock }: Surroundings,
  job: Job,
  missing: Missing,
  serial: number,
): Promise<void> {
  if (++job.loads > mostLoads) {
    throw new StoreError("The plan needs ever more ranges.", { outcome: "none", retryable: false });
  }
  const cells = job.reads.map(({ cell }) => cell);
  const ranges = [...job.loaded.map(({ range }) => range), ...missing];
  const sentAt = clock.monotonic();
  const reply = await store.read({ keys: cells.map((cell) => cell.key), ranges });
  storeClock.learn(reply.storeTime, sentAt);
  for (const [index, cell] of cells.entries()) cell.learn(reply.entries[index], serial);
  job.loaded = ranges.map((range, index) => ({
    range,
    found: reply.ranges[index] ?? [],
    revision: reply.revision,
  }));
}
