/** A server on a free port of 127.0.0.1 over a real manager with a store in memory, and a plain way to talk to it. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { pino } from "pino";
import type { z } from "zod";
import { systemClock } from "../../src/clock/system-clock.js";
import { type CreateLockManagerConfig, createLockManager } from "../../src/create-lock-manager.js";
import type { LockManager } from "../../src/lock-manager.js";
import type { checkResultSchema } from "../../src/protocol/check.js";
import type { lockPageSchema } from "../../src/protocol/list.js";
import type { problemSchema } from "../../src/protocol/problem.js";
import type { releasedSchema } from "../../src/protocol/release.js";
import type { resourceStateSchema } from "../../src/protocol/resource-state.js";
import { type HttpServer, type ServerOptions, startServer } from "../../src/server/start-server.js";
import { type ApiCheck, type ApiDescription, createApiCheck } from "./api-check.js";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of JSON answers. */
  readonly json: AnswerBody;
}

/** Whatever an answer may have in it; which of it is there is for each test to know. */
export type AnswerBody = z.output<typeof problemSchema> &
  z.output<typeof lockPageSchema> &
  z.output<typeof releasedSchema> &
  z.output<typeof resourceStateSchema> &
  z.output<typeof checkResultSchema> &
  ApiDescription;

export interface CallOptions {
  /** Sent as JSON, with its content type. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string | string[]>;
  readonly signal?: AbortSignal;
}

export interface TestServer extends AsyncDisposable {
  readonly manager: LockManager;
  readonly server: HttpServer;
  readonly url: string;
  readonly port: number;
  /** One request. Whatever comes back is held against the description of the API. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  get(path: string, options?: CallOptions): Promise<Answer>;
  post(path: string, json: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A bare connection. */
  socket(): Promise<Socket>;
}

const swaggerFolder = new URL("../../node_modules/swagger-ui-dist/", import.meta.url);

/** Made once, of the first server: all of them describe themselves alike. */
let apiCheck: Promise<ApiCheck> | undefined;

export async function startTestServer(
  options: Partial<ServerOptions> & { readonly config?: CreateLockManagerConfig } = {},
): Promise<TestServer> {
  const { config = {}, ...rest } = options;
  const manager = rest.manager ?? (await createLockManager({ type: "enhanced", ...config }, "memory:"));
  const server = await startServer({
    manager,
    clock: systemClock,
    logger: pino({ level: "silent" }),
    listen: { host: "127.0.0.1", port: 0 },
    docsFolder: swaggerFolder,
    ...rest,
  });
  const { port = 0 } = server.address ?? {};
  const agent = new Agent({ keepAlive: false });
  const send = (method: string, path: string, callOptions: CallOptions = {}): Promise<Answer> =>
    sendRequest({ port, agent, method, path, ...callOptions });
  const call: TestServer["call"] = async (method, path, callOptions) => {
    apiCheck ??= send("GET", "/openapi.json").then(({ json }) => createApiCheck(json));
    const answer = await send(method, path, callOptions);
    const check = await apiCheck;
    check(method, path, answer);
    return answer;
  };
  return {
    manager,
    server,
    url: server.url,
    port,
    call,
    get: (path, callOptions) => call("GET", path, callOptions),
    post: (path, json, headers = {}) => call("POST", path, { json, headers }),
    socket: () => openSocket(port),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await manager.close();
    },
  };
}

function sendRequest(
  options: CallOptions & { port: number; agent: Agent; method: string; path: string },
): Promise<Answer> {
  const { port, agent, method, path, json, headers = {}, signal } = options;
  const body = json === undefined ? options.body : JSON.stringify(json);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: "127.0.0.1",
        port,
        agent,
        method,
        path,
        ...(signal && { signal }),
        headers: {
          ...(json !== undefined && { "content-type": "application/json" }),
          ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const isJson = /json/.test(response.headers["content-type"] ?? "") && text !== "";
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: JSON.parse(isJson ? text : "{}"),
          });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.off("error", reject);
      // A server that cuts the connection is one of the things to be seen.
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Everything that comes until the other side ends. */
export function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}

/** Resolves once `condition` holds; looks again in each turn of the event loop. The test's own time limit bounds it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

export async function queueLength(manager: LockManager, path: string): Promise<number> {
  return (await manager.getResource(path)).queueLength;
}
