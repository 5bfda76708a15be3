import { expect } from "vitest";
import type { Store } from "../../../src/store/store.js";
import { attempt, change } from "../changes.js";
import type { Case } from "../store-suite.js";

export function hintCases(it: Case): void {
  it("a listener hears the paths that an applied change announces", async (store) => {
    const ear = await listen(store);
    await announce(store, "/a", "/b/c é😀");
    await ear.hears("/a");
    await ear.hears("/b/c é😀");
    await ear.close();
  });

  it("a listener hears at which revision it was announced", async (store) => {
    const ear = await listen(store);
    await announce(store, "/before");
    const outcome = await attempt(store, { put: [{ key: "a", value: 1 }], announce: ["/a"] });
    await ear.hears("/a");
    expect(outcome).toEqual({ applied: true, revision: ear.revisions.get("/a") });
    await ear.close();
  });

  it("a text of 2,800 bytes is heard, whatever is in it but line breaks", async (store) => {
    const ear = await listen(store);
    const text = "\t 1 \"'\\é😀".padEnd(2_790, "x");
    await announce(store, text);
    await ear.hears(text);
    await ear.close();
  });

  it("every listener hears, also when another one throws", async (store) => {
    const throwing = await store.subscribe(() => {
      throw new Error("This listener always fails.");
    });
    const ears = [await listen(store), await listen(store)];
    await announce(store, "/a");
    for (const ear of ears) {
      await ear.hears("/a");
      await ear.close();
    }
    await throwing.close();
  });

  it("nothing is heard of a change that was not applied", async (store) => {
    const ear = await listen(store);
    await attempt(store, { expect: [{ key: "absent", revision: 1 }], announce: ["/refused"] });
    await announce(store, "/applied");
    await ear.hears("/applied");
    expect(ear.heard).not.toContain("/refused");
    await ear.close();
  });

  it("the paths of a commit's applied changes are all heard", async (store) => {
    const ear = await listen(store);
    await store.commit([
      change({ put: [{ key: "a", value: 1 }], announce: ["/a"] }),
      change({ expect: [{ key: "b", revision: 7 }], announce: ["/b"] }),
      change({ put: [{ key: "c", value: 1 }], announce: ["/c", "/d"] }),
    ]);
    for (const path of ["/a", "/c", "/d"]) await ear.hears(path);
    expect(ear.heard).not.toContain("/b");
    await ear.close();
  });

  it("no call of a listener begins after its subscription was closed, and closing twice is harmless", async (store) => {
    const gone = await listen(store);
    const stays = await listen(store);
    await gone.close();
    await gone.close();
    await announce(store, "/later");
    await stays.hears("/later");
    expect(gone.heard).toEqual([]);
    await stays.close();
  });
}

async function announce(store: Store, ...paths: string[]): Promise<void> {
  expect(await attempt(store, { announce: paths })).toMatchObject({ applied: true });
}

export interface Ear {
  readonly heard: string[];
  /** At which each was announced. */
  readonly revisions: ReadonlyMap<string, number>;
  /** Resolves once the path was heard; the test's time limit is that of the hint. */
  hears(path: string): Promise<void>;
  close(): Promise<void>;
}

export async function listen(store: Store): Promise<Ear> {
  const heard: string[] = [];
  const waiting: { path: string; resolve: () => void }[] = [];
  const revisions = new Map<string, number>();
  const subscription = await store.subscribe((paths, revision) => {
    heard.push(...paths);
    for (const path of paths) revisions.set(path, revision);
    for (const { path, resolve } of waiting) if (paths.includes(path)) resolve();
  });
  return {
    heard,
    revisions,
    hears: (path) =>
      new Promise((resolve) => {
        if (heard.includes(path)) resolve();
        else waiting.push({ path, resolve });
      }),
    close: () => subscription.close(),
  };
}
