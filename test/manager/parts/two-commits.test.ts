/** Where the store takes them, two commits may be under way. The second never depends on the first. */
import { expect, test } from "vitest";
import type { View } from "../../../src/core/view.js";
import { Pipeline } from "../../../src/manager/pipeline.js";
import { StoreClock } from "../../../src/manager/store-clock.js";
import { openMemoryStore } from "../../../src/store/memory/memory-store.js";
import type { Change, CommitReply, Store, StoreTraits } from "../../../src/store/store.js";
import { ManualClock } from "../../support/manual-clock.js";
import { watch } from "../stage.js";

const entry = { holders: [], queue: { head: 1, next: 2, waiting: 1, trees: 0 } };

/** A pipeline on a store far away, whose commits arrive when the test lets them. */
class FarAway {
  /** The keys that each commit under way puts, in the order in which they were sent. */
  readonly underWay: string[][] = [];
  readonly done: string[] = [];
  readonly #clock = new ManualClock();
  readonly #store = openMemoryStore({ clock: this.#clock });
  readonly #arrive: (() => void)[] = [];
  readonly #pipeline: Pipeline;

  constructor(commitsUnderWay: StoreTraits["commitsUnderWay"] = 2) {
    const store: Store = {
      traits: { ...this.#store.traits, commitsUnderWay },
      commit: (changes) => this.#commit(changes),
      read: (query) => this.#store.read(query),
      subscribe: (listener) => this.#store.subscribe(listener),
      close: () => this.#store.close(),
    };
    this.#pipeline = new Pipeline({
      store,
      clock: this.#clock,
      storeClock: new StoreClock(this.#clock),
      retry: { maxRetries: 0, retryDelayMs: 1, retryBackoff: 1, retryJitterMs: 0 },
      random: () => 0,
      managerId: () => "m",
      onHappened: () => undefined,
      onCommitted: () => undefined,
    });
  }

  async #commit(changes: readonly Change[]): Promise<CommitReply> {
    this.underWay.push(changes.flatMap(({ put }) => put.map(({ key }) => key)));
    await new Promise<void>((resolve) => this.#arrive.push(resolve));
    this.underWay.shift();
    return this.#store.commit(changes);
  }

  /** Writes the entries of these paths, once it has looked at those. */
  async write(paths: readonly string[], looks: readonly string[] = []): Promise<void> {
    await this.plan(paths.join(" "), (view) => {
      for (const path of [...paths, ...looks]) view.lock(path);
      for (const path of paths) view.putLock(path, entry);
    });
  }

  /** Resolves when nothing is queued or under way. */
  idle(): Promise<void> {
    return this.#pipeline.idle();
  }

  async plan(name: string, plan: (view: View) => void, path?: string): Promise<void> {
    this.#pipeline.submit({
      plan,
      path,
      done: () => this.done.push(name),
      fail: (error) => this.done.push(`${name}: ${String(error)}`),
    });
    await this.#clock.settle();
  }

  /** The commit that was sent first arrives, and is answered. */
  async arrive(): Promise<void> {
    this.#arrive.shift()?.();
    await this.#clock.settle();
  }
}

test("A commit is sent while another one is under way, and a third one waits.", async () => {
  const far = new FarAway();
  await far.write(["/a"]);
  await far.write(["/b"]);
  await far.write(["/c"]);
  await far.write(["/d"]);
  expect(far.underWay).toEqual([["lock/a"], ["lock/b"]]);

  await far.arrive();
  expect(far.done).toEqual(["/a"]);
  expect(far.underWay).toEqual([["lock/b"], ["lock/c", "lock/d"]]);
});

test("On a store that says so there is one at a time.", async () => {
  const near = new FarAway(1);
  await near.write(["/a"]);
  await near.write(["/b"]);
  expect(near.underWay).toEqual([["lock/a"]]);
});

test("Many that come together share two commits, few go in one.", async () => {
  const far = new FarAway();
  const many = Array.from({ length: 40 }, (_, n) => `/${n}`);
  await Promise.all(many.map((path) => far.write([path])));
  expect(far.underWay.map((keys) => keys.length)).toEqual([20, 20]);

  const quiet = new FarAway();
  await Promise.all(many.slice(0, 16).map((path) => quiet.write([path])));
  expect(quiet.underWay.map((keys) => keys.length)).toEqual([16]);
});

