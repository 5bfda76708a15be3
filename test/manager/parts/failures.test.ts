/** When a command is tried again, and when it is given up. */
import { describe, expect, test } from "vitest";
import type { LockError } from "../../../src/errors.js";
import { Failures, type RetryPolicy, retryDelay } from "../../../src/manager/failures.js";
import { Cell, type Command, Draft, Job } from "../../../src/manager/job.js";
import { StoreClock } from "../../../src/manager/store-clock.js";
import { openMemoryStore } from "../../../src/store/memory/memory-store.js";
import { StoreError } from "../../../src/store/store.js";
import { FaultyStore } from "../../support/faulty-store.js";
import { ManualClock } from "../../support/manual-clock.js";

const refused = new StoreError("It is full.", { outcome: "none", retryable: true });
const broken = new StoreError("It is corrupt.", { outcome: "none", retryable: false });
const lost = new StoreError("It did not answer.", { outcome: "unknown", retryable: true });

class Tries {
  readonly clock = new ManualClock();
  readonly inner = openMemoryStore({ clock: this.clock });
  readonly store = new FaultyStore(this.inner, { clock: this.clock });
  readonly storeClock = new StoreClock(this.clock);
  readonly retry: RetryPolicy = { maxRetries: 2, retryDelayMs: 100, retryBackoff: 2, retryJitterMs: 0 };
  /** Numbers of the jobs tried again, and for how long each of the others stands aside. */
  readonly again: number[] = [];
  readonly aside: number[] = [];
  readonly errors: LockError[] = [];
  readonly failures: Failures;
  #jobs = 0;

  constructor() {
    const { clock, store, storeClock, retry } = this;
    const standAside = (_job: Job, ms: number): unknown => this.aside.push(ms);
    const around = { clock, store, storeClock, retry, random: () => 1, serial: () => 77, standAside };
    this.failures = new Failures(around, (job) => this.again.push(job.number));
  }

  job(more: Partial<Command<unknown>> = {}, giveUpAt?: number): Job {
    const fail = (error: unknown): unknown => this.errors.push(error as LockError);
    const command = { plan: () => undefined, done: () => undefined, fail, ...more };
    return new Job(command, ++this.#jobs, 0, giveUpAt);
  }

  /** A job whose last plan changes something. */
  change(): Job {
    const job = this.job();
    job.writes = [new Draft(new Cell("a"))];
    return job;
  }

  get codes(): string[] {
    return this.errors.map((error) => error.code);
  }

  /** How long it takes until something is tried again, in steps of half a millisecond. */
  async untilAgain(): Promise<number> {
    const [before, beganAt] = [this.again.length, this.clock.monotonic()];
    while (this.again.length === before && this.clock.monotonic() < beganAt + 60_000)
      await this.clock.advance(0.5);
    return this.clock.monotonic() - beganAt;
  }
}

describe("Whoever another writer was faster than", () => {
  test("tries again at once, then within a time that doubles, up to fifty milliseconds.", async () => {
    const tries = new Tries();
    const job = tries.job();
    tries.failures.conflicted(job);
    expect(tries.again).toEqual([1]);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      tries.failures.conflicted(job);
      pauses.push(await tries.untilAgain());
    }
    expect(pauses).toEqual([2, 4, 8, 16, 32, 50, 50, 50]);
    expect(job.conflicts).toBe(9);
    expect(tries.aside).toEqual([]);
  });

  test("tries eight times at once when it is its turn.", async () => {
    const tries = new Tries();
    const job = tries.job({ isInTurn: true });
    for (let i = 0; i < 8; i++) tries.failures.conflicted(job);
    expect(tries.again).toHaveLength(8);
    tries.failures.conflicted(job);
    expect(tries.again).toHaveLength(8);
    expect(await tries.untilAgain()).toBe(50);
  });

  test("stands aside when it has patience, unless it is tried at once and with others.", () => {
    const tries = new Tries();
    const job = tries.job({ patienceMs: 30 });
    tries.failures.conflicted(job);
    expect([tries.again, tries.aside]).toEqual([[1], []]);
    tries.failures.conflicted(job);
    expect([tries.again, tries.aside]).toEqual([[1], [30]]);
    const alone = tries.job({ patienceMs: 40 });
    alone.alone = true;
    tries.failures.conflicted(alone);
    expect([tries.again, tries.aside]).toEqual([[1], [30, 40]]);
  });

  test("without patience does not stand aside, alone or not.", () => {
    const tries = new Tries();
    const job = tries.job();
    job.alone = true;
    tries.failures.conflicted(job);
    expect([tries.again, tries.aside]).toEqual([[1], []]);
  });

  test("tries four times more, at once, when its time is up.", async () => {
    const tries = new Tries();
    const job = tries.job({}, 1000);
    tries.failures.conflicted(job);
    await tries.clock.advance(999);
    tries.failures.conflicted(job);
    await tries.clock.advance(1);
    expect([tries.again, job.overtime]).toEqual([[1], 0]);
    for (let i = 0; i < 4; i++) tries.failures.conflicted(job);
    expect(tries.again).toHaveLength(5);
    expect(tries.errors).toEqual([]);
    tries.failures.conflicted(job);
    expect(tries.codes).toEqual(["store_unavailable"]);
    expect(tries.errors[0]?.message).toContain("7 tries");
    await tries.clock.advance(60_000);
    expect(tries.again).toHaveLength(6);
  });

  test("has five seconds when nothing else was said, counted from the first time.", async () => {
    const tries = new Tries();
    const job = tries.job();
    await tries.clock.advance(300);
    tries.failures.conflicted(job);
    expect(job.giveUpAt).toBe(5300);
    await tries.clock.advance(10);
    tries.failures.conflicted(job);
    expect(job.giveUpAt).toBe(5300);
  });

  test("does not try again when it was cancelled, and says what may have been done.", () => {
    const tries = new Tries();
    const [job, uncertain] = [tries.job(), tries.job()];
    job.cancelled = uncertain.cancelled = true;
    uncertain.uncertain = true;
    tries.failures.conflicted(job);
    tries.failures.conflicted(uncertain);
    expect(tries.codes).toEqual(["aborted", "outcome_unknown"]);
    expect(tries.again).toEqual([]);
  });
});

