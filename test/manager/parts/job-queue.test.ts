/** The order of the jobs, and those that stand aside until there is company. */
import { describe, expect, test } from "vitest";
import { Job } from "../../../src/manager/job.js";
import { JobQueue } from "../../../src/manager/job-queue.js";
import { ManualClock } from "../../support/manual-clock.js";

function job(number: number, path?: string): Job {
  const command = { path, plan: () => undefined, done: () => undefined, fail: () => undefined };
  return new Job(command, number, 0, undefined);
}

function numbers(jobs: readonly Job[]): number[] {
  return jobs.map((one) => one.number);
}

function unexpected(): never {
  throw new Error("It is not due.");
}

describe("Jobs", () => {
  test("are taken once, in the order in which they were called, also those that come back.", () => {
    const queue = new JobQueue(new ManualClock());
    expect(queue.isEmpty).toBe(true);
    for (const number of [3, 4, 1, 6, 2, 5]) queue.add(job(number, "/a"));
    expect(queue.isEmpty).toBe(false);
    expect(numbers(queue.take())).toEqual([1, 2, 3, 4, 5, 6]);
    expect(queue.isEmpty).toBe(true);
    expect(queue.take()).toEqual([]);
  });
});

describe("A job that stands aside", () => {
  test("goes with the next on its path, in order, and is not due any more.", async () => {
    const clock = new ManualClock();
    const queue = new JobQueue(clock);
    expect(queue.standAside(job(1, "/a"), 50, unexpected)).toBe(true);
    expect(queue.standAside(job(2, "/a"), 50, unexpected)).toBe(true);
    expect(queue.standAside(job(3, "/b"), 50, () => undefined)).toBe(true);
    expect(queue.isEmpty).toBe(true);
    queue.add(job(4, "/a"));
    expect(numbers(queue.take())).toEqual([1, 2, 4]);
    await clock.advance(49);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(clock.pending).toBe(0);
  });

  test("is due after its time, once, if nobody came.", async () => {
    const clock = new ManualClock();
    const queue = new JobQueue(clock);
    const due: number[] = [];
    queue.standAside(job(1, "/a"), 10, () => due.push(1));
    queue.standAside(job(2, "/a"), 20, () => due.push(2));
    await clock.advance(10);
    expect(due).toEqual([1]);
    queue.add(job(3, "/a"));
    expect(numbers(queue.take())).toEqual([2, 3]);
    await clock.advance(10);
    expect(due).toEqual([1]);
  });

  test("is not company for a job that is to be tried alone, for one elsewhere, or for one that is deferred.", () => {
    const queue = new JobQueue(new ManualClock());
    queue.standAside(job(1, "/a"), 50, unexpected);
    const alone = job(2, "/a");
    alone.alone = true;
    queue.add(alone);
    queue.add(job(3, "/b"));
    queue.add(job(4));
    queue.defer(job(5, "/a"));
    expect(numbers(queue.take())).toEqual([2, 3, 4, 5]);
  });

  test("is no longer to be tried alone.", () => {
    const queue = new JobQueue(new ManualClock());
    const one = job(1, "/a");
    one.alone = true;
    queue.standAside(one, 50, unexpected);
    expect(one.alone).toBe(false);
  });

  test("needs a path and some patience.", () => {
    const clock = new ManualClock();
    const queue = new JobQueue(clock);
    expect(queue.standAside(job(1), 50, unexpected)).toBe(false);
    expect(queue.standAside(job(2, "/a"), 0, unexpected)).toBe(false);
    expect(clock.pending).toBe(0);
    expect(queue.takeAll()).toEqual([]);
  });

  test("is there still when everything is taken, and leaves no timer.", () => {
    const clock = new ManualClock();
    const queue = new JobQueue(clock);
    queue.standAside(job(1, "/a"), 50, unexpected);
    queue.standAside(job(2, "/b"), 50, unexpected);
    queue.add(job(3, "/c"));
    expect(numbers(queue.takeAll())).toEqual([3, 1, 2]);
    expect(clock.pending).toBe(0);
    expect(queue.takeAll()).toEqual([]);
  });
});
