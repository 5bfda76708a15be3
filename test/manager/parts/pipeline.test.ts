/** What the pipeline sends, in which order it answers, and what it makes of a conflict or a failure. */
import { describe, expect, test } from "vitest";
import { aboutHolder } from "../../../src/core/happening.js";
import type { View } from "../../../src/core/view.js";
import type { LockError } from "../../../src/errors.js";
import type { Command, Job } from "../../../src/manager/job.js";
import { Pipeline } from "../../../src/manager/pipeline.js";
import { StoreClock } from "../../../src/manager/store-clock.js";
import { openMemoryStore } from "../../../src/store/memory/memory-store.js";
import type { Change, CommitReply, Store, StoreTraits } from "../../../src/store/store.js";
import { FaultyStore } from "../../support/faulty-store.js";
import { ManualClock } from "../../support/manual-clock.js";
import { CountingStore } from "../counting-store.js";
import { holder } from "./holder.js";

/** Keeps what is sent, one commit at a time. */
class RecordingStore extends CountingStore {
  override readonly traits: StoreTraits;
  readonly sent: (readonly Change[])[] = [];
  /** Answers with this many outcomes too few. */
  isShort = false;

  constructor(inner: Store) {
    super(inner);
    this.traits = { ...inner.traits, commitsUnderWay: 1 };
  }

  override async commit(changes: readonly Change[]): Promise<CommitReply> {
    this.sent.push(changes);
    const reply = await super.commit(changes);
    return this.isShort ? { ...reply, outcomes: reply.outcomes.slice(1) } : reply;
  }
}

class Line {
  readonly clock = new ManualClock();
  readonly inner = openMemoryStore({ clock: this.clock });
  readonly faulty = new FaultyStore(this.inner, { clock: this.clock, random: () => 0.5 });
  readonly store = new RecordingStore(this.faulty);
  readonly storeClock = new StoreClock(this.clock);
  /** What was answered, told and committed, in order. */
  readonly log: string[] = [];
  readonly errors: LockError[] = [];
  readonly pipeline = new Pipeline({
    store: this.store,
    clock: this.clock,
    storeClock: this.storeClock,
    retry: { maxRetries: 1, retryDelayMs: 100, retryBackoff: 1, retryJitterMs: 0 },
    random: () => 0.5,
    managerId: () => "m1",
    onHappened: (happened) => this.log.push(`told of ${happened.length}`),
    onCommitted: () => this.log.push("committed"),
  });

  submit(name: string, plan: Command<unknown>["plan"], more: Partial<Command<unknown>> = {}): Job {
    return this.pipeline.submit({
      plan,
      done: (reply, { uncertain }) => {
        this.log.push(`${name} ${String(reply)}${uncertain ? " after an unknown outcome" : ""}`);
      },
      fail: (error) => {
        this.log.push(`${name} failed`);
        this.errors.push(error as LockError);
      },
      ...more,
    });
  }

  /** Another writer. */
  async write(key: string, value: number): Promise<void> {
    await this.inner.commit([{ expect: [], put: [{ key, value }], remove: [], announce: [] }]);
  }

  /** As every manager does before its first commit. */
  async learnTime(): Promise<void> {
    const { storeTime } = await this.inner.read({});
    this.storeClock.learn(storeTime, this.clock.monotonic());
  }

  get keysSent(): string[][][] {
    return this.store.sent.map((changes) => changes.map(({ put }) => put.map(({ key }) => key)));
  }
}

/** Adds one to what stands there. */
function count(key: string): (view: View) => number {
  return (view) => {
    const next = Number(view.get(key) ?? 0) + 1;
    view.put(key, next);
    return next;
  };
}

