/** How locks end and live on: release, extension, revocation, expiry. */
import { describe, expect, test } from "vitest";
import { acquire } from "../../src/core/acquire.js";
import { extend, release, revoke } from "../../src/core/release.js";
import { MapView } from "./map-view.js";
import { resource, Stage } from "./stage.js";

describe("a release", () => {
  test("ends the lock and leaves nothing", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    expect(stage.release(ann)).toMatchObject({ kind: "released", holder: { agentId: "ann" }, promoted: [] });
    expect(stage.entries.keys()).toEqual([]);
    stage.now += 5000;
    expect(stage.told.at(-1)).toMatchObject({ type: "released", lockId: "L1", token: 1, heldMs: 0 });
  });

  test("needs the path, the agent and the lock id", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    expect(stage.release(ann, { agentId: "bob" })).toMatchObject({
      kind: "not holder",
      holder: { agentId: "ann" },
    });
    expect(stage.release(ann, { lockId: "another" })).toEqual({ kind: "none" });
    expect(stage.held("/plan")).toEqual(["ann 1"]);
  });

  test("happens once", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    stage.release(ann);
    expect(stage.release(ann)).toEqual({ kind: "none" });
  });

  test("finds nothing once the lock has expired", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan", { ttlMs: 1000 });
    stage.now += 1000;
    expect(stage.release(ann)).toEqual({ kind: "none" });
  });

  test("that serves nobody leaves the queue as it is, tells whoever waits, and does not care who is above", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/docs/plan");
    stage.queue("bob", "/docs/plan");
    const view = new MapView(stage.entries, { earliest: stage.now, latest: stage.now, managerId: "one" });
    const name = { resource: resource("/docs/plan"), agentId: "ann", lockId: ann.claims[0]!.lockId };
    expect(release(view, name, undefined)).toMatchObject({ kind: "released", promoted: [] });
    expect(view.lock("/docs/plan")).toMatchObject({ holders: [], queue: { waiting: 1 } });
    expect(view.announced).toEqual(["/docs/plan"]);
    stage.hold("cat", "/docs");
    expect(view.stillHolds(stage.entries)).toBe(true);
  });

  test("of one reader leaves the others their tokens", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan", { mode: "shared" });
    stage.hold("bob", "/plan", { mode: "shared" });
    stage.release(ann);
    expect(stage.held("/plan")).toEqual(["bob shared 2"]);
  });
});

describe("an extension", () => {
  test("sets the expiry to exactly now + ttl, longer or shorter, and keeps the token", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan", { ttlMs: 30_000 });
    stage.now += 10_000;
    expect(stage.extend(ann, 60_000)).toMatchObject({ granted: { holder: { token: 1, lockId: "L1" } } });
    expect(stage.holders("/plan")[0]).toMatchObject({ expiresAt: stage.now + 60_000, ttlMs: 60_000 });
    stage.extend(ann, 1000);
    expect(stage.holders("/plan")[0]?.expiresAt).toBe(stage.now + 1000);
    expect(stage.held("/plan")).toEqual(["ann 1"]);
  });

  test("that is shorter is announced, because those who wait look again at the old expiry", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan", { ttlMs: 30_000 });
    stage.extend(ann, 60_000);
    expect(stage.announced).toEqual([]);
    stage.extend(ann, 60_000);
    expect(stage.announced).toEqual([]);
    stage.extend(ann, 1000);
    expect(stage.announced).toEqual(["/plan"]);
  });

  test("is one lock's, not that of others beside it", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared", ttlMs: 30_000 });
    const bob = stage.hold("bob", "/plan", { mode: "shared", ttlMs: 30_000 });
    stage.extend(bob, 60_000);
    expect(stage.holders("/plan")).toMatchObject([
      { agentId: "ann", token: 1, expiresAt: stage.now + 30_000 },
      { agentId: "bob", token: 2, expiresAt: stage.now + 60_000 },
    ]);
  });

  test("keeps the ttl when none is given", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan", { ttlMs: 30_000 });
    stage.now += 10_000;
    stage.extend(ann);
    expect(stage.holders("/plan")[0]?.expiresAt).toBe(stage.now + 30_000);
  });

  test("revives nothing, and says since when the lock is lost", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan", { ttlMs: 1000 });
    const expiredAt = stage.now + 1000;
    stage.now += 3000;
    expect(stage.extend(ann)).toEqual({ kind: "lost", expiredAt });
    expect(stage.extend(ann, 1000, { agentId: "bob" })).toEqual({ kind: "lost", expiredAt });
    expect(stage.extend(ann, 1000, { lockId: "another" })).toEqual({ kind: "lost" });
    expect(stage.extend(stage.request("ann", "/never held"))).toEqual({ kind: "lost" });
  });

  test("that arrives after the old expiry is not applied", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    const view = stage.view();
    extend(view, { resource: resource("/plan"), agentId: "ann", lockId: "L1" }, 60_000);
    expect(stage.entries.apply(view, stage.now + 1001)).toBeUndefined();
    expect(stage.entries.apply(view, stage.now + 1000)).toBeDefined();
  });

  test("of another agent's lock is refused", () => {
    const stage = new Stage();
    const ann = stage.hold("ann", "/plan");
    expect(stage.extend(ann, 1000, { agentId: "bob" }).kind).toBe("not holder");
  });
});

