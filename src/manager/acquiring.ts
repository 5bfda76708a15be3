/** From a checked acquire to handles on its locks, and work done under one. */
import type { Request } from "../core/claim.js";
import type { Granted } from "../core/holding.js";
import type { AcquiredLock } from "../lock-manager.js";
import { AcquireCall } from "./acquire-call.js";
import type { Parts } from "./assembly.js";
import { Handle } from "./handle.js";
import type { AcquireInput } from "./inputs.js";
import { throwIfAborted } from "./reader.js";
import type { Services } from "./services.js";
import type { Hearing } from "./waiting-call.js";

/** Asks for the locks; the caller hears once of what came of it. */
export function startAcquire(services: Services, input: AcquireInput, caller: Hearing): void {
  throwIfAborted(input.signal);
  const claims = input.resources.map((resource, index) => ({
    resource,
    lockId: services.newId(),
    ttlMs: input.ttlMs[index] ?? 0,
  }));
  const request: Request = {
    requestId: claims[0]?.lockId ?? "",
    agentId: input.agentId,
    mode: input.mode,
    scope: input.scope,
    claims,
    reason: input.reason,
    metadata: input.metadata,
  };
  new AcquireCall(services, request, input, caller).start();
}

/** Gets a handle on each lock in the order asked. Classes and not closures, because thousands of callers may wait. */
abstract class Caller<Answer> implements Hearing {
  readonly #parts: Parts;
  readonly #autoExtend: boolean;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    parts: Parts,
    { autoExtend }: AcquireInput,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#parts = parts;
    this.#autoExtend = autoExtend;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected abstract answer(handles: AcquiredLock[]): Answer;

  granted({ claims }: Request, granted: readonly Granted[], revision: number): void {
    const { held, keeper } = this.#parts;
    const handles = claims.map(({ resource }, index) => {
      const holder = granted[index]?.holder;
      if (holder === undefined) throw new Error("Every claim is granted, or none.");
      return new Handle(held.add(resource, holder, revision, this.#autoExtend), keeper);
    });
    this.#resolve(this.answer(handles));
  }

  refused(error: unknown): void {
    this.#reject(error);
  }
}

export class CallerForOne extends Caller<AcquiredLock> {
  protected answer([handle]: AcquiredLock[]): AcquiredLock {
    if (handle === undefined) throw new Error("One path was asked for.");
    return handle;
  }
}

export class CallerForAll extends Caller<AcquiredLock[]> {
  protected answer(handles: AcquiredLock[]): AcquiredLock[] {
    return handles;
  }
}
