import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { EventFilter, LockManager } from "../../src/lock-manager.js";
import { EventLog, type EventReader } from "../../src/server/event-log.js";
import type { KeptEvent } from "../../src/server/event-memory.js";
import { ManualClock } from "../support/manual-clock.js";
import { intercept } from "./intercept.js";
import { until } from "./running-server.js";

const capacity = 5;
const keepMs = 5 * 60_000;

let clock: ManualClock;
let manager: LockManager;
let log: EventLog;
let reported: unknown[];
/** How often the manager's events were read, and which of these reads were ended. */
let reads: EventFilter[];

beforeEach(async () => {
  clock = new ManualClock();
  manager = await createLockManager({}, "memory:");
  reported = [];
  reads = [];
  const counted = intercept(manager, {
    events: (filter = {}) => {
      reads.push(filter);
      return manager.events(filter);
    },
  });
  log = new EventLog({ manager: counted, clock, report: (error) => reported.push(error), capacity });
});

afterEach(async () => {
  log.close();
  await manager.close();
  expect(reported).toEqual([]);
  expect(clock.pending).toBe(0);
});

function rest(reader: EventReader): KeptEvent[] {
  const events: KeptEvent[] = [];
  for (let kept = reader.next(); kept !== undefined; kept = reader.next()) events.push(kept);
  return events;
}

function told(events: readonly KeptEvent[]): string[] {
  return events.map(({ event }) => `${event.type} ${event.resourcePath}`);
}

/** One event for each path, which all have come when it resolves. */
async function take(...paths: string[]): Promise<void> {
  const watch = log.open({}, () => {});
  const from = watch.position;
  for (const path of paths) await manager.acquireLock(path, "ann");
  await until(() => {
    rest(watch);
    return watch.position === from + paths.length;
  });
  watch.close();
}

describe("the manager's events", () => {
  test("are read once for everybody, and only from the first subscription on", async () => {
    expect([log.isReading, reads.length]).toEqual([false, 0]);
    const readers = [log.open({}, () => {}), log.open({ types: ["acquired"] }, () => {})];
    await take("/a");
    expect(readers.map((reader) => told(rest(reader)))).toEqual([["acquired /a"], ["acquired /a"]]);
    expect(reads).toHaveLength(1);
    for (const reader of readers) reader.close();
  });

  test("are read for some minutes after the last one has gone, so that it may come back", async () => {
    const reader = log.open({}, () => {});
    await take("/a");
    const [seen] = rest(reader);
    reader.close();
    await clock.advance(keepMs - 1);
    const again = log.open({ since: seen!.event.id }, () => {});
    await take("/b");
    expect(told(rest(again))).toEqual(["acquired /b"]);
    await clock.advance(keepMs);
    expect(log.isReading).toBe(true);
    again.close();
    await clock.advance(keepMs);
    expect([log.isReading, reads[0]?.signal?.aborted]).toEqual([false, true]);
  });

  test("that nobody read meanwhile are not passed over in silence", async () => {
    const reader = log.open({}, () => {});
    await take("/a");
    rest(reader);
    const since = reader.position;
    reader.close();
    await clock.advance(keepMs);
    await manager.acquireLock("/missed", "ann");
    const again = log.open({ since }, () => {});
    await take("/b");
    const events = rest(again);
    expect(told(events)).toEqual(["reset /", "acquired /b"]);
    expect(events[0]!.event.id).toBeGreaterThan(since);
    again.close();
  });
});

test("many events at once are no reason to miss any", async () => {
  const [agents, paths] = [28, 50];
  const large = new EventLog({ manager, clock, report: (error) => reported.push(error), capacity: 10_000 });
  const reader = large.open({}, () => {});
  await Promise.all(
    Array.from({ length: agents }, (_, agent) =>
      manager.acquireMultipleLocks(
        Array.from({ length: paths }, (_, path) => `/${agent}/${path}`),
        `agent-${agent}`,
      ),
    ),
  );
  await clock.settle();
  const events = rest(reader).map(({ event }) => event);
  expect(events.map(({ type }) => type)).toEqual(Array(agents * paths).fill("acquired"));
  // As they came, though they were asked for side by side.
  const tokens = events.map(({ fencingToken = 0 }) => fencingToken);
  expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
  large.close();
});