describe("When the store fails", () => {
  test("a change that was surely not applied is tried again after a pause that grows, as often as is allowed.", async () => {
    const tries = new Tries();
    const job = tries.change();
    tries.failures.failed(job, refused, 5000);
    expect(await tries.untilAgain()).toBe(100);
    tries.failures.failed(job, refused, 5000);
    expect(await tries.untilAgain()).toBe(200);
    expect([job.uncertain, job.since]).toEqual([false, 77]);
    tries.failures.failed(job, refused, 5000);
    await tries.clock.advance(60_000);
    expect(tries.again).toEqual([1, 1]);
    expect(tries.codes).toEqual(["store_unavailable"]);
    expect(tries.errors[0]?.message).toContain("after 3 tries, and nothing was changed: It is full.");
    expect(tries.errors[0]?.cause).toBe(refused);
    expect(tries.errors[0]?.facts.next).toHaveLength(1);
    expect(tries.store.calls.reads).toBe(0);
  });

  test("for good, nothing is tried again.", async () => {
    const tries = new Tries();
    tries.failures.failed(tries.change(), broken, 5000);
    await tries.clock.advance(60_000);
    expect(tries.codes).toEqual(["store_unavailable"]);
    expect(tries.errors[0]?.message).toContain("after 1 try,");
    expect(tries.again).toEqual([]);
  });

  test("the tries that others were faster than count as well.", async () => {
    const tries = new Tries();
    const job = tries.change();
    tries.failures.conflicted(job);
    tries.failures.failed(job, broken, 5000);
    await tries.clock.settle();
    expect(tries.errors[0]?.message).toContain("after 2 tries,");
  });

  test("a command that was cancelled is not tried again.", async () => {
    const tries = new Tries();
    const job = tries.change();
    job.cancelled = true;
    tries.failures.failed(job, refused, 5000);
    await tries.clock.settle();
    expect(tries.codes).toEqual(["store_unavailable"]);
    expect(tries.clock.pending).toBe(0);
  });

  test("many may wait for their next try without a warning.", async () => {
    const tries = new Tries();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", onWarning);
    for (let i = 0; i < 20; i++) tries.failures.failed(tries.change(), refused, 5000);
    await tries.clock.settle();
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
    await tries.clock.advance(100);
    expect(tries.again).toHaveLength(20);
  });

  test("those that wait for their next try fail when the manager closes, and leave no timer.", async () => {
    const tries = new Tries();
    const conflicted = tries.job();
    conflicted.conflicts = 5;
    tries.failures.conflicted(conflicted);
    tries.failures.failed(tries.change(), refused, 5000);
    await tries.clock.settle();
    tries.failures.close();
    await tries.clock.settle();
    expect(tries.codes).toEqual(["closed", "closed"]);
    expect(tries.clock.pending).toBe(0);
    expect(tries.again).toEqual([]);
  });
});