describe("Commands", () => {
  test("that come together go in one commit and are answered in their order, after what happened was told.", async () => {
    const line = new Line();
    line.submit("one", (view) => {
      view.tell(aboutHolder("acquired", "/a", holder, 0));
      return count("a")(view);
    });
    line.submit("two", count("b"));
    line.submit("three", count("a"));
    await line.pipeline.idle();
    expect(line.log).toEqual(["told of 1", "one 1", "three 2", "two 1", "committed"]);
    expect(line.keysSent).toEqual([[["a"], ["b"]]]);
  });

  test("that come while a commit is under way go with the next.", async () => {
    const line = new Line();
    line.submit("one", count("a"));
    await Promise.resolve();
    await Promise.resolve();
    line.submit("two", count("a"));
    line.submit("three", count("a"));
    await line.pipeline.idle();
    expect(line.keysSent).toEqual([[["a"]], [["a"]]]);
    expect(line.log).toEqual(["one 1", "committed", "two 2", "three 3", "committed"]);
  });

  test("go five hundred and twelve at a time, one batch after the other.", async () => {
    const line = new Line();
    line.faulty.nextCommit({ kind: "slow", ms: 10 });
    for (let i = 0; i < 513; i++) line.submit(`${i}`, count(`k${i}`));
    await line.clock.settle();
    expect(line.store.sent.map((changes) => changes.length)).toEqual([512]);
    await line.clock.advance(10);
    expect(line.store.sent.map((changes) => changes.length)).toEqual([512, 1]);
  });

  test("that are more than go at a time are all answered, though nothing is sent.", async () => {
    const line = new Line();
    for (let i = 0; i < 513; i++) line.submit(`${i}`, () => "seen", { isProvisional: () => true });
    await line.clock.settle();
    expect([line.log.length, line.store.commits]).toEqual([513, 0]);
  });

  test("on one path wait for the next batch together, once one of them found no place.", async () => {
    const line = new Line();
    for (let i = 0; i < 34; i++) line.submit(`${i}`, count("a"), { path: "/a" });
    // Would find a place of its own, but is not to overtake those before it.
    line.submit("last", count("b"), { path: "/a" });
    line.submit("elsewhere", count("c"), { path: "/c" });
    await line.pipeline.idle();
    expect(line.keysSent).toEqual([
      [["a"], ["c"]],
      [["a"], ["b"]],
    ]);
    expect(line.log.slice(-3)).toEqual(["33 34", "last 1", "committed"]);
  });

  test.each([
    ["was carried out", undefined],
    ["failed", { kind: "refused", retryable: false }],
  ] as const)("find their path free when the commit before them %s.", async (_how, fault) => {
    const line = new Line();
    const record = { holders: [holder] };
    if (fault !== undefined) line.faulty.nextCommit(fault);
    line.submit("before", (view) => view.putLock("/a", record), { path: "/a" });
    await line.clock.settle();
    line.submit("behind", (view) => view.lock("/a") === record, { path: "/a", isProvisional: () => true });
    await line.clock.settle();
    expect(line.log.at(-1)).toBe(`behind ${fault === undefined}`);
  });

  test("go with the batch in which another finds no place, because of a range.", async () => {
    const line = new Line();
    // Called first, and planned before the one that it keeps out.
    line.submit("in the range", count("r/1"), { path: "/r", patienceMs: 20 });
    line.submit("sum", (view) => {
      const found = view.range("r/").length;
      view.put("a", found);
      return found;
    });
    line.faulty.nextCommit({ kind: "slow", ms: 30 });
    line.submit("under way", count("b"));
    await line.clock.advance(20);
    line.submit("elsewhere", count("c"));
    await line.clock.advance(10);
    await line.clock.settle();
    expect(line.keysSent.slice(0, 2)).toEqual([[["b"]], [["r/1"], ["c"]]]);
    expect(line.log).toContain("sum 1");
  });

  test("may each be applied for five seconds after they were planned.", async () => {
    const line = new Line();
    line.submit("one", count("a"));
    await line.pipeline.idle();
    line.submit("two", count("b"));
    await line.pipeline.idle();
    expect(line.store.sent[1]?.[0]?.notAfter).toBe(line.storeClock.latest() + 5000);
  });

  test("share how long a commit takes of late.", async () => {
    const line = new Line();
    line.faulty.nextCommit({ kind: "slow", ms: 80 }, 2);
    line.submit("one", count("a"));
    await line.clock.advance(80);
    expect(line.pipeline.commitMs).toBe(10);
    line.submit("two", count("a"));
    await line.clock.advance(80);
    expect(line.pipeline.commitMs).toBe(18.75);
  });

  test("leave the turn of the event loop when it has lasted for long.", async () => {
    const line = new Line();
    line.submit("one", count("a"));
    await line.pipeline.idle();
    line.clock.stall(8);
    line.submit("two", count("a"));
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(line.log).toEqual(["one 1", "committed"]);
    await line.clock.settle();
    expect(line.log).toEqual(["one 1", "committed", "two 2", "committed"]);
    line.submit("three", count("a"));
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(line.log).toContain("three 3");
  });
});

