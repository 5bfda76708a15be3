import { existsSync, readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { askRedis, needRedis, startRedis } from "../servers/redis.js";
import { Desk, isAlive, main } from "./command.js";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const serve = ["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"];

describe("serve", () => {
  test("says where store, API, metrics and docs are, and the commands that make a first lock; and they work", async () => {
    const server = desk.start(serve);
    const [words] = await server.says(/engram-lock \S+ is running.\n[^]*Ctrl-C stops the server.\n/);
    expect(words).toContain(`file:${join(desk.project, ".engram-lock/locks")}`);
    const [, url] = /^ {4}address {3}(http:\/\/127\.0\.0\.1:\d+)$/m.exec(words)!;
    for (const [name, path] of [
      ["metrics", "/metrics"],
      ["docs", "/docs"],
    ]) {
      expect(words).toContain(`    ${name!.padEnd(9)} ${url}${path}`);
      expect((await fetch(`${url}${path}`)).status).toBe(200);
    }
    const [, run, show] = /another terminal:\n {4}\S+ \S+ (run .*) -- sleep 60\n {4}\S+ \S+ (show .*)\n/.exec(
      words,
    )!;
    const first = desk.start([...split(run!), "--", "sh", "-c", "echo ready; exec sleep 600"]);
    await first.says(/ready/);
    expect((await desk.run(split(show!))).stdout).toMatch(
      /^\/deploy\/prod is held\n {4}held by .* for "try it"\n/,
    );
    first.kill("SIGTERM");
    expect((await first.ended).code).toBe(143);
  });

  test("started as by npm start, names a program that does what it says", async () => {
    const script = fileURLToPath(new URL("../../scripts/start.mjs", import.meta.url));
    const server = desk.start(serve.slice(1), { script });
    const [, program] = await server.says(/another terminal:\n {4}node (\S+) run /);
    expect(resolve(desk.project, program!)).toBe(main);
  });

  test("says the same as JSON", async () => {
    const server = desk.start([...serve, "--store", "memory:", "--json"]);
    const [text] = await server.says(/\{[^]*\}\n/);
    const { url, ...rest } = JSON.parse(text);
    expect(rest).toEqual({
      store: "memory:",
      durable: false,
      promise: "correctness",
      metrics: `${url}/metrics`,
      docs: `${url}/docs`,
    });
  });

  test("says that a store on Redis may lose locks, and does not say the password", async ({ skip }) => {
    const redis = await startRedis(needRedis(skip));
    onTestFinished(() => redis.stop());
    await askRedis(redis.port, (asked) => asked.config("SET", "requirepass", "secret"));
    const store = redis.url.replace("//", "//:secret@");
    const server = desk.start([...serve, "--store", store]);
    const [words] = await server.says(/engram-lock \S+ is running.\n[^]*Ctrl-C stops the server.\n/);
    expect(words).toContain(
      `redis://…@127.0.0.1:${redis.port}   for efficiency: a failing server may lose locks, see docs/stores.md`,
    );
    expect(words).not.toContain("secret");
  });

  test.each([["SIGTERM"], ["SIGINT"]] as const)(
    "ends in order on %s, and the locks are there again",
    async (signal) => {
      const first = desk.start(serve);
      const [, url] = await first.says(/address +(\S+)/);
      await desk.run(["acquire", "/plan", "--agent", "ann", "--ttl", "10m", "--url", url!]);
      first.kill(signal);
      expect((await first.ended).code).toBe(0);

      const second = desk.start(serve);
      const [, again] = await second.says(/address +(\S+)/);
      expect((await desk.json(["ls", "--url", again!])).locks).toMatchObject([{ agent_id: "ann" }]);
      expect((await desk.json(["ls"])).locks).toMatchObject([{ agent_id: "ann" }]);
    },
  );

  test("ends while somebody waits", async () => {
    const server = desk.start(serve);
    const [, url] = await server.says(/address +(\S+)/);
    await desk.run(["acquire", "/plan", "--agent", "ann", "--ttl", "10m", "--url", url!]);
    const bob = desk.start(["acquire", "/plan", "--agent", "bob", "--url", url!, "--timeout", "10m"]);
    await bob.says(/waiting for \/plan/, "stderr");
    server.kill("SIGTERM");
    expect((await server.ended).code).toBe(0);
    expect((await bob.ended).code).toBe(69);
  });

  test("says in a sentence that the port is in use", async () => {
    const first = desk.start(serve);
    const [, port] = await first.says(/address +http:\/\/127.0.0.1:(\d+)/);
    const { code, stdout, stderr } = await desk.run(["serve", "--listen", `127.0.0.1:${port}`]);
    expect(stderr).toMatch(new RegExp(`^engram-lock: .*127.0.0.1:${port}.* in use.*\\n`));
    expect(stdout).toBe("");
    expect(code).toBe(69);
  });

  test.each([["0.0.0.0:0"], ["[::]:0"], ["192.0.2.1:7420"]])(
    "refuses to listen on %s, where others could reach it",
    async (listen) => {
      const { code, stderr } = await desk.run(["serve", "--listen", listen]);
      expect(stderr).toContain("other machines could reach it");
      expect(code).toBe(78);
    },
  );

  test("prints its settings and where they come from, without starting", async () => {
    const { code, stdout } = await desk.run(["serve", "--print-config", "--listen", "[::1]:1"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      store: { value: `file:${join(desk.project, ".engram-lock/locks")}`, from: "default" },
      listen: { value: "[::1]:1" },
      log_level: { value: "info" },
      user_file: join(desk.home, ".config/engram-lock/config.json"),
    });
  });
});

describe("every verb works with a server", () => {
  const as = (agent: string, ...args: string[]) => desk.run([...args, "--agent", agent]);
  beforeEach(() => desk.serve());

  test("acquire, check, ls, show, extend, release", async () => {
    const { locks } = await desk.json([
      "acquire",
      "/b",
      "/a",
      "--agent",
      "ann",
      "--ttl",
      "10m",
      "--reason",
      "because",
    ]);
    expect(locks).toMatchObject([
      { resource_path: "/b", agent_id: "ann", ttl_ms: 600_000, reason: "because" },
      { resource_path: "/a", agent_id: "ann" },
    ]);
    expect(await desk.json(["ls"])).toMatchObject({
      locks: [{ lock_id: locks[1]!.lock_id }, { lock_id: locks[0]!.lock_id }],
    });
    expect((await as("bob", "check", "/a", "/c")).code).toBe(75);
    expect((await as("ann", "check", "/a", "/c")).code).toBe(0);
    expect((await as("ann", "extend", "/a", "--ttl", "1m", "--json")).stdout).toContain('"ttl_ms": 60000');
    const held = await as("bob", "acquire", "/a", "--no-wait");
    expect(held.stderr).toContain('held by   ann for "because"');
    expect(held.code).toBe(75);
    expect((await as("bob", "release", "/a")).code).toBe(77);
    expect((await as("ann", "release", "/nothing")).code).toBe(66);
    expect((await as("ann", "release", "--mine")).stdout).toBe("/a released\n/b released\n");
    expect((await desk.run(["show", "/a"])).stdout).toBe("/a is free\n");
  });

  test("a wait is told, and Ctrl-C leaves the queue", async () => {
    await as("ann", "acquire", "/plan", "--ttl", "10m");
    const bob = desk.start(["acquire", "/plan", "--agent", "bob"]);
    await bob.says(/held by {3}ann[^]*1st of 1/, "stderr");
    bob.kill("SIGINT");
    expect((await bob.ended).code).toBe(130);
    expect(await desk.json(["show", "/plan"])).toMatchObject({ queue_length: 0 });
  });

  test("run holds, extends and loses", async () => {
    const report = join(desk.folder, "report.json");
    const script = "echo ready; exec sleep 600";
    const running = desk.start(["run", "/plan", "--ttl", "2s", "--report", report, "--", "sh", "-c", script]);
    await running.says(/ready/);
    expect((await as("bob", "acquire", "/plan", "--timeout", "2500ms")).code).toBe(75);
    await as("op", "release", "/plan", "--force", "--yes", "--reason", "because");
    expect((await running.ended).code).toBe(76);
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({ failed: "lock", stopped: true });
  });

  test("run ends its command before the lock expires when the server is gone", async () => {
    const report = join(desk.folder, "report.json");
    const script = "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    const args = ["--ttl", "4s", "--report", report, "--", "sh", "-c", script];
    const running = desk.start(["run", "/plan", ...args]);
    await running.says(/ready/);
    const manager = await desk.manager();
    await desk.stopServers();
    await running.says(/told/);
    // A third of the ttl is left then: nobody else can have it yet.
    expect(await manager.getLock("/plan")).toBeDefined();
    const { code, stderr } = await running.ended;
    expect(stderr).toMatch(/lock lost: ending the command/);
    expect(code).toBe(76);
    expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({
      failed: "lock",
      stopped: true,
      lost: { code: "lost" },
      released: false,
      child: { exit_code: 3 },
    });
  });

  test("and a command that does not listen is killed before the lock expires", async () => {
    const script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    const running = desk.start(["run", "/plan", "--ttl", "3s", "--", "sh", "-c", `echo pid $$; ${script}`]);
    const [, pid] = await running.says(/pid (\d+)\n[^]*ready/);
    const manager = await desk.manager();
    await desk.stopServers();
    // The first moment at which somebody else could have it.
    await manager.acquireLock("/plan", "bob", { timeout: "10s" });
    expect(isAlive(Number(pid))).toBe(false);
    expect((await running.ended).code).toBe(76);
  });
});

/** As a shell takes apart what is to be typed. */
function split(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
}

describe("serve --socket", () => {
  const socketOf = (desk: Desk): string => join(desk.project, "lock.sock");

  function statusAt(socketPath: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      request({ socketPath, path: "/readyz", agent: false }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode));
      })
        .on("error", reject)
        .end();
    });
  }

  test("listens there too, for this user alone, says so, and takes the file away when it stops", async () => {
    const server = desk.start([...serve, "--socket", "lock.sock"]);
    const [words] = await server.says(/engram-lock \S+ is running.\n[^]*Ctrl-C stops the server.\n/);
    expect(words).toMatch(/^ {4}address {3}http:\/\/127/m);
    expect(words).toContain(`    socket    unix:${socketOf(desk)}\n`);
    expect(statSync(socketOf(desk)).mode & 0o777).toBe(0o600);
    expect(await statusAt(socketOf(desk))).toBe(200);
    server.kill("SIGTERM");
    expect((await server.ended).code).toBe(0);
    expect(existsSync(socketOf(desk))).toBe(false);
  });

  test("may be all there is", async () => {
    const server = desk.start(["serve", "--listen", "none", "--socket", "lock.sock", "--json"]);
    const [text] = await server.says(/\{[^]*\}\n/);
    const url = `unix:${socketOf(desk)}`;
    expect(JSON.parse(text)).toEqual({
      url,
      socket: url,
      store: expect.stringMatching(/^file:/),
      durable: true,
      promise: "correctness",
    });
    expect(await statusAt(socketOf(desk))).toBe(200);
  });

  test("replaces the socket of a server that was killed, and never that of one that runs", async () => {
    const options = [...serve, "--store", "memory:", "--socket", "lock.sock"];
    const first = desk.start(options);
    await first.says(/is running/);
    const second = await desk.run(options);
    expect(second.code).toBe(69);
    expect(second.stderr).toMatch(
      /^engram-lock: Cannot listen on the socket ".*lock.sock": a server answers/,
    );
    expect(await statusAt(socketOf(desk))).toBe(200);
    first.kill("SIGKILL");
    await first.ended;
    expect(existsSync(socketOf(desk))).toBe(true);
    await desk.start(options).says(/is running/);
    expect(await statusAt(socketOf(desk))).toBe(200);
  });

  test.each([
    [["--socket", `/${"x".repeat(110)}`], 64, "at most 103 bytes"],
    [["--socket", "/nowhere/lock.sock"], 78, 'Cannot listen on the socket "/nowhere/lock.sock"'],
    [["--listen", "none"], 64, "give --socket PATH"],
  ])("%j exits with %i and says why", async (args, code, words) => {
    const result = await desk.run([...serve, ...args]);
    expect(result.stderr).toContain(words);
    expect(result.code).toBe(code);
  });

  test("stands in what --print-config shows", async () => {
    const { stdout } = await desk.run([...serve, "--socket", "lock.sock", "--print-config"]);
    expect(JSON.parse(stdout)).toMatchObject({ socket: { value: socketOf(desk) } });
  });
});
