/** What follows from what happened: events for whoever listens, and word to the waiters whose turn may have come. */
import type { Happening } from "../core/happening.js";
import { storedPath } from "../core/resource-path.js";
import type { EventFacts, EventSource } from "./event-source.js";
import type { StoreClock } from "./store-clock.js";
import type { WaitingRoom } from "./waiting-room.js";

interface Freed {
  readonly path: string;
  readonly tree: boolean;
}

export class Happenings {
  readonly #events: EventSource;
  readonly #storeClock: StoreClock;
  readonly #room: WaitingRoom;
  #freed: Freed[] = [];
  /** This very commit queued somebody, who enters the room only when told. */
  #entering = false;

  constructor(events: EventSource, storeClock: StoreClock, room: WaitingRoom) {
    this.#events = events;
    this.#storeClock = storeClock;
    this.#room = room;
  }

  /** `waitedMs`: how long the command's own acquire has taken. */
  tell(
    happened: readonly Happening[],
    revision: number,
    waitedMs: (lockId: string) => number | undefined,
  ): void {
    for (const happening of happened) {
      if (happening.type === "queued") this.#entering = true;
      const isAwaited = this.#entering || !this.#room.isEmpty;
      if (isAwaited && frees(happening) && !isHandedOn(happening, happened)) {
        this.#freed.push({ path: happening.path, tree: happening.scope === "tree" });
      }
      const { type, resourceType, cause, heldMs } = happening;
      const waited = type === "acquired" ? waitedMs(happening.lockId) : undefined;
      this.#events.happened({ type, resourceType, cause, heldMs, waitedMs: waited }, () =>
        this.#eventOf(happening, revision, waited),
      );
    }
  }

  /** To be called when those who were served know it. */
  wake(): void {
    this.#entering = false;
    if (this.#freed.length === 0) return;
    const freed = this.#freed;
    this.#freed = [];
    for (const { path, tree } of freed) this.#room.freed(path, storedPath(path).ancestors, tree);
  }

  #eventOf(happening: Happening, revision: number, waited: number | undefined): EventFacts {
    const {
      type,
      path,
      resourceType,
      lockId,
      agentId,
      mode,
      scope,
      reason,
      token,
      expiresAt,
      heldMs,
      cause,
      by,
    } = happening;
    return {
      type,
      at: new Date(this.#storeClock.latest()),
      resourcePath: path,
      resourceType,
      lockId,
      agentId,
      mode,
      scope,
      ...(reason === undefined ? {} : { reason }),
      ...(token === undefined ? {} : { fencingToken: token === 0 ? revision : token }),
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
      ...(waited === undefined ? {} : { waitedMs: waited }),
      ...(heldMs === undefined ? {} : { heldMs }),
      ...(cause === undefined ? {} : { cause }),
      ...(by === undefined ? {} : { by }),
    };
  }
}

function frees({ type }: Happening): boolean {
  return type === "released" || type === "expired" || type === "revoked" || type === "dequeued";
}

/** The very change that freed the path gave it to the next exclusively: nobody else there can go. A tree freed also what is below. */
function isHandedOn(freed: Happening, happened: readonly Happening[]): boolean {
  return (
    freed.scope === "resource" &&
    happened.some((one) => one.type === "acquired" && one.path === freed.path && one.mode === "exclusive")
  );
}
