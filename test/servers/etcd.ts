/** An etcd server of the tests' own, and URLs for namespaces that no other test uses. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { TestContext } from "vitest";
import { freePort } from "../support/free-port.js";
import { findProgram, need, startServer, type TestServer } from "./server.js";

export const etcdProgram = findProgram("etcd");

/** Skips the test, in words, where etcd is not installed. */
export function needEtcd(skip: TestContext["skip"]): void {
  if (given === undefined) need(etcdProgram, "etcd-server", skip);
}

const given = process.env["ENGRAM_LOCK_TEST_ETCD_URL"];

/** `undefined` where etcd is not installed. A server named by `ENGRAM_LOCK_TEST_ETCD_URL` is used as it is. */
export async function startSharedEtcd(): Promise<Pick<TestServer, "url" | "stop"> | undefined> {
  if (given !== undefined) return { url: given, stop: async () => {} };
  return etcdProgram === undefined ? undefined : startEtcd();
}

/** A server that can be killed, paused and started anew. */
export function startEtcd(flags: readonly string[] = []): Promise<TestServer> {
  return startAlone("http", flags, askSomething);
}

/** One that wants TLS; `files` are of a client that it trusts. */
export function startEtcdOverTls(
  flags: readonly string[],
  files: { readonly ca: string; readonly cert: string; readonly key: string },
): Promise<TestServer> {
  const [ca, cert, key] = [files.ca, files.cert, files.key].map((file) => readFileSync(file));
  return startAlone("https", flags, async (port) => {
    const client = request({ host: "127.0.0.1", port, path: "/health", ca, cert, key });
    client.end();
    const [answer] = (await once(client, "response")) as [IncomingMessage];
    answer.resume();
  });
}

async function startAlone(
  scheme: "http" | "https",
  flags: readonly string[],
  ask: (port: number) => Promise<void>,
): Promise<TestServer> {
  const peerPort = await freePort();
  return startServer({
    name: "etcd",
    command: etcdProgram ?? "etcd",
    arguments: ({ folder, port }) => [
      ...memberFlags({ name: "alone", folder, port, peerPort }, scheme),
      `--initial-cluster=alone=${peerUrl(peerPort)}`,
      ...flags,
    ],
    url: (port) => `${scheme === "http" ? "etcd" : "etcds"}://127.0.0.1:${port}`,
    ask,
  });
}

/** The members of one cluster, each on ports of its own. */
export async function startCluster(size: number): Promise<TestServer[]> {
  const peerPorts = await Promise.all(Array.from({ length: size }, () => freePort()));
  const cluster = peerPorts.map((port, n) => `member-${n}=${peerUrl(port)}`).join();
  return Promise.all(
    peerPorts.map((peerPort, n) =>
      startServer({
        name: "etcd",
        command: etcdProgram ?? "etcd",
        arguments: ({ folder, port }) => [
          ...memberFlags({ name: `member-${n}`, folder, port, peerPort }),
          `--initial-cluster=${cluster}`,
        ],
        url: (port) => `etcd://127.0.0.1:${port}`,
        ask: askSomething,
      }),
    ),
  );
}

interface Member {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly peerPort: number;
}

function memberFlags({ name, folder, port, peerPort }: Member, scheme = "http"): string[] {
  const client = `${scheme}://127.0.0.1:${port}`;
  return [
    `--name=${name}`,
    `--data-dir=${folder}/data`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peerUrl(peerPort)}`,
    `--initial-advertise-peer-urls=${peerUrl(peerPort)}`,
    "--log-level=error",
    "--unsafe-no-fsync",
  ];
}

function peerUrl(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** Any answer will do, also that a user is wanted. One without a leader is none yet. */
async function askSomething(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  if (!(await answer.text()).includes("true")) throw new Error("It is not healthy yet.");
}

/** One request to etcd's gateway, beside the store. */
export async function ask(origin: string, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${origin}${path}`, { method: "POST", body: JSON.stringify(body) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(text);
  return JSON.parse(text) as Record<string, unknown>;
}

/** The same URL with a namespace that nobody used before. */
export function fresh(url: string): string {
  return `${url}${url.includes("?") ? "&" : "/?"}namespace=${randomUUID()}`;
}
