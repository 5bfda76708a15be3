/**
 * A conversation with a server, as `docs/protocol.md` records it. Each line is something that happens:
 *
 *     # a remark            worker connects        worker > what it says
 *     6 s pass              worker is cut off      worker < what the server says to it
 *     the server notices    worker closes
 *
 * Of who is cut off nothing arrives any more, either way: `~>` and `<~`. A frame has a line for each of its messages.
 */
import { pino } from "pino";
import { createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import { createServices, type Services } from "../../src/server/services.js";
import type { Pipe } from "../../src/server/wire/pipe.js";
import { Sessions } from "../../src/server/wire/sessions.js";
import { Talk } from "../../src/server/wire/talk.js";
import { openMemoryStore } from "../../src/store/memory/memory-store.js";
import { ManualClock } from "../support/manual-clock.js";

/** What somebody does, or what the server says to it. */
export type Step = Act | { readonly kind: "hears" };

type Act =
  | { readonly kind: "remark"; readonly text: string }
  | { readonly kind: "says"; readonly who: string; readonly frame: string }
  | { readonly kind: "connects" | "is cut off" | "closes"; readonly who: string }
  | { readonly kind: "the server notices" }
  | { readonly kind: "pass"; readonly seconds: number };

export function parseConversation(text: string): Step[] {
  return text.replaceAll(/\n +/g, "").split("\n").map(stepOf);
}

function stepOf(line: string): Step {
  if (line === "" || line.startsWith("#")) return { kind: "remark", text: line };
  if (line === "the server notices") return { kind: line };
  const [, seconds] = /^(\d+) s pass$/.exec(line) ?? [];
  if (seconds !== undefined) return { kind: "pass", seconds: Number(seconds) };
  const [, who = "", what, frame = ""] =
    /^(\w+) (connects|is cut off|closes|~?>|<~?)(?: (.*))?$/.exec(line) ?? [];
  if (what === "connects" || what === "is cut off" || what === "closes") return { kind: what, who };
  if (what === undefined) throw new Error(`What is meant by "${line}"?`);
  return what.includes(">") ? { kind: "says", who, frame } : { kind: "hears" };
}

/** Has the conversation again, with a server of its own and a clock that stands still. @returns its text. */
export async function hold(steps: readonly Step[]): Promise<string> {
  const stage = await Stage.open();
  for (const step of steps) if (step.kind !== "hears") await stage.play(step);
  await stage.close();
  return stage.lines.join("\n");
}

class Stage {
  readonly lines: string[] = [];
  readonly #clock: ManualClock;
  readonly #manager: LockManager;
  readonly #services: Services;
  readonly #sessions: Sessions;
  readonly #connections = new Map<string, Connection>();
  readonly #names = new Names();

  static async open(): Promise<Stage> {
    const clock = new ManualClock();
    let ids = 0;
    const manager = await createLockManager({}, openMemoryStore({ clock }), {
      clock,
      newId: () => `id-${++ids}`,
      random: () => 0.5,
    });
    return new Stage(clock, manager);
  }

  private constructor(clock: ManualClock, manager: LockManager) {
    const logger = pino({ level: "silent" });
    this.#clock = clock;
    this.#manager = manager;
    this.#services = createServices({ manager, clock, logger, version: "1.0.0" });
    this.#sessions = new Sessions(this.#services);
  }

  async play(step: Act): Promise<void> {
    this.#act(step);
    if (step.kind === "pass") await this.#clock.advance(step.seconds * 1_000);
    await this.#clock.settle();
  }

  #act(step: Act): void {
    switch (step.kind) {
      case "remark":
        this.lines.push(step.text);
        return;
      case "the server notices":
        this.lines.push(step.kind);
        for (const connection of this.#connections.values()) connection.notice();
        return;
      case "pass":
        this.lines.push(`${step.seconds} s pass`);
        return;
      case "connects":
        this.lines.push(`${step.who} connects`);
        this.#connections.set(step.who, this.#connect(step.who));
        return;
      case "is cut off":
        this.lines.push(`${step.who} is cut off`);
        this.#of(step.who).isCutOff = true;
        return;
      case "closes":
        this.lines.push(`${step.who} closes`);
        this.#of(step.who).close();
        return;
      case "says":
        this.lines.push(written(`${step.who} ${this.#of(step.who).isCutOff ? "~>" : ">"}`, step.frame));
        this.#of(step.who).say(this.#names.real(step.frame));
    }
  }

  #connect(who: string): Connection {
    return new Connection(
      (pipe) => new Talk(this.#services, this.#sessions, pipe, undefined),
      (heard) => this.#hear(who, heard),
    );
  }

  #of(who: string): Connection {
    const connection = this.#connections.get(who);
    if (connection === undefined) throw new Error(`${who} has not connected.`);
    return connection;
  }

  #hear(who: string, { isLost, frame }: Heard): void {
    this.lines.push(written(`${who} ${isLost ? "<~" : "<"}`, this.#names.shown(frame)));
  }

  async close(): Promise<void> {
    for (const connection of this.#connections.values()) connection.isOver = true;
    this.#sessions.close();
    this.#services.events.close();
    const closing = this.#manager.close();
    await this.#clock.advance(15_000);
    await closing;
    await this.#services.background.settled();
  }
}

interface Heard {
  readonly isLost: boolean;
  /** JSON, or what closed the connection. */
  readonly frame: string;
}

class Connection implements Pipe {
  readonly unsentBytes = 0;
  isCutOff = false;
  isOver = false;
  readonly #talk: Talk;
  readonly #hear: (heard: Heard) => void;

  constructor(connect: (pipe: Pipe) => Talk, hear: (heard: Heard) => void) {
    this.#hear = hear;
    this.#talk = connect(this);
  }

  say(frame: string): void {
    if (!this.isCutOff) this.#talk.receive(frame);
  }

  send(frame: string): void {
    if (!this.isOver) this.#hear({ isLost: this.isCutOff, frame });
  }

  close(code?: number, reason = ""): void {
    if (code === undefined) this.#talk.end(true);
    else this.send(`closed with ${code}: ${reason}`);
    this.isOver = true;
  }

  notice(): void {
    if (!this.isCutOff || this.isOver) return;
    this.isOver = true;
    this.#talk.end(false);
  }
}

/** What is drawn by chance has other names in the document: sessions, and the numbers of events. */
class Names {
  readonly #sessions: string[] = [];
  /** What is taken off the number of an event. */
  #offset: number | undefined = undefined;

  shown(frame: string): string {
    return frame
      .replaceAll(/(?<="session":")[^"]+/g, (id) => {
        if (!this.#sessions.includes(id)) this.#sessions.push(id);
        return `session-${this.#sessions.indexOf(id) + 1}`;
      })
      .replaceAll(/(?<="position":|"event":\{"id":)\d+/g, (id) => {
        this.#offset ??= Number(id) - 5_000;
        return String(Number(id) - this.#offset);
      });
  }

  real(frame: string): string {
    return frame
      .replaceAll(/"session-(\d+)"/g, (_, number: string) =>
        JSON.stringify(this.#sessions[Number(number) - 1]),
      )
      .replaceAll(/(?<="since":)\d+/g, (id) => String(Number(id) + (this.#offset ?? 0)));
  }
}

function written(begin: string, frame: string): string {
  const messages: unknown = frame.startsWith("[") ? JSON.parse(frame) : undefined;
  if (!Array.isArray(messages)) return `${begin} ${frame}`;
  const indent = `\n${" ".repeat(begin.length + 2)}`;
  return `${begin} [${messages.map((message) => JSON.stringify(message)).join(`,${indent}`)}]`;
}
