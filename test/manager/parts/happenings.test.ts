/** What is told of what happened, and who is woken by it. */
import { describe, expect, test } from "vitest";
import type { Request } from "../../../src/core/claim.js";
import { aboutHolder, aboutWaiter, type Happening } from "../../../src/core/happening.js";
import type { WaitRecord } from "../../../src/core/records.js";
import { Happenings } from "../../../src/manager/happenings.js";
import type { Seat } from "../../../src/manager/local-queue.js";
import type { WaitingCall } from "../../../src/manager/waiting-call.js";
import { holder } from "./holder.js";
import { type Workshop, workshop } from "./workshop.js";

const waiter: WaitRecord = {
  lockId: "L2",
  requestId: "L2",
  paths: 1,
  agentId: "bob",
  managerId: "m1",
  mode: "exclusive",
  scope: "resource",
  ttlMs: 1000,
  since: 0,
  until: null,
  ordinal: 1,
};

/** Waits in the room, and counts how often it is told to look. */
class Onlooker implements WaitingCall {
  readonly request: Request;
  readonly places = [1];
  seats: readonly Seat<WaitingCall>[] = [];
  brother: WaitingCall | undefined = undefined;
  readonly waitedMs = 70;
  isEntangled = false;
  looks = 0;

  constructor(request: Request) {
    this.request = request;
  }

  look(): void {
    this.looks++;
  }

  lookForDeadlock(): void {}
  requeue(): void {}
  serve(): void {}
  stop(): void {}
}

class Telling {
  readonly shop: Workshop;
  readonly happenings: Happenings;

  constructor(shop: Workshop) {
    this.shop = shop;
    this.happenings = new Happenings(shop.services.events, shop.services.storeClock, shop.parts.room);
  }

  waits(path: string, scope: "resource" | "tree" = "resource"): Onlooker {
    const onlooker = new Onlooker(this.shop.request("bob", path, { scope }));
    this.shop.parts.room.enter(onlooker, [1]);
    return onlooker;
  }

  tell(...happened: readonly Happening[]): void {
    this.happenings.tell(happened, 7, {});
  }

  /** Who waits looks so often once all this was told and those who were served know it. */
  looksOf(path: string, ...happened: readonly Happening[]): number {
    const onlooker = this.waits(path);
    this.tell(...happened);
    expect(onlooker.looks).toBe(0);
    this.happenings.wake();
    const { looks } = onlooker;
    this.happenings.wake();
    expect(onlooker.looks).toBe(looks);
    this.shop.parts.room.leave(onlooker);
    return looks;
  }
}

async function telling(): Promise<Telling> {
  return new Telling(await workshop());
}

const ofHolder = (type: Parameters<typeof aboutHolder>[0], path = "/a"): Happening =>
  aboutHolder(type, path, holder, 5);

describe("Whoever waits looks for its turn", () => {
  test.each<[string, Happening]>([
    ["was released", ofHolder("released")],
    ["has expired", ofHolder("expired")],
    ["was revoked", ofHolder("revoked")],
    ["was left by a waiter", aboutWaiter("dequeued", "/a", waiter, "held")],
  ])("when the path %s, once those who were served know it, and once.", async (_what, happening) => {
    expect((await telling()).looksOf("/a", happening)).toBe(1);
  });

  test.each<[string, Happening]>([
    ["acquired", ofHolder("acquired")],
    ["extended", ofHolder("extended")],
    ["queued for", aboutWaiter("queued", "/a", waiter)],
  ])("not when the path was %s.", async (_what, happening) => {
    expect((await telling()).looksOf("/a", happening)).toBe(0);
  });

  test("not when another path was freed.", async () => {
    expect((await telling()).looksOf("/a", ofHolder("released", "/b"))).toBe(0);
  });

  test("for each of the paths that were freed.", async () => {
    const told = await telling();
    const [first, second] = [told.waits("/a"), told.waits("/b")];
    told.tell(ofHolder("released", "/a"), ofHolder("released", "/b"));
    told.happenings.wake();
    expect([first.looks, second.looks]).toEqual([1, 1]);
  });

  test("not when it has come only after that.", async () => {
    const told = await telling();
    told.tell(ofHolder("released"));
    const late = told.waits("/a");
    told.happenings.wake();
    expect(late.looks).toBe(0);
  });

  test("below a tree that was freed, not below a path.", async () => {
    const told = await telling();
    expect(told.looksOf("/a/b", ofHolder("released"))).toBe(0);
    expect(told.looksOf("/a/b", aboutHolder("released", "/a", { ...holder, scope: "tree" }, 5))).toBe(1);
  });

  test("for a tree above the path that was freed.", async () => {
    const told = await telling();
    const above = told.waits("/a", "tree");
    told.tell(ofHolder("released", "/a/b"));
    told.happenings.wake();
    expect(above.looks).toBe(1);
  });
});

