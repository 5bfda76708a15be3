/**
 * Locks on etcd: ours, and the usual ones, which use the JSON gateway, on one server of our own. It flushes every acknowledgement to disk, as etcd does
 * when it is left alone.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import { freePort } from "../../test/support/free-port.js";
import { scratchFolder } from "../scratch.js";
import { type Contestant, onSite, type Site, type SiteKind } from "./contestant.js";
import { managerAt } from "./engram-lock.js";

const program = "etcd";
const why = `no ${program} on the PATH`;

const engramEtcd = onSite({
  name: "etcd store",
  why,
  start: share,
  at: (origin) => managerAt("etcd store", origin.replace("http:", "etcd:")),
});
/** A key that is put if it is absent, and deleted if it is still the same: no lease, no waiting. */
const etcdPutIfAbsent = onSite({ name: "etcd, put if absent", why, start: share, at: openPutIfAbsent });
/** What the etcd3 package does: a lease of its own for each lock, which is revoked to give it back. No waiting. */
const etcdLeaseLock = onSite({ name: "etcd, lease per lock", why, start: share, at: openLeaseLock });
/** etcd's own lock service, which is the mutex of its Go client: it queues. One lease for each worker. */
const etcdLockService = onSite({ name: "etcd, lock service", why, start: share, at: openLockService });

export const onEtcd: readonly SiteKind[] = [engramEtcd, etcdPutIfAbsent, etcdLeaseLock, etcdLockService];

let server: Promise<Site | undefined> | undefined;
let users = 0;

/** All contestants share one server, which ends with the last of them. */
async function share(): Promise<Site | undefined> {
  server ??= startServer();
  const running = await server;
  if (running === undefined) return undefined;
  users++;
  return {
    url: running.url,
    async stop() {
      if (--users > 0) return;
      server = undefined;
      await running.stop();
    },
  };
}

async function openPutIfAbsent(origin: string): Promise<Contestant> {
  const { ask, close } = connect(origin);
  return {
    name: "etcd, put if absent",
    queues: false,
    async hold(path, _worker, work) {
      const key = encoded(`raw${path}`);
      const put = { compare: [{ key }], success: [{ requestPut: { key, value: key } }] };
      const taken = await ask("kv/txn", put);
      if (taken["succeeded"] !== true) throw new Error(`${path} is taken`);
      await work();
      const { revision } = taken["header"] as { revision: string };
      const compare = [{ key, target: "MOD", modRevision: revision }];
      await ask("kv/txn", { compare, success: [{ requestDeleteRange: { key } }] });
    },
    close,
  };
}

async function openLeaseLock(origin: string): Promise<Contestant> {
  const { ask, close } = connect(origin);
  return {
    name: "etcd, lease per lock",
    queues: false,
    async hold(path, _worker, work) {
      const key = encoded(`leased${path}`);
      const { ID } = await ask("lease/grant", { TTL: "60" });
      const put = { compare: [{ key }], success: [{ requestPut: { key, value: "", lease: ID } }] };
      const taken = await ask("kv/txn", put);
      if (taken["succeeded"] !== true) throw new Error(`${path} is taken`);
      await work();
      await ask("lease/revoke", { ID });
    },
    close,
  };
}

async function openLockService(origin: string): Promise<Contestant> {
  const { ask, close } = connect(origin);
  const leases = new Map<number, Promise<Record<string, unknown>>>();
  const leaseOf = async (worker: number): Promise<unknown> => {
    const granted = leases.get(worker) ?? ask("lease/grant", { TTL: "3600" });
    leases.set(worker, granted);
    return (await granted)["ID"];
  };
  return {
    name: "etcd, lock service",
    queues: true,
    async hold(path, worker, work) {
      const { key } = await ask("lock/lock", {
        name: encoded(`service${path}`),
        lease: await leaseOf(worker),
      });
      await work();
      await ask("lock/unlock", { key });
    },
    close,
  };
}

function encoded(text: string): string {
  return Buffer.from(text).toString("base64");
}

function connect(origin: string): {
  ask: (what: string, body: object) => Promise<Record<string, unknown>>;
  close: () => Promise<void>;
} {
  const pool = new Pool(origin, { connections: 256 });
  return {
    async ask(what, body) {
      const answer = await pool.request({
        path: `/v3/${what}`,
        method: "POST",
        body: JSON.stringify(body),
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(text);
      return JSON.parse(text) as Record<string, unknown>;
    },
    close: () => pool.close(),
  };
}

async function startServer(): Promise<Site | undefined> {
  const folder = scratchFolder("etcd");
  const [port, peerPort] = [await freePort(), await freePort()];
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const child = spawn(
    program,
    [
      `--data-dir=${join(folder.path, "data")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      "--log-level=error",
    ],
    { stdio: "ignore" },
  );
  const ended = once(child, "exit").catch(() => undefined);
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    folder.remove();
  };
  const started = await Promise.race([untilHealthy(client), ended.then(() => false)]);
  if (started) return { url: client, stop };
  folder.remove();
  return undefined;
}

async function untilHealthy(origin: string): Promise<boolean> {
  for (let attempt = 0; attempt < 400; attempt++) {
    try {
      const answer = await fetch(`${origin}/health`);
      if ((await answer.text()).includes("true")) return true;
    } catch {
      // It does not listen yet.
    }
    await sleep(25);
  }
  return false;
}
