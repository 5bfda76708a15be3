/** The values that are kept in etcd: JSON. */
import { type Entry, type Json, StoreError } from "../store.js";
import type { Keyspace } from "./keyspace.js";
import type { KeyValue } from "./messages.js";

/** @throws StoreError when the value is none of ours. */
export function entryOf(keyspace: Keyspace, base: number, { key, modRevision, value }: KeyValue): Entry {
  const name = keyspace.keyOf(key);
  try {
    return { key: name, revision: base + modRevision, value: parsed<Json>(value) };
  } catch (cause) {
    throw new StoreError(`The entry "${name}" in etcd is damaged: its value is not JSON.`, {
      outcome: "none",
      retryable: false,
      cause,
    });
  }
}

/** What this adapter has written is taken to be of the shape that it writes. */
export function parsed<Value>(value: Buffer): Value {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(value.toString()) as Value;
}
