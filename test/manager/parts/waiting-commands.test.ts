/** The commands of an acquire that waits: what they answer, and what becomes of a grant that comes too late. */
import { describe, expect, test } from "vitest";
import { acquire } from "../../../src/core/acquire.js";
import type { Request } from "../../../src/core/claim.js";
import type { PromoteReply, WithdrawReply } from "../../../src/core/promote.js";
import { submitPromotion, submitWithdrawal } from "../../../src/manager/waiting-commands.js";
import { type Workshop, workshop } from "./workshop.js";

/** A waiter on a path, and what its commands answered. */
class Waiter {
  readonly shop: Workshop;
  request: Request;
  places: readonly number[] = [1];
  isWaiting = true;
  readonly path = "/a";
  readonly waitedMs = 70;
  readonly heard: (PromoteReply | WithdrawReply | "failed")[] = [];
  revision = 0;

  constructor(shop: Workshop, agentId = "bob") {
    this.shop = shop;
    this.request = shop.request(agentId, "/a");
  }

  /** Takes its place in the queue, through the manager of a workshop. */
  async queue(shop = this.shop): Promise<void> {
    const { pipeline, limits } = shop.services;
    const places = new Promise<readonly number[]>((resolve, reject) => {
      pipeline.submit({
        plan: (view) => acquire(view, this.request, limits, { until: null }),
        done: (reply) => resolve(reply.kind === "queued" ? reply.places : []),
        fail: reject,
      });
    });
    this.places = await places;
    expect(this.places).toHaveLength(1);
  }

  look(isAfresh = false): void {
    submitPromotion(this.shop.services, this, isAfresh, {
      done: (reply, revision) => {
        this.heard.push(reply);
        this.revision = revision;
      },
      failed: () => this.heard.push("failed"),
    });
  }

  withdraw(): void {
    submitWithdrawal(this.shop.services, this, "held", {
      done: (reply) => this.heard.push(reply),
      failed: () => this.heard.push("failed"),
    });
  }

  get kinds(): string[] {
    return this.heard.map((one) => (one === "failed" ? one : one.kind));
  }
}

/** Ann holds the path, bob waits behind her. */
async function scene(): Promise<{ shop: Workshop; ann: Request; bob: Waiter }> {
  const shop = await workshop({ maxRetries: 1 });
  const ann = shop.request("ann", "/a");
  await shop.grant(ann);
  const bob = new Waiter(shop);
  await bob.queue();
  return { shop, ann, bob };
}

/** Another manager releases the lock, of which this one hears nothing. */
async function freedElsewhere(shop: Workshop, { claims, agentId }: Request): Promise<void> {
  shop.store.hint("lost");
  const there = await workshop({}, { beside: shop, name: "there" });
  const [claim] = claims;
  if (claim === undefined) throw new Error("One path was asked for.");
  const { resource, lockId } = claim;
  expect(await there.parts.commands.release({ resource, agentId, lockId })).toBe(true);
}

describe("A waiter that looks for its turn", () => {
  test("still waits, for all that is believed, which costs the store nothing.", async () => {
    const { shop, bob } = await scene();
    const calls = { ...shop.store.calls };
    bob.look();
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["waiting"]);
    expect(shop.store.calls).toEqual(calls);
  });

  test("looks at what the store says when it does so afresh, and has the lock when it is free.", async () => {
    const { shop, ann, bob } = await scene();
    await freedElsewhere(shop, ann);
    shop.listen();
    bob.look();
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["waiting"]);
    bob.look(true);
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["waiting", "granted"]);
    expect(bob.revision).toBeGreaterThan(0);
    expect(shop.events.map(({ type, agentId, waitedMs }) => [type, agentId, waitedMs])).toEqual([
      ["acquired", "bob", 70],
    ]);
  });

  test("reads what it knows nothing of, instead of guessing that nobody is there.", async () => {
    const { shop, ann, bob } = await scene();
    await freedElsewhere(shop, ann);
    const fresh = await workshop({}, { beside: shop, name: "fresh" });
    const { commits } = fresh.store.calls;
    submitPromotion(fresh.services, bob, false, {
      done: (reply) => bob.heard.push(reply),
      failed: expect.fail,
    });
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["granted"]);
    // A guess would have been sent, and been wrong.
    expect(fresh.store.calls.commits).toBe(commits + 1);
  });

  test("is told that it has no place any more only when the store says so.", async () => {
    const shop = await workshop();
    await shop.grant(shop.request("ann", "/a"));
    const bob = new Waiter(shop);
    bob.look();
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["gone"]);
    shop.store.hint("lost");
    await bob.queue(await workshop({}, { beside: shop, name: "there" }));
    bob.look();
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["gone", "waiting"]);
  });

  test("is told when the store fails.", async () => {
    const { shop, bob } = await scene();
    shop.store.down();
    bob.look(true);
    await shop.clock.advance(1_000);
    expect(bob.kinds).toEqual(["failed"]);
  });
});

