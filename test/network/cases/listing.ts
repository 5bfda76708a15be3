/** Many locks, and several lock spaces. */
import { expect, test } from "vitest";
import { listen } from "../../conformance/cases/hints.js";
import { attempt } from "../../conformance/changes.js";
import { type FindPlace, managerOn, storeAt } from "../network-suite.js";

const count = 100_000;
const atOnce = 20;
const workers = 128;

export function listingCases(find: FindPlace): void {
  test("100,000 held locks are listed in pages, each once.", { timeout: 120_000 }, async ({ skip }) => {
    const { url } = await find(skip);
    const locks = await managerOn(url, { maxRetries: 10 });
    const began = performance.now();
    let taken = 0;
    const work = async (): Promise<void> => {
      while (taken < count) {
        const first = taken;
        taken += atOnce;
        const paths = Array.from({ length: atOnce }, (_, n) => pathOf(first + n));
        await locks.acquireMultipleLocks(paths, `agent-${first}`, { ttl: "1h" });
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    const put = performance.now();

    const listed = new Set<string>();
    let pages = 0;
    let cursor: string | undefined;
    do {
      const page = await locks.listLocks({ limit: 1_000, ...(cursor !== undefined && { cursor }) });
      for (const { resourcePath } of page.locks) {
        expect(listed.has(resourcePath)).toBe(false);
        listed.add(resourcePath);
      }
      pages++;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(listed.size).toBe(count);
    expect(pages).toBeGreaterThanOrEqual(count / 1_000);
    const seconds = (from: number, to: number): string => ((to - from) / 1_000).toFixed(1);
    console.log(
      `100,000 locks: taken in ${seconds(began, put)} s, listed in ${seconds(put, performance.now())} s`,
    );
  });

  test("Two namespaces of one database know nothing of each other.", async ({ skip }) => {
    const [one, other] = [await find(skip), await find(skip)];
    const [here, there] = [await managerOn(one.url), await managerOn(other.url)];
    const mine = await here.acquireLock("/a", "ann", { scope: "tree" });
    const theirs = await there.acquireLock("/a/b", "bob");
    expect((await here.listLocks()).locks.map(({ lockId }) => lockId)).toEqual([mine.lockId]);
    expect((await there.listLocks()).locks.map(({ lockId }) => lockId)).toEqual([theirs.lockId]);
    expect(await there.getAgentLocks("ann")).toEqual([]);
    const [ear, otherEar] = [await listen(await storeAt(one.url)), await listen(await storeAt(other.url))];
    await attempt(await storeAt(one.url), { announce: ["/only/here"] });
    await ear.hears("/only/here");
    await attempt(await storeAt(other.url), { announce: ["/only/there"] });
    await otherEar.hears("/only/there");
    expect(otherEar.heard).not.toContain("/only/here");
  });
}

function pathOf(n: number): string {
  return `/repo/${n % 97}/file-${n}.ts`;
}
