/** Short forms of changes, and of what the cases ask of a store. */
import { expect } from "vitest";
import type { Change, Entry, Json, Outcome, Store, StoreError } from "../../src/store/store.js";

export function change(parts: Partial<Change>): Change {
  return { expect: [], put: [], remove: [], announce: [], ...parts };
}

export function put(key: string, value: Json = key): Change {
  return change({ put: [{ key, value }] });
}

export function remove(...keys: string[]): Change {
  return change({ remove: keys });
}

/** Commits the changes, all of which must be applied, and returns their revision. */
export async function apply(store: Store, ...changes: Change[]): Promise<number> {
  const { outcomes } = await store.commit(changes);
  return Math.max(...outcomes.map(revisionOf));
}

/** Commits one change and returns what became of it. */
export async function attempt(store: Store, only: Partial<Change>): Promise<Outcome> {
  const { outcomes } = await store.commit([change(only)]);
  expect(outcomes).toHaveLength(1);
  return outcomes[0]!;
}

export function revisionOf(outcome: Outcome): number {
  expect(outcome).toMatchObject({ applied: true });
  return outcome.applied ? outcome.revision : 0;
}

export async function entryAt(store: Store, key: string): Promise<Entry | undefined> {
  const { entries } = await store.read({ keys: [key] });
  return entries[0];
}

export async function valueAt(store: Store, key: string): Promise<Json | undefined> {
  return (await entryAt(store, key))?.value;
}

/** The keys of a range, in the order in which the store returned them. */
export async function keysIn(
  store: Store,
  range: { prefix: string; after?: string; limit?: number },
): Promise<string[]> {
  const { ranges } = await store.read({ ranges: [range] });
  return (ranges[0] ?? []).map((entry) => entry.key);
}

/** Matches the error of a store that surely did nothing. */
export function failure(fate: { retryable?: boolean }): Pick<StoreError, "name" | "outcome"> {
  return expect.objectContaining({ name: "StoreError", outcome: "none", ...fate });
}
