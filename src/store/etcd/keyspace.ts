/**
 * Where things stand in etcd, all below the namespace:
 *
 *     engram-lock/base         what is added to etcd's revisions, written once
 *     engram-lock/fence/<id>   of one open handle that commits; gone with its lease
 *     engram-lock/hint/<n>     what the n-th change of the latest commit announced; at most one for each change of a commit
 *     engram-lock/entry/<key>  the entries
 *
 * The gateway takes and returns keys and values in Base64.
 */
import { type Range } from "../store.js";

export interface Interval {
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
}

export class Keyspace {
  readonly base: string;
  readonly hints: Interval;
  readonly #namespace: string;
  readonly #entries: string;
  readonly #hints: string[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#entries = `${namespace}/entry/`;
    this.base = base64(`${namespace}/base`);
    this.hints = below(Buffer.from(`${namespace}/hint/`));
  }

  fence(id: string): string {
    return base64(`${this.#namespace}/fence/${id}`);
  }

  hint(n: number): string {
    return (this.#hints[n] ??= base64(`${this.#namespace}/hint/${n}`));
  }

  entry(key: string): string {
    return base64(this.#entries + key);
  }

  /** The key of an entry, from what etcd calls it. */
  keyOf(encoded: string): string {
    return Buffer.from(encoded, "base64").toString().slice(this.#entries.length);
  }

  /** May be empty: then it ends before it begins, which etcd allows. */
  range({ prefix, after }: Range): Interval {
    const start = Buffer.from(this.#entries + prefix);
    const interval = below(start);
    if (after === undefined) return interval;
    const behind = Buffer.from(`${this.#entries}${after}\0`);
    return Buffer.compare(behind, start) > 0 ? { ...interval, from: behind.toString("base64") } : interval;
  }

  /** The part of a range up to this key, included. */
  upTo(range: Range, key: string): Interval {
    return { ...this.range(range), to: base64(`${this.#entries}${key}\0`) };
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** All keys that begin with these bytes. The last one can be counted up: UTF-8 has no byte 255. */
function below(prefix: Buffer): Interval {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { from: prefix.toString("base64"), to: end.toString("base64") };
}
