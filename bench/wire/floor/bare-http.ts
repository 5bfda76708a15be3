/** The floor of HTTP: a lock table behind `node:http`, which understands the two requests of ours and nothing else. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { openHttp } from "../peers/engram-lock.js";
import { ofThisProcess, type WireKind, type WireServer } from "../wire-kind.js";
import { LockTable } from "./lock-table.js";

export const bareHttp: WireKind = {
  name: "bare HTTP",
  serve,
  connect: async (url) => openHttp("bare HTTP", url),
};

interface Body {
  readonly resource_path?: string;
  readonly locks?: readonly { readonly resource_path: string; readonly lock_id: string }[];
}

async function serve(): Promise<WireServer> {
  const table = new LockTable();
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => answer(table, JSON.parse(text) as Body, response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return {
    ...ofThisProcess,
    address: `http://127.0.0.1:${address.port}`,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(table: LockTable, { resource_path, locks }: Body, response: ServerResponse): void {
  const send = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  if (locks !== undefined)
    send(200, { released: locks.map((lock) => table.release(lock.resource_path, Number(lock.lock_id))) });
  else if (resource_path !== undefined)
    table.acquire(resource_path, (token) =>
      send(201, { locks: [{ resource_path, lock_id: String(token), fencing_token: token }] }),
    );
}
