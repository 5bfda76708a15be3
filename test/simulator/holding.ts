/** What agents do with the locks that they have: extend them, and give them back in every way there is. */
import type { Handle } from "./ledger.js";
import type { Action } from "./script.js";
import type { Narrator, Stage } from "./stage.js";

export class Holding {
  private readonly stage: Stage;
  private readonly narrator: Narrator;

  constructor(stage: Stage, narrator: Narrator) {
    this.stage = stage;
    this.narrator = narrator;
  }

  /** Once its agent has no other handle of the lock there, the lock may end. */
  leave(handle: Handle): void {
    const { ledger } = this.stage.oracle;
    ledger.drop(handle);
    const { lockId } = handle.lock;
    const others = ledger.handlesOf.get(lockId) ?? [];
    if (!others.some((one) => one.process === handle.process && !one.isLeaving)) ledger.leaving.add(lockId);
  }

  letGo(handle: Handle): void {
    const { agentId, resourcePath, lockId } = handle.lock;
    if (!handle.process.isAwake) return;
    this.narrator.command(handle.process, `release ${agentId} ${resourcePath}`);
    const { ledger } = this.stage.oracle;
    // A release by id that has no answer yet has left its handles open.
    const wasLeaving = ledger.leaving.has(lockId);
    this.leave(handle);
    const isLast = !wasLeaving && !(ledger.handlesOf.get(lockId) ?? []).some((one) => !one.isLeaving);
    const before = ledger.timesGranted(lockId);
    this.narrator.hear(handle.process, handle.lock.release(), (done) => {
      if (isLast) this.stage.oracle.released(lockId, agentId, done, before, handle.signal);
      return done ? `${agentId} has released ${resourcePath}` : `${agentId} had nothing to release`;
    });
  }

  release({ which, how }: Action & { kind: "release" }): void {
    const { oracle, fleet } = this.stage;
    const handle = this.handle(which);
    if (handle === undefined) return;
    const { resourcePath, agentId, lockId } = handle.lock;
    if (how === "handle") {
      this.letGo(handle);
      return;
    }
    const process = how === "id elsewhere" ? fleet.living[which % fleet.living.length] : handle.process;
    if (process?.isAwake !== true) return;
    const as = how === "another agent" ? "mallory" : agentId;
    const id = how === "another id" ? "some-other-id" : lockId;
    const suffix = {
      id: " by id",
      "id elsewhere": " by id",
      "another id": " with another id",
      "another agent": " as mallory",
    };
    this.narrator.command(process, `release ${agentId} ${resourcePath}${suffix[how]}`);
    const isOwn = how === "id" || how === "id elsewhere";
    if (isOwn) oracle.ledger.leave(lockId);
    const before = oracle.ledger.timesGranted(lockId);
    this.narrator.hear(process, process.manager!.releaseLock(resourcePath, as, id), (done) => {
      if (isOwn) oracle.released(lockId, agentId, done, before);
      else if (done) oracle.report("I12", `${as} released ${lockId} (${resourcePath}) of ${agentId}`);
      return done ? `${agentId} has released ${resourcePath}` : `${agentId} had nothing to release`;
    });
  }

  extend({ which, ttlMs, byId }: Action & { kind: "extend" }): void {
    const handle = this.handle(which);
    if (handle !== undefined) this.prolong(handle, ttlMs, byId);
  }

  prolong({ process, lock, signal }: Handle, ttlMs: number, byId: boolean): void {
    if (!process.isAwake) return;
    const { resourcePath, agentId, lockId } = lock;
    const { oracle } = this.stage;
    this.narrator.command(process, `extend ${agentId} ${resourcePath}${byId ? " by id" : ""} for ${ttlMs}ms`);
    const work = byId
      ? process.manager!.extendLock(resourcePath, agentId, lockId, ttlMs)
      : lock.extend(ttlMs);
    const heard = work.then(
      (extended) => {
        oracle.extended(extended);
        return extended;
      },
      (error: unknown) => {
        oracle.notExtended(lockId, byId ? undefined : signal, error);
        throw error;
      },
    );
    this.narrator.hear(process, heard, (extended) => this.narrator.words.holdsFor(extended));
  }

  private handle(which: number): Handle | undefined {
    const handles = [...this.stage.oracle.ledger.handles].filter((one) => one.process.isAwake);
    return handles[which % Math.max(handles.length, 1)];
  }
}
