/**
 * What a protected resource uses to turn away whoever comes too late: the other half of a fencing token.
 *
 * A holder that was paused beyond its ttl does not know that it lost its lock, and goes on working. The resource can know: a later conflicting lock
 * always has a larger token, so a token smaller than one that came before belongs to a lock that has ended (Kleppmann, "How to do distributed
 * locking", 2016).
 */
import { parseResourcePath, type ResourcePath } from "./core/resource-path.js";
import { afterLoss, invalid, LockError } from "./errors.js";
import type { Mode, Scope } from "./lock-manager.js";

/** A use of a resource under a lock. Every `Lock` is one. */
export interface FencedUse {
  /** Path of the lock. Under a lock on a tree that is the path of the tree, whatever below it is used. */
  readonly resourcePath: string;
  readonly fencingToken: number;
  /** Default `exclusive`. */
  readonly mode?: Mode;
  /** Default `resource`. */
  readonly scope?: Scope;
}

export interface FenceGuardOptions {
  /** How many paths to remember at most, those above them included. Default 100,000. */
  readonly maxPaths?: number;
}

const defaultMaxPaths = 100_000;

/**
 * Remembers the largest token that came for each path and each tree.
 *
 * It lives in the memory of one process. A resource that outlives its process keeps the token with what it guards, as `docs/guarantees.md` shows.
 * Of the paths used longest ago it forgets all but the largest token among them; on paths that it does not know it lets only larger ones pass.
 * So a full guard may turn away a lock held for very long, and never lets one pass that it should not.
 */
export class FenceGuard {
  readonly #maxPaths: number;
  /** The paths used last come last. */
  readonly #marks = new Map<string, Marks>();
  /** The largest token of all that was forgotten. */
  #forgotten = 0;

  /** @throws LockError `invalid`. */
  constructor({ maxPaths = defaultMaxPaths }: FenceGuardOptions = {}) {
    if (!Number.isSafeInteger(maxPaths) || maxPaths < 1) {
      throw invalid("maxPaths", maxPaths, "a whole number from 1");
    }
    this.#maxPaths = maxPaths;
  }

  /**
   * Lets a use pass and remembers its token, unless a conflicting use with a larger one came before. Call it in the same step as the use itself:
   * what happens in between is not guarded.
   *
   * @throws LockError `lost` when the lock of this token has ended; `invalid`.
   */
  admit(use: FencedUse): void {
    const { fencingToken: token, mode = "exclusive", scope = "resource" } = use;
    const resource = pathOf(use);
    if (!Number.isSafeInteger(token) || token < 1) {
      throw invalid("fencingToken", token, "the fencing token of a lock, a whole number from 1");
    }
    if (mode !== "exclusive" && mode !== "shared") throw invalid("mode", mode, '"exclusive" or "shared"');
    if (scope !== "resource" && scope !== "tree") throw invalid("scope", scope, '"resource" or "tree"');
    const largest = this.#against(resource, mode, scope);
    if (token < largest) throw tooLate(resource.path, token, largest);
    this.#remember(resource, mode, scope, token);
  }

  /** The largest token of the uses that conflict with such a one. */
  #against({ path, ancestors }: ResourcePath, mode: Mode, scope: Scope): number {
    const own = this.#marks.get(path);
    let largest = own?.here.against(mode) ?? this.#forgotten;
    if (own !== undefined && scope === "tree") largest = Math.max(largest, own.below.against(mode));
    for (const ancestor of ancestors) {
      largest = Math.max(largest, this.#marks.get(ancestor)?.tree.against(mode) ?? this.#forgotten);
    }
    return largest;
  }

  #remember({ path, ancestors }: ResourcePath, mode: Mode, scope: Scope, token: number): void {
    const own = this.#use(path);
    own.here.note(mode, token);
    if (scope === "tree") own.tree.note(mode, token);
    for (const ancestor of ancestors) this.#use(ancestor).below.note(mode, token);
    for (const [longestAgo, marks] of this.#marks) {
      if (this.#marks.size <= this.#maxPaths) break;
      this.#marks.delete(longestAgo);
      this.#forgotten = Math.max(this.#forgotten, marks.largest);
    }
  }

  #use(path: string): Marks {
    const marks = this.#marks.get(path) ?? new Marks(this.#forgotten);
    this.#marks.delete(path);
    this.#marks.set(path, marks);
    return marks;
  }
}

/** The largest tokens of a path. */
class Marks {
  /** Of uses of exactly this path. */
  readonly here: Largest;
  /** Of uses of the tree that begins here. */
  readonly tree: Largest;
  /** Of uses of anything below. */
  readonly below: Largest;

  constructor(least: number) {
    this.here = new Largest(least);
    this.tree = new Largest(least);
    this.below = new Largest(least);
  }

  get largest(): number {
    return Math.max(this.here.any, this.tree.any, this.below.any);
  }
}

class Largest {
  any: number;
  exclusive: number;

  constructor(least: number) {
    this.any = least;
    this.exclusive = least;
  }

  note(mode: Mode, token: number): void {
    this.any = Math.max(this.any, token);
    if (mode === "exclusive") this.exclusive = Math.max(this.exclusive, token);
  }

  /** Shared uses do not conflict with each other. */
  against(mode: Mode): number {
    return mode === "shared" ? this.exclusive : this.any;
  }
}

function pathOf({ resourcePath }: FencedUse): ResourcePath {
  if (typeof resourcePath !== "string") throw invalid("resourcePath", resourcePath, "a string");
  const parsed = parseResourcePath(resourcePath);
  if (!parsed.ok) throw invalid("resourcePath", resourcePath, parsed.allowed);
  return parsed.resource;
}

function tooLate(resourcePath: string, token: number, largest: number): LockError {
  return new LockError(
    "lost",
    `Refused ${JSON.stringify(resourcePath)} under fencing token ${token}: the lock has ended, for token ${largest} came before.`,
    {
      resourcePath,
      next: afterLoss,
    },
  );
}
