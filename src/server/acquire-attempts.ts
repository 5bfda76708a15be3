/**
 * The acquires of this server by their Idempotency-Keys: a repeated request joins the one that runs, or is told of the same locks. Only success is
 * remembered, a refused acquire may be tried again with its key.
 *
 * The memory is bounded, because nothing depends on it alone: an agent that acquires a path it holds gets the lock it has.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../clock/clock.js";
import { invalid, LockError } from "../errors.js";
import type { AcquiredLock } from "../lock-manager.js";
import { AcquireAttempt } from "./acquire-attempt.js";
import type { Cancellation } from "./cancellation.js";
import { HttpRefusal } from "./http-refusal.js";

const keyMemoryMs = 10 * 60_000;
const maxRemembered = 10_000;
const keyPattern = /^[!-~]{1,255}$/;

export interface AttemptKey {
  readonly agentId: string;
  readonly key: string;
  /** Everything that was asked for, in one spelling. */
  readonly request: string;
}

/** An attempt, or that there must be none because its caller has already said that it no longer wants it. */
interface Entry {
  readonly digest: string | undefined;
  readonly attempt: AcquireAttempt | undefined;
  readonly forgetAt: number;
}

type Acquire = (cancellation: Cancellation) => Promise<readonly AcquiredLock[]>;

export class AcquireAttempts {
  readonly #clock: Clock;
  readonly #giveBack: (attempt: AcquireAttempt) => void;
  readonly #running = new Map<string, Entry>();
  /** In the order in which they are to be forgotten. */
  readonly #remembered = new Map<string, Entry>();

  /** @param giveBack releases what a forsaken attempt got. */
  constructor(clock: Clock, giveBack: (attempt: AcquireAttempt) => void) {
    this.#clock = clock;
    this.#giveBack = giveBack;
  }

  /** How many keys are known. */
  get size(): number {
    return this.#running.size + this.#remembered.size;
  }

  /** An attempt that nobody can repeat. */
  startOne(acquire: Acquire): AcquireAttempt {
    return new AcquireAttempt({ acquire, onForsaken: this.#giveBack });
  }

  /**
   * The attempt of this key, or a new one.
   *
   * @throws LockError `invalid` for a bad key; HttpRefusal for one that came with another request; LockError `aborted` for one that was called off.
   */
  start(
    asked: AttemptKey,
    acquire: Acquire,
  ): { readonly attempt: AcquireAttempt; readonly repeated: boolean } {
    const { key, name } = nameOf(asked.agentId, asked.key);
    this.#forget();
    const known = this.#find(name);
    const digest = createHash("sha256").update(asked.request).digest("base64");
    if (known !== undefined) {
      if (known.attempt === undefined)
        throw new LockError("aborted", "The acquire with this Idempotency-Key was called off.");
      if (known.digest !== digest)
        throw new HttpRefusal(invalid("Idempotency-Key", key, "a new one for another request"), {
          status: 422,
        });
      return { attempt: known.attempt, repeated: true };
    }
    const attempt = new AcquireAttempt({
      acquire: (cancellation) => this.#remembering(name, digest, acquire(cancellation), () => attempt),
      onForsaken: () => {
        this.#running.delete(name);
        this.#remembered.delete(name);
        this.#giveBack(attempt);
      },
    });
    this.#running.set(name, { digest, attempt, forgetAt: Infinity });
    return { attempt, repeated: false };
  }

  /** Calls an acquire off, whether it runs, is over or has not arrived yet. @returns it, if it is known. */
  callOff(agentId: string, key: string): AcquireAttempt | undefined {
    const { name } = nameOf(agentId, key);
    this.#forget();
    const attempt = this.#find(name)?.attempt;
    this.#running.delete(name);
    this.#remember(name, { digest: undefined, attempt: undefined });
    return attempt;
  }

  async #remembering(
    name: string,
    digest: string,
    locks: Promise<readonly AcquiredLock[]>,
    attempt: () => AcquireAttempt,
  ): Promise<readonly AcquiredLock[]> {
    try {
      const acquired = await locks;
      // Not when it was forsaken or called off meanwhile.
      if (this.#running.get(name)?.attempt === attempt())
        this.#remember(name, { digest, attempt: attempt() });
      return acquired;
    } finally {
      if (this.#running.get(name)?.attempt === attempt()) this.#running.delete(name);
    }
  }

  #find(name: string): Entry | undefined {
    return this.#running.get(name) ?? this.#remembered.get(name);
  }

  #remember(name: string, entry: Omit<Entry, "forgetAt">): void {
    this.#remembered.delete(name);
    this.#remembered.set(name, { ...entry, forgetAt: this.#clock.monotonic() + keyMemoryMs });
  }

  #forget(): void {
    const now = this.#clock.monotonic();
    for (const [name, entry] of this.#remembered) {
      if (entry.forgetAt > now && this.#remembered.size <= maxRemembered) return;
      this.#remembered.delete(name);
    }
  }
}

function nameOf(agentId: string, key: string): { readonly key: string; readonly name: string } {
  if (!keyPattern.test(key)) throw invalid("Idempotency-Key", key, "1 to 255 visible ASCII characters");
  // The agent is last, as it may contain anything; a key contains no space.
  return { key, name: `${key} ${agentId}` };
}