describe("A plan", () => {
  test("that changes nothing is proved by the store, unless it is provisional or was just proved.", async () => {
    const line = new Line();
    const look = (view: View): unknown => view.get("a");
    line.submit("proved", look);
    await line.pipeline.idle();
    expect([line.store.commits, line.log]).toEqual([1, ["proved undefined", "committed"]]);
    line.submit("provisional", look, { isProvisional: () => true });
    await line.pipeline.idle();
    expect([line.store.commits, line.log.at(-1)]).toEqual([1, "provisional undefined"]);
    line.submit("proved again", look, { isProvisional: () => false });
    await line.pipeline.idle();
    expect([line.store.commits, line.log.at(-1)]).toEqual([2, "committed"]);
  });

  test("that changes nothing is answered at once from what the store has shown it.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    await line.write("a", 100);
    line.submit("look", (view) => (view.get("a") === 100 ? "a hundred" : view.get("a")));
    await line.pipeline.idle();
    expect(line.log.slice(2)).toEqual(["committed", "look a hundred"]);
    expect([line.store.commits, line.store.reads]).toEqual([2, 0]);
  });

  test("that changes nothing is proved all the same when it must be, also after the store has shown it.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    await line.write("a", 100);
    line.submit("look", (view) => view.get("a"), { mustBeProved: true });
    await line.pipeline.idle();
    expect(line.log.slice(2)).toEqual(["committed", "look 100", "committed"]);
    expect([line.store.commits, line.store.reads]).toEqual([3, 0]);
  });

  test("that looked at what another of its batch wrote goes with it, though it changes nothing.", async () => {
    const line = new Line();
    line.submit("write", count("a"));
    line.submit("look", (view) => view.get("a"), { isProvisional: () => true });
    await line.pipeline.idle();
    expect(line.log).toEqual(["write 1", "look 1", "committed"]);
    expect(line.store.commits).toBe(1);
  });

  test("that needs a range is made again once it was read, with all that it had guessed.", async () => {
    const line = new Line();
    await line.write("r/1", 1);
    await line.write("a", 5);
    const seen: unknown[] = [];
    line.submit("sum", (view) => {
      const found = view.range("r/").length;
      seen.push([found, view.get("a")]);
      view.put("a", found);
      return found;
    });
    await line.pipeline.idle();
    await line.clock.settle();
    expect(seen).toEqual([
      [0, undefined],
      [1, 5],
    ]);
    expect(line.log).toEqual(["sum 1", "committed"]);
    expect([line.store.commits, line.store.reads]).toEqual([1, 1]);
  });

  test("that had to read guesses nothing that it looks at only then.", async () => {
    const line = new Line();
    await line.write("r/1", 1);
    await line.write("a", 5);
    line.submit("sum", (view) => (view.range("r/").length > 0 ? count("a")(view) : undefined));
    await line.clock.settle();
    expect(line.log).toEqual(["sum 6", "committed"]);
    expect([line.store.commits, line.store.reads]).toEqual([1, 2]);
  });

  test("of one whose turn it may be guesses nothing.", async () => {
    const line = new Line();
    await line.write("a", 5);
    line.submit("turn", count("a"), { isInTurn: true });
    await line.clock.settle();
    expect(line.log).toEqual(["turn 6", "committed"]);
    expect([line.store.commits, line.store.reads]).toEqual([1, 1]);
    // It knows that now, unless it is to begin afresh.
    line.submit("turn", count("a"), { isInTurn: true });
    await line.clock.settle();
    expect([line.store.commits, line.store.reads]).toEqual([2, 1]);
    line.submit("turn", count("a"), { isInTurn: true, isAfresh: true });
    await line.clock.settle();
    expect([line.store.commits, line.store.reads]).toEqual([3, 2]);
    expect(line.log.at(-2)).toBe("turn 8");
  });

  test("that was applied proves all that it guessed.", async () => {
    const line = new Line();
    const guessed = ["no", "nowhere", "never"];
    line.submit("guess", (view) => {
      for (const key of guessed) view.get(key);
      return count("a")(view);
    });
    await line.pipeline.idle();
    line.submit("look", (view) => guessed.map((key) => view.knows(key)), { isProvisional: () => true });
    await line.pipeline.idle();
    expect(line.log.at(-1)).toBe("look true,true,true");
  });

  test("takes what an earlier one of its batch wrote for no guess.", async () => {
    const line = new Line();
    line.submit("write", (view) => view.put("a", 7));
    line.submit("turn", (view) => view.get("a"), { isInTurn: true });
    await line.clock.settle();
    expect(line.log).toContain("turn 7");
    expect([line.store.commits, line.store.reads]).toEqual([1, 0]);
  });

  test("that breaks fails alone, and leaves nothing to the others.", async () => {
    const line = new Line();
    line.submit("broken", (view) => {
      view.put("a", 100);
      throw new Error("It broke.");
    });
    line.submit("sound", count("a"));
    await line.pipeline.idle();
    expect(line.log).toEqual(["broken failed", "sound 1", "committed"]);
    expect(line.errors[0]?.message).toBe("It broke.");
  });

  test("is not made for a command that was cancelled.", async () => {
    const line = new Line();
    line.submit("cancelled", count("a")).cancelled = true;
    line.submit("other", count("a"));
    await line.pipeline.idle();
    expect(line.log).toEqual(["cancelled failed", "other 1", "committed"]);
    expect(line.errors[0]?.code).toBe("aborted");
  });
});

