/** All sessions of the server: those that have a connection, and those that are waited for. */
import { randomUUID } from "node:crypto";
import type { Cancel } from "../../clock/clock.js";
import type { Services } from "../services.js";
import { closeCodes, type Pipe } from "./pipe.js";
import { Session } from "./session.js";
import { Unread } from "./unread.js";

/** How many sessions are waited for. Of more, the one that has been gone for longest ends. */
const mostWaitedFor = 10_000;

export class Sessions {
  readonly #services: Services;
  readonly #sessions = new Map<string, Session>();
  /** Those without a connection, longest first, with what keeps them from ending. */
  readonly #waitedFor = new Map<Session, Cancel>();
  readonly #unread: Unread;
  #isDraining = false;

  constructor(services: Services) {
    this.#services = services;
    this.#unread = new Unread(services.maxUnreadBytes, () => this.#makeRoom());
  }

  get size(): number {
    return this.#sessions.size;
  }

  get draining(): boolean {
    return this.#isDraining;
  }

  begin(terms: { readonly agentId: string | undefined; readonly graceMs: number }): Session {
    const session = new Session(this.#services, this.#unread.share(), { id: randomUUID(), ...terms });
    this.#sessions.set(session.id, session);
    return session;
  }

  /** The session of this id, for a new connection to go on with. */
  find(id: string): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.isOver === true ? undefined : session;
  }

  attach(session: Session, pipe: Pipe, seen: number): void {
    this.#stopWaiting(session);
    session.attach(pipe, seen);
  }

  /** The connection is gone. @param forGood its caller said that it will not come back. */
  detach(session: Session, pipe: Pipe, forGood: boolean): void {
    if (!session.detach(pipe) && !session.isOver) return;
    if (forGood || session.graceMs === 0 || this.#isDraining || session.isOver) {
      this.#end(session);
      return;
    }
    const cancel = this.#services.clock.after(session.graceMs, () => this.#end(session), {
      background: true,
    });
    this.#waitedFor.set(session, cancel);
    const [longest] = this.#waitedFor.keys();
    if (this.#waitedFor.size > mostWaitedFor && longest !== undefined) this.#end(longest);
  }

  /** Lets every session answer what it was asked, then ends it. New ones are not begun. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.idle()));
    this.close();
  }

  /** Ends every session. */
  close(): void {
    this.#isDraining = true;
    for (const session of this.#sessions.values()) {
      session.close(closeCodes.goingAway, "The server is shutting down.");
      this.#end(session);
    }
  }

  /**
   * Ends sessions whose callers are gone and have left something unread, the one that has been gone for longest before the others. When that is not
   * enough it is the turn of whoever reads slowest, and not of whoever happens to be told something: a few that do not read must not cost the others theirs.
   */
  #makeRoom(): void {
    for (const session of this.#waitedFor.keys()) {
      if (!this.#unread.isTooMuch) return;
      if (session.unread.bytes === 0) continue;
      session.cutOff();
      this.#end(session);
    }
    for (let slowest = this.#slowest(); slowest !== undefined; slowest = this.#slowest()) {
      if (!this.#unread.isTooMuch) return;
      slowest.cutOff();
    }
  }

  #slowest(): Session | undefined {
    let slowest: Session | undefined;
    for (const session of this.#sessions.values())
      if (session.unread.bytes > (slowest?.unread.bytes ?? 0)) slowest = session;
    return slowest;
  }

  #stopWaiting(session: Session): void {
    this.#waitedFor.get(session)?.();
    this.#waitedFor.delete(session);
  }

  #end(session: Session): void {
    this.#stopWaiting(session);
    this.#sessions.delete(session.id);
    session.end();
  }
}
