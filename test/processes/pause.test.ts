/** A process that is stopped beyond the ttl of its lock, and goes on. */
import { expect, onTestFinished, test } from "vitest";
import { createLockManager } from "../../src/create-lock-manager.js";
import { scratch, startAgent } from "./agents.js";
import { pauseInRounds } from "./pause/rounds.js";

const rounds = 10;

test(`A holder that was stopped beyond its ttl sees at once that its lock is lost, and its fenced write is refused (${rounds} times).`, {
  timeout: 90_000,
}, async () => {
  const { url } = await scratch();
  const { lost, refused, written } = await pauseInRounds({ rounds, url });
  expect({ lost, refused, written }).toEqual({ lost: rounds, refused: rounds, written: 2 * rounds });
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
  expect(await agent.next()).toEqual(["writes", token]);
  expect(await agent.next()).toEqual(["extend", "extended"]);
  expect(await agent.next()).toEqual(["release", "true"]);
});