describe("When the outcome is unknown", () => {
  test.each<[string, unknown]>([
    ["the store says so", lost],
    ["the store throws something else", new TypeError("It broke.")],
  ])("because %s, the change is tried again once it can no longer be applied.", async (_why, error) => {
    const tries = new Tries();
    const job = tries.change();
    const { storeTime } = await tries.inner.read({});
    tries.failures.failed(job, error, storeTime + 4000);
    expect(job.uncertain).toBe(true);
    const passed = await tries.untilAgain();
    expect(passed).toBeGreaterThan(4000);
    expect(passed).toBeLessThanOrEqual(4002);
    // It is asked once after the pause, then when it should be over, then a moment later.
    expect(tries.store.calls.reads).toBeLessThanOrEqual(3);
    expect(tries.storeClock.earliest()).toBeGreaterThan(storeTime + 4000);
    expect(job.since).toBe(77);
  });

  test("an entry that is only indexed is a change as well.", () => {
    const tries = new Tries();
    const job = tries.job();
    job.indexed = [{ key: "a", value: 1 }];
    tries.failures.failed(job, lost, 5000);
    expect(job.uncertain).toBe(true);
  });

  test("nothing is uncertain about a plan that changes nothing, or was not sent.", async () => {
    const tries = new Tries();
    const [proof, read] = [tries.job(), tries.change()];
    tries.failures.failed(proof, lost, 5000);
    tries.failures.failed(read, lost, 0);
    expect([proof.uncertain, read.uncertain]).toEqual([false, false]);
    expect(await tries.untilAgain()).toBe(100);
    expect(tries.store.calls.reads).toBe(0);
  });

  test("a store that cannot be asked costs another try.", async () => {
    const tries = new Tries();
    const job = tries.change();
    tries.store.down();
    tries.failures.failed(job, lost, 5000);
    await tries.clock.advance(60_000);
    expect(tries.codes).toEqual(["outcome_unknown"]);
    expect(tries.errors[0]?.message).toContain("after 3 tries");
    expect(tries.errors[0]?.cause).toBe(lost);
    expect(tries.errors[0]?.facts.next).toHaveLength(1);
    expect(tries.store.calls.reads).toBe(2);
    expect(tries.again).toEqual([]);
  });

  test("a store that comes back is asked again.", async () => {
    const tries = new Tries();
    const { storeTime } = await tries.inner.read({});
    tries.store.nextRead({ kind: "refused", retryable: true });
    tries.failures.failed(tries.change(), lost, storeTime);
    expect(await tries.untilAgain()).toBe(300);
    expect(tries.errors).toEqual([]);
  });

  test("a store that will never answer leaves it unknown.", async () => {
    const tries = new Tries();
    await tries.inner.close();
    tries.failures.failed(tries.change(), lost, 5000);
    await tries.clock.advance(60_000);
    expect(tries.codes).toEqual(["outcome_unknown"]);
    expect(tries.errors[0]?.message).toContain("does not answer any more");
    expect(tries.errors[0]?.cause).toBeInstanceOf(StoreError);
    expect(tries.store.calls.reads).toBe(1);
  });

  test("closing the manager leaves it unknown no longer than that.", async () => {
    const tries = new Tries();
    const { storeTime } = await tries.inner.read({});
    tries.failures.failed(tries.change(), lost, storeTime + 5000);
    await tries.clock.advance(200);
    tries.failures.close();
    await tries.clock.settle();
    expect(tries.codes).toEqual(["closed"]);
    expect(tries.clock.pending).toBe(0);
  });
});

describe("The pause before the next try", () => {
  const policy: RetryPolicy = { maxRetries: 9, retryDelayMs: 100, retryBackoff: 3, retryJitterMs: 50 };

  test("grows with each failure, up to half a minute.", () => {
    const pauses = [1, 2, 3, 6, 7].map((failures) => retryDelay(policy, failures, () => 0.5));
    expect(pauses).toEqual([100, 300, 900, 24_300, 30_000]);
  });

  test("is longer or shorter by the jitter, and never less than nothing.", () => {
    expect([0, 0.5, 1].map((chance) => retryDelay(policy, 1, () => chance))).toEqual([50, 100, 150]);
    expect(retryDelay({ ...policy, retryDelayMs: 10 }, 1, () => 0)).toBe(0);
  });
});
