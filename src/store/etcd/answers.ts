/** The parts of etcd's answers that are looked at. Integers of 64 bits come as text, and what is zero or empty is left out. */
import type { Entry, Json } from "../store.js";
import { StoreError } from "../store.js";
import type { Keyspace } from "./keyspace.js";

export interface TxnAnswer {
  readonly header: { readonly revision: string };
  readonly succeeded?: boolean;
  readonly responses?: readonly OpAnswer[];
}

export interface OpAnswer {
  readonly response_range?: RangeAnswer;
  readonly response_txn?: Omit<TxnAnswer, "header">;
}

export interface RangeAnswer {
  readonly kvs?: readonly KeyValue[];
}

export interface KeyValue {
  readonly key: string;
  readonly mod_revision: string;
  readonly value?: string;
}

export function parseTxn(text: string): TxnAnswer {
  return parsed<TxnAnswer>(text);
}

/** What etcd answers is taken at its word: its fields are those of its published API. */
export function parsed<Answer>(text: string): Answer {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(text) as Answer;
}

export function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString();
}

/** @throws StoreError when the value is none of ours. */
export function entryOf(keyspace: Keyspace, base: number, kv: KeyValue): Entry {
  const key = keyspace.keyOf(kv.key);
  return { key, revision: base + Number(kv.mod_revision), value: valueOf(key, kv.value ?? "") };
}

function valueOf(key: string, encoded: string): Json {
  try {
    return parsed<Json>(decoded(encoded));
  } catch (cause) {
    throw new StoreError(`The entry "${key}" in etcd is damaged: its value is not JSON.`, {
      outcome: "none",
      retryable: false,
      cause,
    });
  }
}
