/** A range of keys as the database compares them: from a first key on, to where the keys with the next prefix begin. */
import { compareCodePoints } from "../code-point-order.js";
import type { Range } from "../store.js";

export interface KeySpan {
  readonly first: string;
  /** `first` itself is left out. */
  readonly isPast: boolean;
  /** The first key behind the range; `undefined` when there is none. */
  readonly pastLast: string | undefined;
}

export function keySpan({ prefix, after }: Range): KeySpan {
  const pastLast = nextPrefix(prefix);
  // From `after` on, and not from the beginning with what is before `after` sorted out: a page must not cost those before it.
  return after === undefined || compareCodePoints(after, prefix) < 0
    ? { first: prefix, isPast: false, pastLast }
    : { first: after, isPast: true, pastLast };
}

const lastCodePoint = 0x10ffff;

/** The smallest string above all that begin with the prefix, in the order of code points. */
function nextPrefix(prefix: string): string | undefined {
  for (let head = prefix; head !== ""; ) {
    const point = lastOf(head);
    head = head.slice(0, -String.fromCodePoint(point).length);
    // Between U+D7FF and U+E000 there are only halves of surrogate pairs, which are no characters.
    if (point < lastCodePoint) return head + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
}

function lastOf(text: string): number {
  const pair = text.codePointAt(text.length - 2) ?? 0;
  return pair > 0xffff ? pair : text.charCodeAt(text.length - 1);
}
