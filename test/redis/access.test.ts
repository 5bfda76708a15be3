/** Encrypted connections, and users who may do no more than they need. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../conformance/cases/hints.js";
import { apply, attempt, failure, keysIn, put, remove } from "../conformance/changes.js";
import { codeBlocks, readDocument } from "../docs/documents.js";
import { askRedis } from "../servers/redis.js";
import { findProgram, need } from "../servers/server.js";
import { freePort } from "../support/free-port.js";
import { open, redis } from "./stage.js";

test("Over TLS, a server is used whose certificate is trusted, and no other.", async ({ skip }) => {
  const openssl = need(findProgram("openssl"), "openssl", skip);
  const folder = await mkdtemp(join(tmpdir(), "engram-lock-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  execFileSync(
    openssl,
    [
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      [
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        key,
        "-out",
        certificate,
      ],
    ].flat(),
    { stdio: "pipe" },
  );
  const port = await freePort();
  const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"];
  await redis(skip, ["--tls-port", `${port}`, ...files]);
  const url = `rediss://127.0.0.1:${port}`;
  await expect(open(url)).rejects.toThrow(failure({}));
  await expect(open(url)).rejects.toThrow(/certificate/);
  await expect(open(`redis://127.0.0.1:${port}`)).rejects.toThrow(failure({}));

  // Node reads the variable when it starts.
  const library = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
  const program = `import { createLockManager } from ${JSON.stringify(library)};
    const locks = await createLockManager({}, ${JSON.stringify(url)});
    const lock = await locks.acquireLock("/a", "ann");
    console.log(await lock.release());
    await locks.close();`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
  });
  expect(said).toBe("true\n");
});

test("A user with the rights that the document names can do all that is needed, and hints are heard.", async ({
  skip,
}) => {
  const server = await redis(skip);
  await askRedis(server.port, (asked) =>
    asked.call("ACL", "SETUSER", "locks", "on", ">secret", ...rightsInDocument()),
  );
  const url = server.url.replace("//", "//locks:secret@");
  const [store, other] = [await open(`${url}?namespace=mine`), await open(url)];
  const ear = await listen(store);
  await apply(store, put("a"), put("b"));
  await apply(store, remove("a"));
  expect(await keysIn(store, { prefix: "" })).toEqual(["b"]);
  expect(await keysIn(other, { prefix: "" })).toEqual([]);
  await attempt(store, { announce: ["/heard"] });
  await ear.hears("/heard");
});

test("A user who lacks one of the rights is refused, before anything is written by halves.", async ({
  skip,
}) => {
  const server = await redis(skip);
  for (const lacking of ["evalsha", "time", "hmget", "hset", "hdel", "zadd", "zrem", "zrangebylex"]) {
    const rules = [...rightsInDocument(), `-${lacking}`];
    await askRedis(server.port, (asked) => asked.call("ACL", "SETUSER", lacking, "on", ">secret", ...rules));
    const opening = open(server.url.replace("//", `//${lacking}:secret@`));
    await expect(opening).rejects.toThrow(failure({}));
  }
});

function rightsInDocument(): string[] {
  const [rights] = codeBlocks(readDocument("docs/stores.md")).filter(({ language }) => language === "acl");
  return rights!.code.trim().split(/\s+/);
}
