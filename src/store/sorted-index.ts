/**
 * The order of a map's keys, kept up lazily so that puts and removals of single keys pay next to nothing for it.
 *
 * Keys put lately wait in a list and are sorted in when a range is asked for, or when many of them turn out to live long.
 * Removed keys stay in the index until a range read passes them or a sweep finds them. So a range read costs the logarithm
 * of the map, plus what it returns, plus what was written since the last one; and what is kept beyond the live keys is
 * bounded: `maxWaiting` keys that wait, and about half as many removed keys as live ones.
 */
import { compareCodePoints, hasSurrogates } from "./code-point-order.js";
import type { Entry, Range } from "./store.js";

const maxWaiting = 1024;
const maxChunk = 512;
/** Removed keys are swept once in so many removals, one chunk at a time: a few keys for each removal, never all at once. */
const removalsPerSweep = 64;

/** What the index needs of the map. */
interface LiveEntries {
  readonly size: number;
  get(key: string): Entry | undefined;
  has(key: string): boolean;
}

export class SortedIndex {
  readonly #live: LiveEntries;
  /** Keys in order, none twice, no chunk empty. Some may have been removed from the map. */
  readonly #chunks: string[][] = [];
  #indexed = 0;
  /** Every live key that is not in a chunk; some may be there too, wait twice, or be gone. */
  #waiting: string[] = [];
  #removals = 0;
  #nextSweep = 0;
  /** Without surrogates the order of `<` is right, and several times as fast. */
  #surrogates = false;

  constructor(live: LiveEntries) {
    this.#live = live;
  }

  /** To be called after a key that was absent was put into the map. */
  added(key: string): void {
    this.#waiting.push(key);
    if (this.#waiting.length >= maxWaiting) this.#settle();
  }

  /** To be called after a key was removed from the map. */
  removed(): void {
    if (this.#indexed <= maxWaiting + 1.5 * this.#live.size) return;
    this.#removals += 1;
    if (this.#removals % removalsPerSweep === 0) this.#sweep();
  }

  entries({ prefix, after, limit = Number.POSITIVE_INFINITY }: Range): Entry[] {
    this.#sortIn();
    this.#surrogates ||= hasSurrogates(prefix) || (after !== undefined && hasSurrogates(after));
    const found: Entry[] = [];
    const skipping = after !== undefined && !this.#before(after, prefix);
    const start = skipping ? after : prefix;
    let at = this.#chunkOf(start);
    let chunk = this.#chunks[at];
    let from = chunk === undefined ? 0 : this.#lowerBound(chunk, start);
    if (skipping && chunk?.[from] === after) from += 1;

    while (chunk !== undefined && found.length < limit) {
      const ended = this.#collect(chunk, from, prefix, limit, found);
      if (chunk.length === 0) this.#chunks.splice(at, 1);
      else at += 1;
      if (ended) break;
      from = 0;
      chunk = this.#chunks[at];
    }
    return found;
  }

  /** Adds a chunk's live entries from a position on, and drops the removed keys it passes. True when the range has ended. */
  #collect(chunk: string[], from: number, prefix: string, limit: number, found: Entry[]): boolean {
    let kept = from;
    let next = from;
    let ended = false;
    while (next < chunk.length && !ended) {
      const key = chunk[next] ?? "";
      if (!key.startsWith(prefix)) {
        ended = true;
        break;
      }
      next += 1;
      const entry = this.#live.get(key);
      if (entry === undefined) continue;
      chunk[kept] = key;
      kept += 1;
      ended = found.push(entry) >= limit;
    }
    if (kept < next) {
      chunk.splice(kept, next - kept);
      this.#indexed -= next - kept;
    }
    return ended;
  }

  /** Keeps the list of waiting keys short: short-lived keys go, and once most have lived on they are sorted in. */
  #settle(): void {
    const stillLive = new Set<string>();
    for (const key of this.#waiting) if (this.#live.has(key)) stillLive.add(key);
    this.#waiting = [...stillLive];
    if (this.#waiting.length > maxWaiting / 2) this.#sortIn();
  }

  #sortIn(): void {
    if (this.#waiting.length === 0) return;
    for (const key of this.#waiting) if (this.#live.has(key)) this.#insert(key);
    this.#waiting = [];
  }

  #insert(key: string): void {
    this.#surrogates ||= hasSurrogates(key);
    const at = Math.min(this.#chunkOf(key), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      this.#indexed += 1;
      return;
    }
    const place = this.#lowerBound(chunk, key);
    if (chunk[place] === key) return;
    chunk.splice(place, 0, key);
    this.#indexed += 1;
    if (chunk.length > maxChunk) this.#chunks.splice(at + 1, 0, chunk.splice(maxChunk / 2));
  }

  #sweep(): void {
    const at = this.#nextSweep < this.#chunks.length ? this.#nextSweep : 0;
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const kept = chunk.filter((key) => this.#live.has(key));
    this.#indexed -= chunk.length - kept.length;
    const neighbour = this.#chunks[at - 1];
    if (neighbour !== undefined && neighbour.length + kept.length <= maxChunk / 2) neighbour.push(...kept);
    else if (kept.length > 0) {
      this.#chunks[at] = kept;
      this.#nextSweep = at + 1;
      return;
    }
    this.#chunks.splice(at, 1);
    this.#nextSweep = at;
  }

  /** The first chunk that reaches as far as the key; one past the last if none does. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#before(this.#chunks[middle]?.at(-1) ?? "", key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The position of the first key that is not before this one. */
  #lowerBound(chunk: readonly string[], key: string): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#before(chunk[middle] ?? "", key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #before(a: string, b: string): boolean {
    return this.#surrogates ? compareCodePoints(a, b) < 0 : a < b;
  }
}
