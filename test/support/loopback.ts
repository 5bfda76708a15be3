/** A lock manager reached over the wire, without a network: each frame takes a turn of the event loop, and no time. */
import { pino } from "pino";
import { RemoteLockManager } from "../../src/client/remote-lock-manager.js";
import type { Socket, SocketConstructor } from "../../src/client/socket.js";
import type { Clock } from "../../src/clock/clock.js";
import type { LockManager } from "../../src/lock-manager.js";
import { createServices, type Services } from "../../src/server/services.js";
import type { Pipe } from "../../src/server/wire/pipe.js";
import { Sessions } from "../../src/server/wire/sessions.js";
import { Talk } from "../../src/server/wire/talk.js";

/** The server of a manager: what of it is not the network. */
export class LoopbackServer {
  readonly sessions: Sessions;
  readonly #services: Services;
  readonly #clock: Clock;
  readonly #connections = new Set<Connection>();
  /** Frames that got to the server. */
  readonly framesTaken: string[] = [];
  /** Called before each frame is delivered, either way; it may cut the connections. */
  beforeFrame: () => void = () => {};
  isDeaf = false;
  #isReachable = true;
  #successor: LoopbackServer | undefined = undefined;

  constructor(manager: LockManager, clock: Clock) {
    this.#clock = clock;
    this.#services = createServices({ manager, clock, logger: pino({ level: "silent" }) });
    this.sessions = new Sessions(this.#services);
  }

  /** A program that uses the manager over the wire. */
  connect(): LockManager {
    return new RemoteLockManager({
      url: "ws://server/v1/ws",
      WebSocket: this.#socketConstructor(),
      clock: this.#clock,
      random: () => 0.5,
      graceMs: 5_000,
      agentId: undefined,
    });
  }

  /** From now on nothing that the server says arrives, or all of it again. */
  deafen(isDeaf: boolean): void {
    this.isDeaf = isDeaf;
  }

  /** Cuts every connection; what is on its way is lost. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  /** From now on there is no server, or there is one again. */
  reachable(isReachable: boolean): void {
    this.#isReachable = isReachable;
    if (!isReachable) this.cut();
  }

  /** Whoever connects to this one gets to that one from now on. */
  succeededBy(successor: LoopbackServer): void {
    this.#successor = successor;
  }

  #accept(socket: LoopbackSocket): void {
    if (this.#successor !== undefined) this.#successor.#accept(socket);
    else if (this.#isReachable) new Connection(socket, this, this.#clock, this.#services, this.#connections);
    else socket.end(1006, "unreachable");
  }

  get connections(): number {
    return this.#connections.size;
  }

  async close(): Promise<void> {
    this.sessions.close();
    await this.#services.background.settled();
  }

  #socketConstructor(): SocketConstructor {
    const accept = (socket: LoopbackSocket): void => {
      this.#clock.nextTurn(() => this.#accept(socket));
    };
    return class extends LoopbackSocket {
      constructor() {
        super();
        accept(this);
      }
    };
  }
}

/** The client's end. */
class LoopbackSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onerror: Socket["onerror"] = null;
  onclose: Socket["onclose"] = null;
  connection: Connection | undefined = undefined;
  isClosed = false;

  send(frame: string): void {
    this.connection?.fromClient(frame);
  }

  close(code = 1005): void {
    this.isClosed = true;
    this.connection?.closedByClient(code);
  }

  end(code: number, reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onclose?.({ code, reason });
  }
}

class Connection implements Pipe {
  readonly unsentBytes = 0;
  readonly #socket: LoopbackSocket;
  readonly #server: LoopbackServer;
  readonly #clock: Clock;
  readonly #talk: Talk;
  readonly #all: Set<Connection>;
  readonly #underWay: (() => void)[] = [];
  #isCut = false;

  constructor(
    socket: LoopbackSocket,
    server: LoopbackServer,
    clock: Clock,
    services: Services,
    all: Set<Connection>,
  ) {
    this.#socket = socket;
    this.#server = server;
    this.#clock = clock;
    this.#all = all;
    this.#talk = new Talk(services, server.sessions, this, undefined);
    all.add(this);
    socket.connection = this;
    if (socket.isClosed) this.closedByClient(1005);
    else socket.onopen?.({});
  }

  fromClient(frame: string): void {
    this.#later(() => {
      this.#server.beforeFrame();
      if (this.#isCut) return;
      this.#server.framesTaken.push(frame);
      this.#talk.receive(frame);
    });
  }

  closedByClient(code: number): void {
    this.#later(() => this.#end(code === 1000));
  }

  send(frame: string): void {
    this.#later(() => {
      this.#server.beforeFrame();
      if (!this.#isCut && !this.#server.isDeaf) this.#socket.onmessage?.({ data: frame });
    });
  }

  close(code: number, reason: string): void {
    this.#later(() => {
      this.#end(false);
      this.#socket.end(code, reason);
    });
  }

  cut(): void {
    this.#end(false);
    this.#socket.end(1006, "");
  }

  #end(forGood: boolean): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#all.delete(this);
    this.#talk.end(forGood);
  }

  /** What is done in one turn arrives in one piece, as over TCP: the other side has no turn between two frames of it. */
  #later(act: () => void): void {
    if (this.#underWay.push(act) > 1) return;
    this.#clock.nextTurn(() => {
      for (const arrive of this.#underWay.splice(0)) if (!this.#isCut) arrive();
    });
  }
}
