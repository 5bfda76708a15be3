/** Who makes an acquire, takes the locks in hand, and remembers what it heard. */
import type { Request } from "../../../src/core/claim.js";
import type { Granted } from "../../../src/core/holding.js";
import type { LockError } from "../../../src/errors.js";
import { AcquireCall, type AcquireTerms } from "../../../src/manager/acquire-call.js";
import type { Parts } from "../../../src/manager/assembly.js";
import type { Hearing } from "../../../src/manager/waiting-call.js";

export class Caller implements Hearing {
  readonly call: AcquireCall;
  /** As it was asked, and in the end as it was granted. */
  request: Request;
  locks: readonly Granted[] = [];
  revision = 0;
  error: LockError | undefined = undefined;
  /** What it heard, which must be one thing, and when, by the local clock. */
  readonly heard: ("granted" | LockError["code"])[] = [];
  heardAt = Infinity;
  readonly #parts: Parts;

  constructor(parts: Parts, request: Request, terms: AcquireTerms) {
    this.#parts = parts;
    this.request = request;
    this.call = new AcquireCall(parts.services, request, terms, this);
  }

  granted(request: Request, granted: readonly Granted[], revision: number): void {
    this.request = request;
    this.locks = granted;
    this.revision = revision;
    for (const [index, { resource }] of request.claims.entries()) {
      const holder = granted[index]?.holder;
      if (holder !== undefined) this.#parts.held.add(resource, holder, revision, false);
    }
    this.#hear("granted");
  }

  refused(error: unknown): void {
    this.error = error as LockError;
    this.#hear(this.error.code);
  }

  #hear(what: "granted" | LockError["code"]): void {
    this.heard.push(what);
    this.heardAt = this.#parts.services.clock.monotonic();
  }
}
