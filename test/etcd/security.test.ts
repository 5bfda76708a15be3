/** Users and TLS. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { apply, put, valueAt } from "../conformance/changes.js";
import { ask, needEtcd, startEtcd, startEtcdOverTls } from "../servers/etcd.js";
import { findProgram, need, type TestServer } from "../servers/server.js";
import { failureOf, openFor, untilItWorks } from "./stage.js";

const refused = { name: "StoreError", outcome: "none", retryable: false };

describe("With users", () => {
  let server: TestServer;
  let withUser: (login: string) => string;

  async function start(): Promise<void> {
    server = await startEtcd();
    withUser = (login) => server.url.replace("//", `//${login}@`);
    const origin = `http://127.0.0.1:${server.port}`;
    const encoded = (text: string): string => Buffer.from(text).toString("base64");
    for (const [path, body] of [
      ["user/add", { name: "root", password: "secret of root" }],
      ["role/add", { name: "root" }],
      ["user/grant", { user: "root", role: "root" }],
      ["user/add", { name: "locks", password: "p:a/s@s" }],
      ["role/add", { name: "locks" }],
      [
        "role/grant",
        {
          name: "locks",
          perm: { permType: "READWRITE", key: encoded("team-a/"), range_end: encoded("team-a0") },
        },
      ],
      ["user/grant", { user: "locks", role: "locks" }],
      ["enable", {}],
    ] as const)
      await ask(origin, `/v3/auth/${path}`, body);
  }
  afterEach(() => server?.stop());

  test("A user who may use the namespace's prefix can use the store, and no other one.", async ({ skip }) => {
    needEtcd(skip);
    await start();
    const login = `locks:${encodeURIComponent("p:a/s@s")}`;
    const store = await openFor(`${withUser(login)}/?namespace=team-a`);
    await apply(store, put("a", 1));
    expect(await valueAt(store, "a")).toBe(1);
    const elsewhere = await failureOf(openFor(`${withUser(login)}/?namespace=team-b`));
    expect(elsewhere).toMatchObject(refused);
  });

  test("A wrong password, and none at all, are refused for good.", async ({ skip }) => {
    needEtcd(skip);
    await start();
    expect(await failureOf(openFor(withUser("locks:wrong")))).toMatchObject(refused);
    expect(await failureOf(openFor(server.url))).toMatchObject(refused);
  });

  test("A token that the server has forgotten is renewed without a word.", async ({ skip }) => {
    needEtcd(skip);
    await start();
    const store = await openFor(withUser("root:secret%20of%20root"));
    await apply(store, put("a", 1));
    await server.kill();
    await server.restart();
    await untilItWorks(() => apply(store, put("a", 2)), 2_000);
    expect(await valueAt(store, "a")).toBe(2);
  });
});

describe("Over TLS", () => {
  const openssl = findProgram("openssl");
  let folder: string;
  let server: TestServer | undefined;
  const at = (name: string): string => join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "engram-lock-tls-"));
    if (openssl === undefined) return;
    await certify(openssl, folder);
  }, 30_000);
  afterEach(() => server?.stop());
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function startTls(): Promise<string> {
    server = await startEtcdOverTls(
      [
        `--cert-file=${at("server.pem")}`,
        `--key-file=${at("server.key")}`,
        `--trusted-ca-file=${at("ca.pem")}`,
        "--client-cert-auth",
      ],
      { ca: at("ca.pem"), cert: at("client.pem"), key: at("client.key") },
    );
    return server.url;
  }

  test("The store shows its certificate, and checks the server's.", async ({ skip }) => {
    needEtcd(skip);
    need(openssl, "openssl", skip);
    const url = await startTls();
    const store = await openFor(
      `${url}/?ca=${at("ca.pem")}&cert=${at("client.pem")}&key=${at("client.key")}`,
    );
    await apply(store, put("a", 1));
    expect(await valueAt(store, "a")).toBe(1);
    const other = `${url}/?ca=${at("other-ca.pem")}&cert=${at("client.pem")}&key=${at("client.key")}`;
    expect(await failureOf(openFor(other))).toMatchObject(refused);
    const anonymous = `${url}/?ca=${at("ca.pem")}`;
    expect(await failureOf(openFor(anonymous))).toMatchObject({ name: "StoreError", outcome: "none" });
  });
});

/** An authority with a certificate for 127.0.0.1 and one for a client, and another authority. */
async function certify(openssl: string, folder: string): Promise<void> {
  const run = (...words: string[]): void => {
    execFileSync(openssl, words, { cwd: folder, stdio: "ignore" });
  };
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const name of ["ca", "other-ca"])
    run(
      "req",
      "-x509",
      ...ec,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
      "-days",
      "2",
    );
  await writeFile(
    join(folder, "names"),
    "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
  );
  for (const name of ["server", "client"]) {
    run("req", ...ec, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
    run("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.pem`);
  }
}
