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
  readonly #freed: Freed[] = [];

  constructor(events: EventSource, storeClock: StoreClock, room: WaitingRoom) {
    this.#events = events;
    this.#storeClock = storeClock;
    this.#room = room;
  }

  /** A lock that the command did not ask for itself was promoted. */
  tell(
    happened: readonly Happening[],
    revision: number,
    command: { readonly waitedMs?: number | undefined },
  ): void {
    for (const happening of happened) {
      if (frees(happening) && !this.#room.isEmpty && !isHandedOn(happening, happened)) {
        this.#freed.push({ path: happening.path, tree: happening.scope === "tree" });
      }
      const { type, resourceType, cause, heldMs } = happening;
      const waitedMs =
        type === "acquired" ? (command.waitedMs ?? this.#room.find(happening.lockId)?.waitedMs) : undefined;
      this.#events.count({ type, resourceType, cause, heldMs, waitedMs });
      if (this.#events.isRead) this.#events.offer(this.#eventOf(happening, revision, waitedMs));
    }
  }

  /** To be called when those who were served know it. */
  wake(): void {
    for (const { path, tree } of this.#freed) this.#room.freed(path, storedPath(path).ancestors, tree);
    this.#freed.length = 0;
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