describe("A path that was handed on in the change that freed it", () => {
  test("wakes nobody when its next holder has it alone.", async () => {
    expect((await telling()).looksOf("/a", ofHolder("released"), ofHolder("acquired"))).toBe(0);
  });

  test("wakes the next when its holder shares it.", async () => {
    const shared = aboutHolder("acquired", "/a", { ...holder, mode: "shared" }, 5);
    expect((await telling()).looksOf("/a", ofHolder("released"), shared)).toBe(1);
  });

  test("wakes the next when it was another path that was acquired.", async () => {
    expect((await telling()).looksOf("/a", ofHolder("released"), ofHolder("acquired", "/b"))).toBe(1);
  });

  test("wakes the next when its lock was only extended.", async () => {
    expect((await telling()).looksOf("/a", ofHolder("released"), ofHolder("extended"))).toBe(1);
  });

  test("wakes whoever is below when it was a tree.", async () => {
    const tree = aboutHolder("released", "/a", { ...holder, scope: "tree" }, 5);
    expect((await telling()).looksOf("/a/b", tree, ofHolder("acquired"))).toBe(1);
  });
});

describe("An event", () => {
  test("has all that is known of what happened, and nothing else.", async () => {
    const told = await telling();
    told.shop.listen();
    const reasoned = { ...holder, reason: "to see", token: 0 };
    told.tell(
      aboutHolder("revoked", "/docs/a", { ...reasoned, token: 4 }, 5, 300, "stuck", "eve"),
      aboutHolder("acquired", "/docs/a", reasoned, 0),
      aboutWaiter("queued", "/docs/b", waiter),
    );
    await told.shop.clock.settle();
    const at = new Date(told.shop.services.storeClock.latest());
    const same = { at, resourceType: "docs", mode: "exclusive", scope: "resource" };
    const anns = { ...same, resourcePath: "/docs/a", lockId: "L1", agentId: "ann", reason: "to see" };
    expect(told.shop.events).toStrictEqual([
      {
        ...anns,
        id: 1,
        type: "revoked",
        fencingToken: 4,
        expiresAt: new Date(1000),
        heldMs: 300,
        cause: "stuck",
        by: "eve",
      },
      { ...anns, id: 2, type: "acquired", fencingToken: 7, expiresAt: new Date(1000) },
      { ...same, id: 3, type: "queued", resourcePath: "/docs/b", lockId: "L2", agentId: "bob" },
    ]);
  });

  test("is not made when nobody reads, but counted.", async () => {
    const told = await telling();
    told.tell(aboutHolder("expired", "/docs/a", holder, 5, 300, "timer"));
    expect(told.shop.counted).toStrictEqual([
      { type: "expired", resourceType: "docs", cause: "timer", heldMs: 300, waitedMs: undefined },
    ]);
    told.shop.listen();
    told.tell(ofHolder("released"));
    await told.shop.clock.settle();
    expect(told.shop.events.map(({ id, type }) => [id, type])).toEqual([[1, "released"]]);
  });

  test("of a grant says how long that was waited for: by the call itself, or by the one that waits for that lock.", async () => {
    const told = await telling();
    told.shop.listen();
    const { request } = told.waits("/a");
    const forBob = aboutHolder("acquired", "/a", { ...holder, lockId: request.requestId }, 5);
    told.happenings.tell([forBob], 7, { waitedMs: 30 });
    told.happenings.tell([forBob], 7, {});
    told.happenings.tell([ofHolder("acquired")], 7, {});
    told.happenings.tell([ofHolder("extended")], 7, { waitedMs: 30 });
    await told.shop.clock.settle();
    expect(told.shop.events.map(({ waitedMs }) => waitedMs)).toEqual([30, 70, undefined, undefined]);
    expect(told.shop.events.map((event) => "waitedMs" in event)).toEqual([true, true, false, false]);
    expect(told.shop.counted.map(({ waitedMs }) => waitedMs)).toEqual([30, 70, undefined, undefined]);
  });
});