test("Whoever looks at, or writes, what a commit under way writes waits for it, and so does whoever writes what it looked at.", async () => {
  const far = new FarAway();
  await far.write(["/a"], ["/seen"]);
  await far.write(["/a"]);
  await far.write(["/b"], ["/a"]);
  await far.write(["/seen"]);
  expect(far.underWay).toEqual([["lock/a"]]);

  await far.arrive();
  expect(far.underWay).toEqual([["lock/a", "lock/b", "lock/seen"]]);
  await far.arrive();
  expect(far.done).toEqual(["/a", "/a", "/b", "/seen"]);
});

test("Those behind one who waits go, when they want something else.", async () => {
  const far = new FarAway();
  await far.write(["/a"]);
  await Promise.all([far.write(["/a"]), far.write(["/b"])]);
  expect(far.underWay).toEqual([["lock/a"], ["lock/b"]]);
});

test("Idle is when neither is under way.", async () => {
  const far = new FarAway();
  await far.write(["/a"]);
  const idle = watch(far.idle());
  await far.write(["/b"]);
  await far.arrive();
  expect(idle.state).toBe("pending");
  await far.arrive();
  expect(idle.state).toBe("resolved");
});

test("Whoever writes without a look waits as well, for those who look and for those who write.", async () => {
  const far = new FarAway();
  const blindly =
    (...paths: readonly string[]) =>
    (view: View): void => {
      for (const path of paths) view.putLock(path, entry);
    };
  await far.write(["/a"], ["/seen"]);
  await far.plan("behind one who looks", blindly("/b", "/seen"));
  await far.plan("behind one who waits", blindly("/c", "/b"));
  expect(far.underWay).toEqual([["lock/a"]]);

  await far.arrive();
  await far.plan("behind one who writes", blindly("/d", "/c"));
  expect(far.underWay).toEqual([["lock/b", "lock/seen", "lock/c"]]);
  await far.arrive();
  expect(far.underWay).toEqual([["lock/d", "lock/c"]]);
});

test("Whoever acts on a path that a commit under way writes is not planned before that is over.", async () => {
  const far = new FarAway();
  await far.write(["/a"]);
  const planned: string[] = [];
  const write = (path: string): Promise<void> => {
    const plan = (view: View): void => {
      planned.push(path);
      view.putLock(path, entry);
    };
    return far.plan(path, plan, path);
  };
  await Promise.all([write("/a"), write("/b")]);
  expect(planned).toEqual(["/b"]);
  expect(far.underWay).toEqual([["lock/a"], ["lock/b"]]);

  await far.arrive();
  expect(planned).toEqual(["/b", "/a"]);
});

test("Who has waited keeps nothing from others any more.", async () => {
  const far = new FarAway();
  await far.write(["/a"]);
  await far.write(["/a", "/b"]);
  await far.arrive();
  await far.arrive();
  await far.write(["/c"]);
  await far.write(["/b"]);
  expect(far.underWay).toEqual([["lock/c"], ["lock/b"]]);
});

test("To look at the same is no reason to wait.", async () => {
  const far = new FarAway();
  await far.write(["/a"], ["/seen"]);
  await far.write(["/b"], ["/seen"]);
  expect(far.underWay).toEqual([["lock/a"], ["lock/b"]]);
});

test("Who waits for two commits is not overtaken by those who want only one of the two.", async () => {
  const far = new FarAway();
  await far.write(["/a"]);
  await far.write(["/b"]);
  await far.write(["/a", "/b"]);
  await far.write(["/a"]);
  await far.arrive();
  expect(far.underWay).toEqual([["lock/b"]]);

  await far.arrive();
  expect(far.underWay).toEqual([["lock/a", "lock/b"]]);
});

test("What expects something of a range goes alone, and those who came later go after it.", async () => {
  const far = new FarAway();
  const wide = (view: View): void => {
    view.range("lock/x/");
    view.putLock("/x", entry);
  };
  await far.write(["/a"]);
  await far.plan("wide", wide);
  await far.write(["/b"]);
  expect(far.underWay).toEqual([["lock/a"]]);

  await far.arrive();
  expect(far.underWay).toEqual([["lock/x", "lock/b"]]);
  await far.write(["/c"]);
  expect(far.underWay).toEqual([["lock/x", "lock/b"]]);

  await far.arrive();
  await far.arrive();
  expect(far.done).toEqual(["/a", "wide", "/b", "/c"]);
});
