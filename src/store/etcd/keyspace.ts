/**
 * Where things stand in etcd, all below the namespace:
 *
 *     engram-lock/base         what is added to etcd's revisions, written once
 *     engram-lock/fence/<id>   of one open handle that commits; gone with its lease
 *     engram-lock/hint/<n>     what the n-th change of the latest commit announced; at most one for each change of a commit
 *     engram-lock/entry/<key>  the entries
 */
import type { Range } from "../store.js";
import type { Interval } from "./messages.js";

export class Keyspace {
  readonly base: Buffer;
  readonly hints: Interval;
  readonly #namespace: string;
  readonly #entries: string;
  readonly #hints: Buffer[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#entries = `${namespace}/entry/`;
    this.base = Buffer.from(`${namespace}/base`);
    this.hints = below(Buffer.from(`${namespace}/hint/`));
  }

  fence(id: string): Buffer {
    return Buffer.from(`${this.#namespace}/fence/${id}`);
  }

  hint(n: number): Buffer {
    return (this.#hints[n] ??= Buffer.from(`${this.#namespace}/hint/${n}`));
  }

  entry(key: string): Buffer {
    return Buffer.from(this.#entries + key);
  }

  /** The key of an entry, from what etcd calls it. */
  keyOf(found: Buffer): string {
    return found.toString("utf8", this.#entries.length);
  }

  /** May be empty: then it ends before it begins, which etcd allows. */
  range({ prefix, after }: Range): Interval {
    const start = Buffer.from(this.#entries + prefix);
    const interval = below(start);
    if (after === undefined) return interval;
    const behind = Buffer.from(`${this.#entries}${after}\0`);
    return Buffer.compare(behind, start) > 0 ? { ...interval, from: behind } : interval;
  }

  /** The part of a range up to this key, included. */
  upTo(range: Range, key: string): Interval {
    return { ...this.range(range), to: Buffer.from(`${this.#entries}${key}\0`) };
  }
}

/** All keys that begin with these bytes. The last one can be counted up: UTF-8 has no byte 255. */
function below(prefix: Buffer): Interval {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { from: prefix, to: end };
}
