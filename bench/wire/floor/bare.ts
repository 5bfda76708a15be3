/** The floor: a lock table behind a connection, and a client, with nothing else. How fast could anybody be with Node, JSON and this transport? */
import type { Contestant } from "../../contestants/contestant.js";
import { ofThisProcess, type WireKind, type WireServer } from "../wire-kind.js";
import { Journal } from "./journal.js";
import { LockTable } from "./lock-table.js";
import { type Answer, type NamedLock, type Request, Turn } from "./messages.js";
import { type Channel, type Transport, tcp, webSocket } from "./transport.js";

export const bareWebSocket = bare("bare WebSocket", webSocket);
export const bareTcp = bare("bare TCP", tcp);
/** Every acknowledgement flushed. */
export const bareFlushed = bare("bare WebSocket, flushed", webSocket, () => new Journal());

function bare(name: string, transport: Transport, openJournal?: () => Journal): WireKind {
  return {
    name,
    serve: () => serve(transport, openJournal?.()),
    connect: async (address) => clientOf(name, await transport.connect(address)),
  };
}

async function serve(transport: Transport, journal: Journal | undefined): Promise<WireServer> {
  const table = new LockTable();
  const server = await transport.listen((channel) => listen(table, channel, journal));
  return {
    ...ofThisProcess,
    address: server.address,
    async stop() {
      await server.close();
      await journal?.close();
    },
  };
}

function listen(table: LockTable, channel: Channel, journal: Journal | undefined): void {
  const answers = new Turn<Answer>((all) => {
    const text = JSON.stringify(all);
    if (journal === undefined) channel.send(text);
    else journal.append(text, () => channel.send(text));
  });
  const answer = (request: Request): void => {
    const { id } = request;
    switch (request.op) {
      case "acquire":
        table.acquire(request.resource_path, (token) => answers.add({ id, result: [token] }));
        break;
      case "acquire_multiple":
        table.acquireAll(request.resource_paths, (tokens) => answers.add({ id, result: tokens }));
        break;
      case "release": {
        const released = request.locks.filter((lock) =>
          table.release(lock.resource_path, lock.fencing_token),
        );
        answers.add({ id, result: released.length });
        break;
      }
    }
  };
  channel.onText((text) => {
    for (const request of JSON.parse(text) as Request[]) answer(request);
  });
}

type Settle = (result: Answer["result"]) => void;

function clientOf(name: string, channel: Channel): Contestant {
  const open = new Map<number, Settle>();
  let lastId = 0;
  const requests = new Turn<Request>((all) => channel.send(JSON.stringify(all)));
  const ask = (make: (id: number) => Request): Promise<Answer["result"]> =>
    new Promise((resolve) => {
      const id = ++lastId;
      open.set(id, resolve);
      requests.add(make(id));
    });
  channel.onText((text) => {
    for (const { id, result } of JSON.parse(text) as Answer[]) {
      open.get(id)?.(result);
      open.delete(id);
    }
  });
  const release = async (locks: readonly NamedLock[]): Promise<void> => {
    const released = await ask((id) => ({ id, op: "release", locks }));
    if (released !== locks.length) throw new Error(`${name} released ${String(released)} of ${locks.length}`);
  };
  const locksOf = (paths: readonly string[], tokens: Answer["result"]): NamedLock[] =>
    paths.map((resource_path, n) => ({
      resource_path,
      fencing_token: typeof tokens === "number" ? tokens : (tokens[n] ?? 0),
    }));
  return {
    name,
    queues: true,
    async hold(path, worker, work) {
      const agent_id = `agent-${worker}`;
      const tokens = await ask((id) => ({ id, op: "acquire", resource_path: path, agent_id }));
      await work();
      await release(locksOf([path], tokens));
    },
    async holdAll(paths, worker, work) {
      const agent_id = `agent-${worker}`;
      const resource_paths = paths.toSorted();
      const tokens = await ask((id) => ({ id, op: "acquire_multiple", resource_paths, agent_id }));
      await work();
      await release(locksOf(resource_paths, tokens));
    },
    close: async () => channel.close(),
  };
}