describe("A waiter that has stopped waiting while it was looking", () => {
  test.each<[string, (bob: Waiter) => void]>([
    ["left", (bob) => (bob.isWaiting = false)],
    ["queued under other ids", (bob) => (bob.request = bob.shop.request("bob", "/a"))],
  ])("hears nothing, and gives back what it was granted, when it has %s.", async (_how, stop) => {
    const { shop, ann, bob } = await scene();
    await freedElsewhere(shop, ann);
    shop.store.nextCommit({ kind: "slow", ms: 20 });
    bob.look(true);
    await shop.clock.advance(10);
    stop(bob);
    await shop.clock.advance(20);
    expect(bob.kinds).toEqual([]);
    expect(await shop.standing("/a")).toEqual({ holders: [], waiters: [] });
  });

  test("gives back also what it was granted by an attempt without an answer.", async () => {
    const { shop, ann, bob } = await scene();
    await freedElsewhere(shop, ann);
    shop.listen();
    shop.store.nextCommit({ kind: "reply lost" });
    bob.look(true);
    await shop.clock.settle();
    expect((await shop.standing("/a")).holders).toEqual(["bob"]);
    bob.isWaiting = false;
    await shop.clock.advance(6_000);
    expect(bob.kinds).toEqual([]);
    expect(shop.types).toEqual(["acquired bob", "released bob"]);
    expect(await shop.leftovers()).toEqual([]);
  });

  test("asks nothing of the store when it left before it was planned.", async () => {
    const { shop, bob } = await scene();
    const calls = { ...shop.store.calls };
    const timers = shop.clock.pending;
    bob.look(true);
    bob.isWaiting = false;
    await shop.clock.settle();
    expect(bob.kinds).toEqual([]);
    expect(shop.store.calls).toEqual(calls);
    expect(shop.clock.pending).toBe(timers);
    expect((await shop.standing("/a")).waiters).toEqual(["bob"]);
  });
});

describe("A waiter that withdraws", () => {
  test("leaves the queue, and is told who was in its way.", async () => {
    const { shop, bob } = await scene();
    shop.listen();
    bob.withdraw();
    await shop.clock.settle();
    expect(bob.heard).toMatchObject([{ kind: "gone", blockers: [{ standing: "holder" }], rest: false }]);
    expect(shop.events.map(({ type, cause }) => [type, cause])).toEqual([["dequeued", "held"]]);
    expect((await shop.standing("/a")).waiters).toEqual([]);
  });

  test("is told of the grant when it comes too late, which says how long it had waited.", async () => {
    const { shop, ann, bob } = await scene();
    await freedElsewhere(shop, ann);
    const there = await workshop({}, { beside: shop, name: "other" });
    submitPromotion(there.services, bob, true, { done: () => undefined, failed: expect.fail });
    await shop.clock.settle();
    shop.listen();
    bob.withdraw();
    await shop.clock.settle();
    expect(bob.kinds).toEqual(["granted"]);
    expect(shop.events.map(({ type, waitedMs }) => [type, waitedMs])).toEqual([["acquired", 70]]);
  });

  test("does nothing once it was served.", async () => {
    const { shop, bob } = await scene();
    bob.withdraw();
    bob.isWaiting = false;
    await shop.clock.settle();
    expect(bob.heard).toEqual([{ kind: "gone", blockers: [], queueLength: 0, rest: false }]);
    expect((await shop.standing("/a")).waiters).toEqual(["bob"]);
  });

  test("is told when the store fails.", async () => {
    const { shop, bob } = await scene();
    shop.store.down();
    bob.withdraw();
    await shop.clock.advance(1_000);
    expect(bob.kinds).toEqual(["failed"]);
  });
});
