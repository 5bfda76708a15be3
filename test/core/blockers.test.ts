/** Whom an agent has to queue behind: not those that wait for itself, and not those that are gone. */
import { describe, expect, test } from "vitest";
import { acquire } from "../../src/core/acquire.js";
import type { Request } from "../../src/core/claim.js";
import { release } from "../../src/core/release.js";
import type { View } from "../../src/core/view.js";
import { Stage } from "./stage.js";

function released(view: View, { agentId, claims: [claim] }: Request): void {
  release(view, { resource: claim!.resource, agentId, lockId: claim!.lockId }, 100);
}

test("a waiter that still has time is queued behind", () => {
  const stage = new Stage();
  stage.hold("ann", "/other");
  stage.queue("bob", ["/other", "/plan"], { waitMs: 1000 });
  stage.now += 999;
  expect(stage.acquire("cat", "/plan").reply).toMatchObject({ blockers: [{ waiter: { agentId: "bob" } }] });
});

describe("a waiter of another manager", () => {
  test("is queued behind while that manager lives", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.as("m2", () => stage.queue("bob", ["/other", "/plan"]));
    expect(stage.acquire("cat", "/plan").reply).toMatchObject({ blockers: [{ waiter: { agentId: "bob" } }] });
  });

  test("is in nobody's way when nothing is known of that manager", () => {
    const stage = new Stage();
    stage.hold("ann", "/other");
    stage.managerId = "m2";
    stage.queue("bob", ["/other", "/plan"]);
    stage.managerId = "m1";
    expect(stage.acquire("cat", "/plan").reply.kind).toBe("granted");
  });
});

describe("a waiter that waits for a lock of the agent itself", () => {
  test("is not queued behind, also when it is that very tree which is waited for", () => {
    const stage = new Stage();
    stage.hold("ann", "/a/1");
    stage.queue("bob", "/a", { scope: "tree" });
    expect(stage.acquire("ann", "/a/2").reply.kind).toBe("granted");
  });

  test("is queued behind once that lock has expired", () => {
    const stage = new Stage();
    stage.hold("ann", "/other", { ttlMs: 1000 });
    stage.hold("ann", "/own");
    stage.queue("bob", ["/other", "/plan"]);
    expect(stage.acquire("ann", "/plan/below").reply.kind).toBe("granted");
    stage.now += 1000;
    expect(stage.acquire("ann", "/plan").reply).toMatchObject({ blockers: [{ waiter: { agentId: "bob" } }] });
  });

  test("is queued behind once that lock is released, in the same change", () => {
    const stage = new Stage();
    const other = stage.hold("ann", "/other");
    const third = stage.hold("ann", "/third");
    stage.hold("ann", "/own");
    stage.queue("bob", ["/other", "/plan"]);
    const request = stage.request("ann", "/plan");
    const reply = stage.run((view) => {
      released(view, other);
      released(view, third);
      return acquire(view, request, stage.limits, undefined);
    });
    expect(reply).toMatchObject({ kind: "held", blockers: [{ waiter: { agentId: "bob" } }] });
  });

  test("is queued behind when only another request of its agent waits for it", () => {
    const stage = new Stage();
    stage.hold("zoe", "/other");
    stage.hold("ann", "/own");
    stage.queue("bob", ["/other", "/plan"]);
    stage.queue("bob", ["/own", "/elsewhere"]);
    expect(stage.acquire("ann", "/plan").reply).toMatchObject({ blockers: [{ waiter: { agentId: "bob" } }] });
  });

  test("is not queued behind though it shares that lock", () => {
    const stage = new Stage();
    stage.hold("bob", "/x/1", { mode: "shared" });
    stage.hold("ann", "/x/1", { mode: "shared" });
    stage.queue("bob", ["/x", "/plan"], { scope: "tree" });
    expect(stage.acquire("ann", "/plan").reply.kind).toBe("granted");
  });
});

describe("whoever queues", () => {
  test("is to look again when the first lock in its way expires", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared", ttlMs: 60_000 });
    stage.hold("bob", "/plan", { mode: "shared", ttlMs: 30_000 });
    expect(stage.acquire("cat", "/plan", { waitMs: 1000 }).reply).toMatchObject({
      until: stage.now + 30_000,
    });
  });

  test("is entangled when its agent holds or awaits something else", () => {
    const stage = new Stage();
    stage.hold("ann", ["/a", "/b"]);
    expect(stage.acquire("bob", "/a", { waitMs: 1000 }).reply).toMatchObject({ entangled: false });
    expect(stage.acquire("bob", "/b", { waitMs: 1000 }).reply).toMatchObject({ entangled: true });
    stage.hold("cat", "/own");
    expect(stage.acquire("cat", "/a", { waitMs: 1000 }).reply).toMatchObject({ entangled: true });
  });

  test("blindly is granted what nobody waits for, and stands behind whoever waits on one of its paths", () => {
    const stage = new Stage();
    stage.hold("ann", "/expired", { ttlMs: 1000 });
    stage.hold("ann", "/other");
    stage.queue("bob", ["/other", "/plan"]);
    stage.now += 1000;
    const blindly = (paths: readonly string[]): unknown => {
      const request = stage.request("cat", paths);
      return stage.run((view) => acquire(view, request, stage.limits, { until: null, blindly: true }));
    };
    expect(blindly(["/free", "/expired"])).toMatchObject({ kind: "granted" });
    expect(blindly(["/more", "/plan"])).toMatchObject({ kind: "queued", until: -Infinity });
  });
});

test("a plan for a path alone does not mind what happens below it", () => {
  const stage = new Stage();
  const past = stage.view();
  acquire(past, stage.request("ann", "/a"), stage.limits, undefined);
  stage.hold("bob", "/a/b");
  expect(stage.entries.apply(past, stage.now)).toBeDefined();
  expect(stage.held("/a")[0]).toMatch(/^ann/);
});
