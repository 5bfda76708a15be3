import assert from "node:assert/strict";
import fc from "fast-check";
import type { Change, Entry, Expectation, Outcome, Range, Store } from "../../../src/store/store.js";
import { attempt } from "../changes.js";
import type { Case } from "../store-suite.js";

/** A failure prints its seed; `FAST_CHECK_SEED=… npx vitest run …` plays it again. */
const seed = process.env["FAST_CHECK_SEED"];

const names = ["a", "a/b", "a/c", "b", "b/😀", "b/\uffee", "c"];
const name = fc.constantFrom(...names);
const range = fc.record(
  { prefix: fc.constantFrom("", "a", "a/", "b/", "c"), after: name, limit: fc.integer({ min: 1, max: 4 }) },
  { requiredKeys: ["prefix"] },
);
const step = fc.oneof(
  fc.record({ read: range }),
  fc.record({
    expect: fc.array(fc.record({ key: name, stands: fc.constantFrom("now", "before", "absent") }), {
      maxLength: 2,
    }),
    since: fc.option(fc.record({ prefix: fc.constantFrom("", "a/", "b/"), readsAgo: fc.nat(3) })),
    touch: fc.uniqueArray(fc.record({ key: name, put: fc.boolean() }), {
      maxLength: 3,
      selector: (touched) => touched.key,
    }),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

export function modelCases(it: Case): void {
  it("any sequence of commits and reads answers like a plain map", async (store) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        run += 1;
        const model = new Model(store, `run ${run}/`);
        for (const next of steps) await model.take(next);
      }),
      { numRuns: 40, ...(seed !== undefined && { seed: Number(seed) }) },
    );
  });
}

/** A map beside the store, under a prefix of its own. */
class Model {
  readonly #store: Store;
  readonly #home: string;
  readonly #entries = new Map<string, Entry>();
  /** The revision that a key stood at before its present one. */
  readonly #before = new Map<string, number>();
  /** Revisions of whole reads, the newest first. */
  readonly #reads: number[] = [0];
  #removals: { key: string; revision: number }[] = [];
  #last = 0;

  constructor(store: Store, home: string) {
    this.#store = store;
    this.#home = home;
  }

  async take(step: Step): Promise<void> {
    if ("read" in step) await this.#read(step.read);
    else await this.#commit(step);
  }

  async #read(range: { prefix: string; after?: string; limit?: number }): Promise<void> {
    const asked: Range = {
      ...range,
      prefix: this.#home + range.prefix,
      ...(range.after !== undefined && { after: this.#home + range.after }),
    };
    const keys = names.map((key) => this.#home + key);
    const reply = await this.#store.read({ keys, ranges: [asked] });
    assert.deepEqual(
      reply.entries,
      keys.map((key) => this.#entries.get(key)),
    );
    assert.deepEqual(reply.ranges, [this.#within(asked)]);
    assert.ok(reply.revision >= this.#last);
    this.#reads.unshift(reply.revision);
  }

  async #commit({ expect: expected, since, touch }: Exclude<Step, { read: unknown }>): Promise<void> {
    const keys = expected.map(({ key, stands }) => ({
      key: this.#home + key,
      revision: this.#revision(this.#home + key, stands),
    }));
    const change: Change = {
      expect: [...keys, ...(since === null ? [] : [this.#unchanged(since)])],
      put: touch.filter(({ put }) => put).map(({ key }) => ({ key: this.#home + key, value: { key } })),
      remove: touch.filter(({ put }) => !put).map(({ key }) => this.#home + key),
      announce: [],
    };
    const outcome = await attempt(this.#store, change);
    const judged = this.#judge(change);
    if (judged !== "either") assert.equal(outcome.applied, judged);
    this.#follow(change, outcome);
  }

  #revision(key: string, stands: "now" | "before" | "absent"): number {
    if (stands === "absent") return 0;
    return (stands === "now" ? this.#entries.get(key)?.revision : this.#before.get(key)) ?? 0;
  }

  #unchanged({ prefix, readsAgo }: { prefix: string; readsAgo: number }): Expectation {
    return {
      range: { prefix: this.#home + prefix },
      unchangedSince: this.#reads[Math.min(readsAgo, this.#reads.length - 1)]!,
    };
  }

  /** `either` where only a removal in the range speaks against the change, which a store need not notice. */
  #judge({ expect: expected }: Change): boolean | "either" {
    let either = false;
    for (const expectation of expected) {
      if ("key" in expectation) {
        if ((this.#entries.get(expectation.key)?.revision ?? 0) !== expectation.revision) return false;
        continue;
      }
      const { range, unchangedSince } = expectation;
      if (this.#within(range).some((entry) => entry.revision > unchangedSince)) return false;
      either ||= this.#removals.some(
        ({ key, revision }) => key.startsWith(range.prefix) && revision > unchangedSince,
      );
    }
    return either ? "either" : true;
  }

  #follow({ put, remove }: Change, outcome: Outcome): void {
    if (!outcome.applied) return;
    const { revision } = outcome;
    assert.ok(revision > this.#last);
    this.#last = revision;
    for (const key of [...put.map((entry) => entry.key), ...remove]) {
      this.#before.set(key, this.#entries.get(key)?.revision ?? 0);
    }
    for (const { key, value } of put) this.#entries.set(key, { key, revision, value });
    for (const key of remove) {
      if (this.#entries.delete(key)) this.#removals.push({ key, revision });
    }
  }

  #within({ prefix, after, limit }: Range): Entry[] {
    return [...this.#entries.values()]
      .filter(({ key }) => key.startsWith(prefix) && (after === undefined || bytes(key, after) > 0))
      .toSorted((a, b) => bytes(a.key, b.key))
      .slice(0, limit);
  }
}

function bytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