describe("What a plan leaves behind", () => {
  /** Whether a key is known before a plan left it behind, and afterwards. */
  async function known(leave: (view: View) => void): Promise<boolean[]> {
    const line = new Line();
    const seen: boolean[] = [];
    const look = async (): Promise<void> => {
      line.submit("look", (view) => seen.push(view.knows("a")), { isProvisional: () => true });
      await line.clock.settle();
    };
    line.submit("put", count("a"));
    await line.pipeline.idle();
    await look();
    line.faulty.nextCommit({ kind: "slow", ms: 10 });
    line.submit("leave", (view) => {
      leave(view);
      view.leaveBehind("a");
    });
    await line.clock.settle();
    await line.clock.advance(10);
    await look();
    return seen;
  }

  test("is forgotten when the commit that removes it was carried out.", async () => {
    expect(await known((view) => view.remove("a"))).toEqual([true, false]);
  });

  test("is kept when something is there all the same.", async () => {
    expect(await known((view) => view.put("a", 2))).toEqual([true, true]);
  });
});

describe("When another writer was faster", () => {
  test("it is planned again from what the store has shown.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    await line.write("a", 100);
    line.submit("second", count("a"));
    await line.pipeline.idle();
    expect(line.log.slice(-2)).toEqual(["second 101", "committed"]);
    expect([line.store.commits, line.store.reads]).toEqual([3, 0]);
  });

  test("those that had become one change are tried apart, and later together again.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    await line.write("a", 100);
    line.submit("second", count("a"));
    line.submit("third", count("a"));
    await line.pipeline.idle();
    expect(line.store.sent.map((changes) => changes.length)).toEqual([1, 1, 1, 1]);
    expect(line.log.filter((one) => one !== "committed")).toEqual(["first 1", "second 101", "third 102"]);
  });

  test("the rest of what it looks at is read, instead of guessed once more.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    await line.write("a", 100);
    line.submit("second", (view) => {
      if (view.get("a") === 100) view.get("b");
      return count("a")(view);
    });
    await line.clock.settle();
    expect(line.log.slice(-2)).toEqual(["second 101", "committed"]);
    expect(line.store.reads).toBe(1);
  });

  test("the rest is read also by one that had to read before.", async () => {
    const line = new Line();
    let rival: Promise<void> | undefined;
    line.submit("first", (view) => {
      if (view.get("a") === 100) view.get("b");
      else {
        view.range("r/");
        if (line.store.reads === 1) rival = line.write("a", 100);
      }
      return count("a")(view);
    });
    await line.clock.settle();
    await rival;
    expect(line.log).toEqual(["committed", "first 101", "committed"]);
    expect(line.store.reads).toBe(2);
  });

  test("one that was sent alone may go with others next.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    await line.write("a", 100);
    line.submit("second", count("a"));
    await Promise.resolve();
    await Promise.resolve();
    line.submit("third", count("a"));
    await line.pipeline.idle();
    expect(line.log.filter((one) => one !== "committed")).toEqual(["first 1", "second 101", "third 102"]);
    expect(line.store.commits).toBe(3);
  });

  test("one that nobody waits for stands aside, once it has tried in vain.", async () => {
    const line = new Line();
    await line.write("a", 1);
    line.faulty.nextCommit({ kind: "overtaken" });
    line.submit("first", count("a"), { path: "/a", patienceMs: 50 });
    line.submit("second", count("a"), { path: "/a" });
    await line.clock.settle();
    const before = line.store.commits;
    await line.clock.advance(50);
    expect(line.log.filter((one) => one !== "committed")).toHaveLength(2);
    expect(line.store.commits).toBeGreaterThan(before);
  });

  test("a range is read anew.", async () => {
    const line = new Line();
    let rival: Promise<void> | undefined;
    line.submit("sum", (view) => {
      const found = view.range("r/").length;
      view.put("a", found);
      rival ??= line.write("r/1", 1);
      return found;
    });
    await line.clock.settle();
    await rival;
    expect(line.log.slice(-2)).toEqual(["sum 1", "committed"]);
  });
});

