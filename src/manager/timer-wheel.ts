/**
 * Many deadlines on one timer. Adding and removing cost the same whether there are ten or a million, because most locks are released long before
 * they expire: deadlines share buckets, coarse far away and finer the nearer they come (the hierarchical timing wheels of Varghese and Lauck, 1987).
 */
import { Heap } from "heap-js";
import type { Cancel, Clock } from "../clock/clock.js";

/** The finest bucket, which bounds how late a deadline is served. A power of two. */
const finestMs = 4;
/** A bucket is at most this fraction of the distance to it. */
const bucketsPerOctave = 8;

/** Something with a deadline. Belongs to one wheel at a time. */
export interface Timed {
  /** Kept by the wheel. */
  bucket: Bucket | undefined;
  /** Local monotonic time. */
  due: number;
  /** Called once, never before `due`. */
  onDue(): void;
}

export interface Bucket {
  readonly opensAt: number;
  readonly id: number;
  readonly items: Set<Timed>;
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #background: boolean;
  readonly #buckets = new Map<number, Bucket>();
  readonly #order = new Heap<Bucket>((a, b) => a.opensAt - b.opensAt);
  #armedFor = Infinity;
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
    const now = this.#clock.monotonic();
    const distance = Math.max(due - now, 0);
    const octave = Math.max(Math.floor(Math.log2(distance / (bucketsPerOctave * finestMs))), 0);
    const width = finestMs * 2 ** octave;
    const index = Math.floor(due / width);
    const id = index * 64 + octave;
    let bucket = this.#buckets.get(id);
    if (bucket === undefined) {
      // The finest buckets open at their end, when all in them are due; the others at their beginning, to be sorted into finer ones.
      bucket = { id, opensAt: (octave === 0 ? index + 1 : index) * width, items: new Set() };
      this.#buckets.set(id, bucket);
      this.#order.push(bucket);
      if (bucket.opensAt < this.#armedFor) this.#arm(bucket.opensAt);
    }
    bucket.items.add(item);
    item.bucket = bucket;
  }

  remove(item: Timed): void {
    item.bucket?.items.delete(item);
    item.bucket = undefined;
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
    this.#armedFor = Infinity;
    for (
      let next = this.#order.peek();
      next !== undefined && next.opensAt <= now;
      next = this.#order.peek()
    ) {
      this.#order.pop();
      this.#buckets.delete(next.id);
      for (const item of next.items) {
        item.bucket = undefined;
        if (item.due <= now) item.onDue();
        else this.set(item, item.due);
      }
    }
    const next = this.#order.peek();
    if (next !== undefined && next.opensAt < this.#armedFor) this.#arm(next.opensAt);
  }
}
