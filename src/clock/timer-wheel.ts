/**
 * Many deadlines on one timer. Adding and removing cost the same whether there are ten or a million, because most locks are released long before
 * they expire: deadlines share buckets, coarse far away and finer the nearer they come (the hierarchical timing wheels of Varghese and Lauck, 1987).
 */
import { Heap } from "heap-js";
import type { Cancel, Clock } from "./clock.js";

/** The finest bucket, which bounds how late a deadline is served. A power of two. */
export const finestMs = 4;
/** A bucket is at most this fraction of the distance to it. */
const bucketsPerOctave = 8;
/** Deadlines nearer than this have the finest buckets. */
const finestSpanMs = bucketsPerOctave * finestMs * 2;

/** Something with a deadline. Belongs to one wheel at a time. */
export abstract class Timed {
  /* Kept by the wheel: the items of a bucket are linked, so that adding and removing make no garbage. */
  bucket: Bucket | undefined = undefined;
  before: Timed | undefined = undefined;
  after: Timed | undefined = undefined;
  /** Local monotonic time. */
  due = Infinity;
  /** Called once, never before `due`. */
  abstract onDue(): void;
}

export interface Bucket {
  readonly opensAt: number;
  readonly id: number;
  first: Timed | undefined;
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #background: boolean;
  readonly #buckets = new Map<number, Bucket>();
  readonly #order = new Heap<Bucket>((a, b) => a.opensAt - b.opensAt);
  #armedFor = Infinity;
  /** The clock as last looked at. */
  #now = -Infinity;
  #disarm: Cancel | undefined;

  constructor(clock: Clock, options: { readonly background: boolean }) {
    this.#clock = clock;
    this.#background = options.background;
  }

  /** (Re)schedules an item. `Infinity` only removes it. */
  set(item: Timed, due: number): void {
    this.remove(item);
    item.due = due;
    if (due === Infinity) return;
    const bucket = this.#bucketFor(due);
    item.bucket = bucket;
    item.after = bucket.first;
    if (bucket.first !== undefined) bucket.first.before = item;
    bucket.first = item;
  }

  #bucketFor(due: number): Bucket {
    // An old look at the clock only makes the bucket coarser than it need be: it opens early, and its items are sorted again.
    const distance = Math.max(due - this.#now, 1);
    const octave = distance < finestSpanMs ? 0 : Math.floor(Math.log2((2 * distance) / finestSpanMs));
    const width = finestMs * 2 ** octave;
    const index = Math.floor(due / width);
    const id = index * 64 + octave;
    const known = this.#buckets.get(id);
    if (known !== undefined) return known;
    const now = this.#clock.monotonic();
    if (now - this.#now > finestMs) {
      this.#now = now;
      return this.#bucketFor(due);
    }
    // The finest buckets open at their end, when all in them are due; the others at their beginning, to be sorted into finer ones.
    const bucket = { id, opensAt: (octave === 0 ? index + 1 : index) * width, first: undefined };
    this.#buckets.set(id, bucket);
    this.#order.push(bucket);
    if (bucket.opensAt < this.#armedFor) this.#arm(bucket.opensAt);
    return bucket;
  }

  remove(item: Timed): void {
    const { bucket, before, after } = item;
    if (bucket === undefined) return;
    if (before === undefined) bucket.first = after;
    else before.after = after;
    if (after !== undefined) after.before = before;
    item.bucket = undefined;
    item.before = undefined;
    item.after = undefined;
  }

  close(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = -Infinity;
    this.#buckets.clear();
    this.#order.clear();
  }

  #arm(opensAt: number): void {
    this.#disarm?.();
    this.#armedFor = opensAt;
    const delay = opensAt - this.#clock.monotonic();
    this.#disarm = this.#clock.after(delay, () => this.#open(), { background: this.#background });
  }

  #open(): void {
    const now = this.#clock.monotonic();
    this.#now = now;
    this.#armedFor = Infinity;
    for (
      let next = this.#order.peek();
      next !== undefined && next.opensAt <= now;
      next = this.#order.peek()
    ) {
      this.#order.pop();
      this.#buckets.delete(next.id);
      for (let item = next.first; item !== undefined; item = next.first) {
        this.remove(item);
        if (item.due <= now) item.onDue();
        else this.set(item, item.due);
      }
    }
    const next = this.#order.peek();
    if (next !== undefined && next.opensAt < this.#armedFor) this.#arm(next.opensAt);
  }
}
