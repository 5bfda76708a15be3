import { describe, expect, test } from "vitest";
import {
  agentKey,
  agentLockKey,
  agentLocks,
  lockKey,
  locksBelow,
  pathOfAgentLockKey,
  pathOfLockKey,
  placeOfWaitKey,
  queueOf,
  queuesBelow,
  waitKey,
} from "../../src/core/keys.js";
import { countAgent } from "../../src/core/view.js";
import { Stage } from "./stage.js";

const paths = ["/", "/a", "/a/b", "/ab"];

test.each(paths)("%s is read back from its keys", (path) => {
  expect(pathOfLockKey(lockKey(path))).toBe(path);
  expect(placeOfWaitKey(waitKey(path, 7))).toEqual({ path, n: 7 });
  expect(pathOfAgentLockKey(agentKey("a/b"), agentLockKey(agentKey("a/b"), path))).toBe(path);
});

test("a place in a queue stands where it always stood", () => {
  expect([waitKey("/a/b", 7), waitKey("/a/b", 12)]).toEqual(["wait/a/b//a7", "wait/a/b//b12"]);
});

test("the byte order of a queue is the order of its numbers", () => {
  const numbers = [1, 2, 9, 10, 99, 100, 4_000_000_000];
  const keys = numbers.map((n) => waitKey("/a", n));
  expect(keys.toSorted()).toEqual(keys);
});

describe("ranges take in what is theirs and nothing else", () => {
  test("the queue of a path is not the queue of one below it", () => {
    expect(waitKey("/a", 1).startsWith(queueOf("/a"))).toBe(true);
    expect(waitKey("/a/b", 1).startsWith(queueOf("/a"))).toBe(false);
    expect(waitKey("/a", 1).startsWith(queueOf("/"))).toBe(false);
  });

  test("what stands below a path", () => {
    expect(lockKey("/a/b").startsWith(locksBelow("/a"))).toBe(true);
    expect(lockKey("/ab").startsWith(locksBelow("/a"))).toBe(false);
    expect(lockKey("/a").startsWith(locksBelow("/a"))).toBe(false);
    expect(lockKey("/a").startsWith(locksBelow("/"))).toBe(true);
    expect(waitKey("/a/b", 1).startsWith(queuesBelow("/a"))).toBe(true);
    expect(waitKey("/ab", 1).startsWith(queuesBelow("/a"))).toBe(false);
    expect(waitKey("/a", 1).startsWith(queuesBelow("/"))).toBe(true);
  });

  test("an agent whose name is nothing but slashes and percent signs is escaped as well", () => {
    expect(agentKey("/%")).toBe("agent/%2F%25");
  });

  test("an agent with a slash in its name does not reach into another agent's entries", () => {
    const nasty = agentKey("ann/lock");
    expect(nasty.startsWith(agentLocks(agentKey("ann")))).toBe(false);
    expect(nasty.slice("agent/".length)).not.toContain("/");
    expect(agentKey("a%2Fb")).not.toBe(agentKey("a/b"));
  });
});

test("an agent's entry counts no less than nothing", () => {
  const stage = new Stage();
  stage.hold("ann", "/a");
  stage.run((view) => countAgent(view, "ann", -5, -5));
  expect(stage.counts("ann")).toEqual({ locks: 0, waits: 0 });
});
