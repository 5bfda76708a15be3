import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startTestServer } from "./running-server.js";

let folder: string;
let socket: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "engram-lock-socket-"));
  socket = join(folder, "lock.sock");
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Heard {
  readonly status: number;
  readonly text: string;
}

function ask(path: string, headers: Record<string, string> = {}): Promise<Heard> {
  return new Promise((resolve, reject) => {
    request({ socketPath: socket, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
}

/** A process that listens there until it is killed, and then cannot take its socket away. */
async function listenElsewhere(): Promise<{ kill(): Promise<void> }> {
  const code = `require("net").createServer((c) => c.end()).listen(${JSON.stringify(socket)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    kill: async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

describe("a server at a unix socket", () => {
  test("is the same as at its network address", async () => {
    await using api = await startTestServer({ socket });
    await api.post("/v1/locks", { resource_path: "/a", agent_id: "ann" });
    expect(await ask("/healthz")).toEqual({ status: 200, text: "alive\n" });
    expect(JSON.parse((await ask("/v1/locks")).text)).toMatchObject({ locks: [{ resource_path: "/a" }] });
    expect(api.server.url).toBe(`http://127.0.0.1:${api.port}`);
  });

  test("may have no network address", async () => {
    await using api = await startTestServer({ socket, listen: undefined });
    expect(api.server).toMatchObject({ url: `unix:${socket}`, address: undefined });
    expect((await ask("/readyz")).status).toBe(200);
  });

  test("takes WebSockets there", async () => {
    await using _api = await startTestServer({ socket });
    const ws = new WebSocket(`ws+unix:${socket}:/v1/ws`, "engram-lock.v1");
    await once(ws, "open");
    ws.send(JSON.stringify({ id: 1, op: "ping" }));
    const [data] = await once(ws, "message");
    expect(JSON.parse(String(data))).toEqual(expect.arrayContaining([expect.objectContaining({ id: 1 })]));
    ws.terminate();
  });

  test("lets in nobody but its own user, and takes the file away when it closes", async () => {
    const before = process.umask(0);
    try {
      await using api = await startTestServer({ socket });
      expect(statSync(socket).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
      await api.server.drain();
      expect(existsSync(socket)).toBe(false);
    } finally {
      process.umask(before);
    }
  });

  test("asks for Host and Origin as everywhere: a proxy may stand before it", async () => {
    await using _api = await startTestServer({ socket });
    expect((await ask("/healthz", { host: "localhost" })).status).toBe(200);
    expect((await ask("/healthz", { host: "evil.example" })).status).toBe(403);
    expect((await ask("/healthz", { origin: "https://evil.example" })).status).toBe(403);
  });
});

describe("a socket that is there already", () => {
  test("is taken over from a server that has died", async () => {
    const other = await listenElsewhere();
    await other.kill();
    expect(existsSync(socket)).toBe(true);
    await using _api = await startTestServer({ socket });
    expect((await ask("/healthz")).status).toBe(200);
  });

  test("is left to a server that answers", async () => {
    const other = await listenElsewhere();
    await expect(startTestServer({ socket })).rejects.toMatchObject({
      code: "EADDRINUSE",
      address: socket,
    });
    await expect(ask("/healthz")).rejects.toMatchObject({ code: "ECONNRESET" });
    await other.kill();
  });

  test("is left alone when it is no socket", async () => {
    writeFileSync(socket, "precious");
    await expect(startTestServer({ socket })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(readFileSync(socket, "utf8")).toBe("precious");
  });
});

describe("an address that cannot be listened on", () => {
  test.each(["/".padEnd(104, "x"), "", "/tmp/a\0b"])("%j is refused in words", async (path) => {
    await expect(startTestServer({ socket: path })).rejects.toMatchObject({
      code: "invalid",
      facts: { field: "socket", allowed: expect.stringContaining("at most 103 bytes") },
    });
  });

  test("leaves nothing behind: neither a socket, nor a port", async () => {
    await using api = await startTestServer();
    const listen = { host: "127.0.0.1", port: api.port };
    await expect(startTestServer({ socket, listen })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(existsSync(socket)).toBe(false);
    await expect(startTestServer({ listen: undefined })).rejects.toMatchObject({ code: "invalid" });
  });
});
