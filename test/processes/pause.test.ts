/** A process that is stopped beyond the ttl of its lock, and goes on. */
import { expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { scratch, startAgent } from "./agents.js";

const rounds = 10;

test(`A holder that was stopped beyond its ttl sees at once that its lock is lost (${rounds} times).`, {
  timeout: 90_000,
}, async () => {
  const { url } = await scratch();
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const agent = await startAgent(url, "hold", ["/a", "400ms"]);
  for (let round = 0; round < rounds; round++) {
    agent.tell("take it");
    const [what, token] = await agent.next();
    expect(what).toBe("held");
    agent.signal("SIGSTOP");
    const next = await locks.acquireLock("/a", "bob", { timeout: "10s", ttl: "1m" });
    expect(next.fencingToken).toBeGreaterThan(Number(token));
    agent.tell("look");
    agent.signal("SIGCONT");
    expect(await agent.next()).toEqual(["sees", "lost"]);
    expect(await agent.next()).toEqual(["extend", "lost"]);
    expect(await agent.next()).toEqual(["release", "false"]);
    expect(await agent.next()).toEqual(["by", "id", "false"]);
    expect(await locks.getLock("/a")).toMatchObject({ lockId: next.lockId });
    expect(await next.release()).toBe(true);
  }
  agent.finish();
  expect(await agent.ended).toBe(0);
});

test("A holder that was stopped for less than its ttl keeps its lock, and extends it once it goes on.", {
  timeout: 30_000,
}, async () => {
  const { url } = await scratch();
  const locks = await createLockManager({}, url);
  onTestFinished(() => locks.close());
  const agent = await startAgent(url, "hold", ["/a", "3s"]);
  agent.tell("take it");
  const [, token] = await agent.next();
  agent.signal("SIGSTOP");
  const before = (await locks.getLock("/a"))?.expiresAt.getTime() ?? 0;
  // Beyond a third of the ttl, when it was to be extended.
  const waiting = locks.acquireLock("/a", "bob", { timeout: 1_300 });
  await expect(waiting).rejects.toMatchObject({ code: "held" });
  agent.signal("SIGCONT");
  await expect
    .poll(async () => (await locks.getLock("/a"))?.expiresAt.getTime() ?? 0, { timeout: 5_000 })
    .toBeGreaterThan(before);
  expect((await locks.getLock("/a"))?.fencingToken).toBe(Number(token));
  agent.tell("look");
  expect(await agent.next()).toEqual(["sees", "held"]);
  expect(await agent.next()).toEqual(["extend", "extended"]);
  expect(await agent.next()).toEqual(["release", "true"]);
});
