import { expect } from "vitest";
import { apply, entryAt, failure, put } from "../changes.js";
import type { Case } from "../store-suite.js";

export function closingCases(it: Case): void {
  it("closing twice, also at the same time, is harmless", async (store) => {
    await Promise.all([store.close(), store.close()]);
    await store.close();
  });

  it("a closed store rejects every call, surely did nothing, and cannot be tried again", async (store) => {
    await store.close();
    const closed = failure({ retryable: false });
    await expect(store.commit([put("a")])).rejects.toThrow(closed);
    await expect(store.commit([])).rejects.toThrow(closed);
    await expect(store.read({ keys: ["a"] })).rejects.toThrow(closed);
    await expect(store.subscribe(() => {})).rejects.toThrow(closed);
  });

  it("a subscription can be closed after its store", async (store) => {
    const subscription = await store.subscribe(() => {});
    await store.close();
    await subscription.close();
  });

  it("a commit that was already sent when the store is closed is settled, one way or the other", async (store) => {
    const results = Promise.allSettled([store.commit([put("a")]), store.read({})]);
    await store.close();
    const failures = (await results).filter((result) => result.status === "rejected");
    for (const { reason } of failures) expect(reason).toMatchObject({ name: "StoreError" });
  });

  it("an aborted signal stops a commit before it is sent: surely nothing was applied", async (store) => {
    const signal = AbortSignal.abort(new Error("the caller's reason"));
    await expect(store.commit([put("a")], { signal })).rejects.toThrow(failure({}));
    expect(await entryAt(store, "a")).toBeUndefined();
  });

  it("an aborted signal stops a read", async (store) => {
    await expect(store.read({ keys: ["a"] }, { signal: AbortSignal.abort() })).rejects.toThrow(failure({}));
  });

  it("a signal that never aborts changes nothing, and can be used for many calls", async (store) => {
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 30 }, (_, n) => store.commit([put(`key ${n}`)], { signal })));
    expect((await store.read({ ranges: [{ prefix: "key" }] }, { signal })).ranges[0]).toHaveLength(30);
  });

  it("a commit given up on is wholly there or wholly absent, and not applied when it says so", async (store) => {
    await apply(store, put("before"));
    const giveUp = new AbortController();
    const commit = store.commit([put("a"), put("b")], { signal: giveUp.signal });
    giveUp.abort();
    const [result] = await Promise.allSettled([commit]);
    if (result?.status === "rejected" && result.reason.outcome === "unknown") return;
    const there = result?.status === "fulfilled";
    expect((await entryAt(store, "a")) !== undefined).toBe(there);
    expect((await entryAt(store, "b")) !== undefined).toBe(there);
  });
}