describe("When the store fails", () => {
  test("a change of unknown outcome is planned again when it is over, and knows that.", async () => {
    const line = new Line();
    await line.learnTime();
    line.faulty.nextCommit({ kind: "reply lost" });
    line.submit("one", (view, { uncertain }) => (uncertain ? view.get("a") : count("a")(view)));
    await line.clock.advance(6_000);
    // The second try expects nothing to be there, and is shown what the first one put.
    expect(line.log).toEqual(["committed", "one 1 after an unknown outcome"]);
  });

  test("nothing is believed of what was sent, and its jobs are tried apart.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    line.faulty.nextCommit({ kind: "refused", retryable: true });
    line.submit("second", count("a"));
    line.submit("third", count("a"));
    await line.clock.settle();
    await line.write("a", 100);
    await line.clock.advance(100);
    expect(line.log.filter((one) => one !== "committed")).toEqual(["first 1", "second 101", "third 102"]);
  });

  test("what was sent is not known any more.", async () => {
    const line = new Line();
    line.submit("first", count("a"));
    await line.pipeline.idle();
    line.faulty.nextCommit({ kind: "refused", retryable: true });
    line.submit("second", count("a"));
    await line.clock.settle();
    line.submit("look", (view) => view.knows("a"), { isProvisional: () => true });
    await line.clock.settle();
    expect(line.log.at(-1)).toBe("look false");
  });

  test("a read that fails is tried again, and given up like a commit.", async () => {
    const line = new Line();
    line.faulty.nextRead({ kind: "refused", retryable: true });
    line.submit("one", (view) => view.range("r/").length);
    await line.clock.advance(100);
    expect(line.log).toEqual(["one 0"]);
    line.faulty.nextRead({ kind: "refused", retryable: true }, 2);
    line.submit("two", (view) => view.range("r/").length);
    await line.clock.advance(200);
    expect(line.log.at(-1)).toBe("two failed");
    expect(line.errors[0]?.code).toBe("store_unavailable");
  });

  test("an answer that is too short leaves the outcome unknown.", async () => {
    const line = new Line();
    await line.learnTime();
    line.store.isShort = true;
    line.submit("one", count("a"));
    await line.clock.settle();
    line.store.isShort = false;
    await line.clock.advance(6_000);
    expect(line.log.at(-2)).toBe("one 2 after an unknown outcome");
  });
});

describe("After it was closed", () => {
  test("nothing is sent any more: what waits fails, what stands aside fails, and what comes fails.", async () => {
    const line = new Line();
    line.submit("aside", count("a"), { path: "/a", patienceMs: 1000 });
    line.submit("waiting", count("a"));
    line.pipeline.close();
    line.submit("late", count("a"));
    line.submit("later", count("a"), { path: "/a", patienceMs: 1000 });
    await line.clock.settle();
    expect(line.log.toSorted()).toEqual(["aside failed", "late failed", "later failed", "waiting failed"]);
    expect(line.errors.map((error) => error.code)).toEqual(Array.from({ length: 4 }, () => "closed"));
    expect([line.store.operations, line.clock.pending]).toEqual([0, 0]);
  });

  test("what is under way is answered; what would be tried again fails.", async () => {
    const line = new Line();
    line.faulty.nextCommit({ kind: "slow", ms: 10 });
    line.submit("under way", count("a"));
    line.submit("reads", (view) => view.range("r/").length);
    await line.clock.settle();
    line.pipeline.close();
    await line.clock.advance(10);
    expect(line.log).toContain("under way 1");
    expect(line.log).toContain("reads failed");
  });
});

describe("One that stands aside", () => {
  test("goes with the next on its path, or when its patience ends.", async () => {
    const line = new Line();
    line.submit("aside", count("a"), { path: "/a", patienceMs: 50 });
    await line.clock.advance(49);
    expect(line.log).toEqual([]);
    line.submit("company", count("a"), { path: "/a" });
    await line.clock.settle();
    expect(line.log).toEqual(["aside 1", "company 2", "committed"]);
    line.submit("alone", count("a"), { path: "/a", patienceMs: 50 });
    await line.clock.advance(50);
    expect(line.log.slice(-2)).toEqual(["alone 3", "committed"]);
  });
});

test("Idle is when nothing is queued or under way, also when it is asked several times.", async () => {
  const line = new Line();
  line.faulty.nextCommit({ kind: "slow", ms: 10 });
  line.submit("one", count("a"));
  let idle = 0;
  for (let i = 0; i < 2; i++)
    line.pipeline.idle().then(
      () => idle++,
      () => undefined,
    );
  await line.clock.advance(9);
  expect(idle).toBe(0);
  await line.clock.advance(1);
  expect(idle).toBe(2);
});