describe("a revocation", () => {
  test("ends all locks on the path, tells why, and serves the next", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    stage.hold("bob", "/plan", { mode: "shared" });
    stage.queue("cat", "/plan");
    const reply = stage.revoke("/plan", { by: "operator" });
    expect(reply.revoked.map(({ holder }) => [holder.agentId, holder.token])).toEqual([
      ["ann", 1],
      ["bob", 2],
    ]);
    expect(stage.held("/plan")).toEqual(["cat 4"]);
    expect(stage.announced).toContain("/plan");
    expect(stage.told.filter((one) => one.type === "revoked")).toMatchObject([
      { agentId: "ann", token: 1, cause: "stuck", by: "operator" },
      { agentId: "bob", token: 2, cause: "stuck", by: "operator" },
    ]);
  });

  test("of one lock leaves the others", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    stage.hold("bob", "/plan", { mode: "shared" });
    stage.revoke("/plan", { lockId: "L1" });
    expect(stage.held("/plan")).toEqual(["bob shared 2"]);
  });

  test("leaves what was granted in the same change, whose successor would get its token", () => {
    const stage = new Stage();
    const request = stage.request("ann", "/plan");
    const { revoked } = stage.run((view) => {
      acquire(view, request, stage.limits, undefined);
      return revoke(view, resource("/plan"), { reason: "stuck" }, 100);
    });
    expect(revoked).toEqual([]);
    expect(stage.held("/plan")).toEqual(["ann 1"]);
  });

  test("of a tree tells those who wait below it, once", () => {
    const stage = new Stage();
    stage.hold("ann", "/a", { scope: "tree" });
    const bob = stage.queue("bob", "/a/b");
    stage.revoke("/a");
    expect(stage.announced).toEqual(["/a"]);
    expect(stage.promote(bob).kind).toBe("granted");
  });

  test("of nothing changes nothing", () => {
    const stage = new Stage();
    expect(stage.revoke("/plan")).toEqual({ revoked: [], promoted: [] });
    expect(stage.announced).toEqual([]);
  });
});

describe("expiry", () => {
  test("removes what has surely expired, and serves the next", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    stage.queue("bob", "/plan");
    expect(stage.expire("/plan")).toEqual({ expired: 0, abandoned: 0, promoted: [] });
    expect(stage.announced).toEqual([]);
    expect(stage.expire("/never held")).toEqual({ expired: 0, abandoned: 0, promoted: [] });
    stage.now += 1000;
    expect(stage.expire("/plan")).toMatchObject({ expired: 1, promoted: [{ requestId: "r2" }] });
    expect(stage.held("/plan")).toEqual(["bob 3"]);
  });

  test("is told with the time that was held, however late it was noticed, and by whom", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { ttlMs: 1000 });
    stage.now += 5000;
    stage.expire("/plan", "sweep");
    expect(stage.told.at(-1)).toMatchObject({ type: "expired", token: 1, heldMs: 1000, cause: "sweep" });
    expect(stage.entries.keys()).toEqual([]);
  });

  test("by the sweep also removes the waiters of dead managers", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan");
    stage.as("m2", () => stage.queue("bob", "/plan"), stage.now);
    stage.queue("cat", "/plan");
    expect(stage.expire("/plan", "timer").abandoned).toBe(0);
    expect(stage.expire("/plan", "sweep").abandoned).toBe(1);
    expect(stage.waiting("/plan")).toEqual(["cat"]);
    expect(stage.counts("bob")).toEqual({ locks: 0, waits: 0 });
    expect(stage.happened().at(-1)).toBe("bob dequeued /plan");
  });

  test("of a waiter of a dead manager serves those behind it", () => {
    const stage = new Stage();
    stage.hold("ann", "/plan", { mode: "shared" });
    stage.as("m2", () => stage.queue("bob", "/plan"), stage.now + 1000);
    stage.queue("cat", "/plan", { mode: "shared" });
    stage.now += 1000;
    expect(stage.expire("/plan", "sweep")).toMatchObject({ expired: 0, abandoned: 1, promoted: [{}] });
    expect(stage.held("/plan")).toEqual(["ann shared 1", "cat shared 5"]);
  });

  test("of a path alone tells nobody below it, also when a tree lives on beside it", () => {
    const stage = new Stage();
    stage.hold("ann", "/a", { mode: "shared", scope: "tree", ttlMs: 60_000 });
    stage.hold("bob", "/a", { mode: "shared", ttlMs: 1000 });
    stage.now += 1000;
    expect(stage.expire("/a").expired).toBe(1);
    expect(stage.announced).toEqual([]);
  });

  test("of a tree tells those below it, also when another lock lives on beside it", () => {
    const stage = new Stage();
    stage.hold("ann", "/a", { mode: "shared", scope: "tree", ttlMs: 1000 });
    stage.hold("bob", "/a", { mode: "shared", ttlMs: 60_000 });
    stage.now += 1000;
    expect(stage.expire("/a").expired).toBe(1);
    expect(stage.announced).toEqual(["/a"]);
  });

  test("of a tree tells those who wait below it", () => {
    const stage = new Stage();
    stage.hold("ann", "/a", { scope: "tree", ttlMs: 1000 });
    stage.queue("bob", "/a/b");
    stage.now += 1000;
    stage.expire("/a");
    expect(stage.announced).toEqual(["/a"]);
  });
});
