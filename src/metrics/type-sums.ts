/** The sums of each resource type, for a bounded number of types whatever clients call their resources. */
import { Tally } from "./tally.js";

/** Takes the types for which there is no room, and those really called so. */
const otherType = "other";
const mostTypes = 20;
const longestLabel = 64;

/** From an uncontended acquire to ten minutes of patience. */
const acquisitionBoundsMs = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000,
  600_000,
];

/** From a critical section to a whole day. */
const holdBoundsMs = [
  10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 14_400_000,
  43_200_000, 86_400_000,
];

/** What happened to the locks of one resource type since the beginning. */
export class TypeSums {
  readonly label: string;
  acquired = 0;
  refused = 0;
  extended = 0;
  released = 0;
  releaseFailed = 0;
  contended = 0;
  revoked = 0;
  readonly acquisition = new Tally(acquisitionBoundsMs);
  readonly hold = new Tally(holdBoundsMs);

  constructor(label: string) {
    this.label = label;
  }
}

/** The first twenty types have sums of their own, the rest share those of `other`. */
export class SumsByType {
  readonly #byLabel = new Map<string, TypeSums>();
  readonly #other = new TypeSums(otherType);

  /** Gives a type its sums before anybody uses it, while there is room. */
  reserve(types: Iterable<string>): void {
    for (const type of types) this.of(type);
  }

  of(type: string): TypeSums {
    return this.#byLabel.get(type) ?? this.#firstUse(labelOf(type));
  }

  *[Symbol.iterator](): Generator<TypeSums> {
    yield* this.#byLabel.values();
    yield this.#other;
  }

  #firstUse(label: string): TypeSums {
    const known = this.#byLabel.get(label);
    if (known !== undefined) return known;
    if (label === otherType || this.#byLabel.size >= mostTypes) return this.#other;
    const sums = new TypeSums(label);
    this.#byLabel.set(label, sums);
    return sums;
  }
}

/** Types that agree this far share their sums. A character of two code units is not cut in half. */
function labelOf(type: string): string {
  if (type.length <= longestLabel) return type;
  const last = type.charCodeAt(longestLabel - 1);
  return type.slice(0, last >= 0xd800 && last < 0xdc00 ? longestLabel - 1 : longestLabel);
}