describe("a reader", () => {
  test("begins with what comes, or behind any event that is remembered", async () => {
    const first = log.open({}, () => {});
    await take("/1", "/2", "/3");
    const ids = rest(first).map(({ event }) => event.id);
    expect(ids).toEqual([ids[0], ids[0]! + 1, ids[0]! + 2]);
    const left = [ids[0]! - 1, ...ids].map((since) => told(rest(log.open({ since }, () => {}))));
    expect(left).toEqual([
      ["acquired /1", "acquired /2", "acquired /3"],
      ["acquired /2", "acquired /3"],
      ["acquired /3"],
      [],
    ]);
    expect(rest(log.open({}, () => {}))).toEqual([]);
  });

  test.each([
    ["that was before the first", (first: number) => first - 2],
    ["that is still to come", (first: number) => first + 3],
    ["of another life", () => 42],
  ])("that has seen an event %s is told so, and goes on from there", async (_, since) => {
    const first = log.open({}, () => {});
    await take("/1", "/2", "/3");
    const [one] = rest(first);
    const reader = log.open({ prefix: "a/", types: ["acquired"], since: since(one!.event.id) }, () => {});
    await take("/a/4", "/b/5");
    // Whoever is cut off before it was told comes back with the same id, and is told then.
    expect(reader.position).toBe(since(one!.event.id));
    const events = rest(reader);
    expect(told(events)).toEqual(["reset /a", "acquired /a/4"]);
    expect(events[0]).toMatchObject({ event: { resourceType: "a", id: one!.event.id + 2 } });
    expect(reader.position).toBe(one!.event.id + 4);
  });

  test("that is too slow is told so, and costs no more memory than the others", async () => {
    const slow = log.open({}, () => {});
    const begin = slow.position;
    const paths = Array.from({ length: capacity + 1 }, (_, index) => `/${index}`);
    await take(...paths);
    const behind = log.open({ since: begin + 1 }, () => {});
    expect(told(rest(behind))).toEqual(paths.slice(1).map((path) => `acquired ${path}`));
    expect(told(rest(slow))).toEqual(["reset /"]);
    await take("/next");
    expect(told(rest(slow))).toEqual(["acquired /next"]);
  });

  test("hears of news once for all of a turn, and not after it was closed", async () => {
    const heard = { open: 0, closed: 0 };
    const reader = log.open({}, () => heard.open++);
    const closed = log.open({}, () => heard.closed++);
    closed.close();
    closed.close();
    await manager.acquireMultipleLocks(["/a", "/b", "/c"], "ann");
    await clock.settle();
    expect(told(rest(reader))).toEqual(["acquired /a", "acquired /b", "acquired /c"]);
    expect(heard).toEqual({ open: 1, closed: 0 });
    expect([closed.ended, closed.next()]).toEqual([true, undefined]);
  });

  test("ends with the log and with the manager, and hears of it", async () => {
    const heard: string[] = [];
    const first = log.open({}, () => heard.push("first"));
    log.close();
    expect([first.ended, log.isReading, heard]).toEqual([true, false, ["first"]]);
    const second = log.open({}, () => heard.push("second"));
    await manager.close();
    await clock.settle();
    expect([second.ended, log.isReading, heard]).toEqual([true, false, ["first", "second"]]);
    expect(() => log.open({}, () => {})).toThrow(expect.objectContaining({ code: "closed" }));
  });

  test("is refused for a bad prefix, and then nothing is read", () => {
    expect(() => log.open({ prefix: "/a//b" }, () => {})).toThrow(
      /^Invalid prefix .*: expected no empty segment/,
    );
    expect(log.isReading).toBe(false);
  });
});

test("the JSON of an event is made once for all who read it", async () => {
  const [one, two] = [log.open({}, () => {}), log.open({}, () => {})];
  await take("/a");
  const [first, second] = [one.next(), two.next()];
  expect(first).toBe(second);
  expect(JSON.parse(first!.json)).toMatchObject({ type: "acquired", resource_path: "/a" });
});
