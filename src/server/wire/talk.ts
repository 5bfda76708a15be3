/** The beginning of a connection: whose session it is. From then on its frames are that session's. */
import { invalid, LockError } from "../../errors.js";
import { problemOf } from "../../protocol/problem.js";
import { parseAs } from "../../protocol/validation.js";
import { defaultGraceMs, helloSchema, maxFrameBytes } from "../../protocol/wire.js";
import { badBody } from "../http-refusal.js";
import type { Services } from "../services.js";
import { closeCodes, type Pipe } from "./pipe.js";
import type { Session } from "./session.js";
import type { Sessions } from "./sessions.js";

export class Talk {
  readonly #services: Services;
  readonly #sessions: Sessions;
  readonly #pipe: Pipe;
  readonly #agentId: string | undefined;
  #session: Session | undefined = undefined;

  constructor(services: Services, sessions: Sessions, pipe: Pipe, agentId: string | undefined) {
    this.#services = services;
    this.#sessions = sessions;
    this.#pipe = pipe;
    this.#agentId = agentId;
  }

  /** Takes in a frame. One that is no JSON ends the connection. */
  receive(frame: string): void {
    try {
      const messages = messagesOf(frame);
      if (this.#session === undefined) this.#begin(messages);
      // What comes late over a connection that was given up is said again over the one that took its place.
      else if (this.#session.isOn(this.#pipe)) this.#session.receive(messages);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Everything that was sent has left this process. */
  drained(): void {
    this.#session?.goOn();
  }

  /** @param forGood the caller said that it will not come back. */
  end(forGood: boolean): void {
    if (this.#session !== undefined) this.#sessions.detach(this.#session, this.#pipe, forGood);
  }

  #begin(messages: readonly unknown[]): void {
    const [first] = messages;
    if (typeof first !== "object" || first === null || !("hello" in first)) {
      // A caller by hand, as with a command-line tool: no session, just answers.
      this.#session = this.#sessions.begin({ agentId: this.#agentId, graceMs: 0 });
      this.#sessions.attach(this.#session, this.#pipe, 0);
      this.#session.receive(messages);
      return;
    }
    if (messages.length > 1) throw invalid("hello", messages.length, "to be alone in its frame");
    this.#welcome(first);
  }

  #welcome(message: unknown): void {
    const { session: id, seen = 0, grace_ms = defaultGraceMs } = parseAs(helloSchema, message).hello;
    const found = id === undefined ? undefined : this.#sessions.find(id);
    const known = found?.agentId === this.#agentId ? found : undefined;
    const session = known ?? this.#sessions.begin({ agentId: this.#agentId, graceMs: Math.max(grace_ms, 1) });
    const { manager, version } = this.#services;
    this.#session = session;
    const welcome = {
      session: session.id,
      resumed: known !== undefined,
      seen: session.seen,
      grace_ms: session.graceMs,
      max_frame_bytes: maxFrameBytes,
      store_time: manager.currentTime().toISOString(),
      version,
    };
    this.#pipe.send(JSON.stringify({ welcome }));
    this.#sessions.attach(session, this.#pipe, known === undefined ? 0 : seen);
  }

  #refuse(error: unknown): void {
    if (!(error instanceof LockError)) throw error;
    const problem = problemOf(error, { now: this.#services.manager.currentTime() });
    this.#pipe.send(JSON.stringify({ id: null, error: problem }));
    this.#pipe.close(closeCodes.policy, "The frame was not understood.");
  }
}

function messagesOf(frame: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    throw badBody("well-formed JSON");
  }
  return Array.isArray(value) ? value : [value];
}
