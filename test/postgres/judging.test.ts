/** What one commit is judged by, when others run at the same time: the state behind the lock, whatever the session's isolation. */
import { describe, expect, onTestFinished } from "vitest";
import type { Change, Store } from "../../src/store/store.js";
import { apply, change, entryAt, put, revisionOf } from "../conformance/changes.js";
import { administer } from "../servers/postgres.js";
import { onPostgres, openStore, until, urlWith } from "./stage.js";

const pathsPerCommit = 10;
const rounds = 200;

describe.each(["read committed", "repeatable read", "serializable"])(
  "With transactions that begin as %s",
  (isolation) => {
    const it = onPostgres([`default_transaction_isolation=${isolation}`]);

    it("a tree and what is below it are never both taken, in thousands of races of whole batches", async (server) => {
      const url = urlWith(server.url);
      const [above, one, two] = [await openStore(url), await openStore(url), await openStore(url)];
      const won = { tree: 0, below: 0 };
      for (let round = 0; round < rounds; round++) {
        const paths = Array.from({ length: pathsPerCommit }, (_, n) => `/${round}/${n}`);
        // The three do the same work, so that now the one is first and now the other.
        const trees = takeTrees(above, paths);
        const below = Promise.all([takeBelow(one, paths, "x"), takeBelow(two, paths, "y")]);
        const [tookTree, [tookX, tookY]] = [await trees, await below];
        for (const path of paths.keys()) {
          const isBelow = tookX[path] === true || tookY[path] === true;
          expect({ path, both: tookTree[path] === true && isBelow }).toEqual({ path, both: false });
          if (tookTree[path] === true) won.tree++;
          else if (isBelow) won.below++;
        }
      }
      // Nobody can have stood in everybody's way.
      expect(won.tree + won.below).toBe(rounds * pathsPerCommit);
      expect(Math.min(won.tree, won.below)).toBeGreaterThan(0);
    });

    it("one of many who take the same keys has them, and revisions rise in the order of the commits", async (server) => {
      const url = urlWith(server.url);
      const stores = [await openStore(url), await openStore(url), await openStore(url), await openStore(url)];
      let last = 0;
      for (let round = 0; round < 50; round++) {
        const keys = Array.from({ length: 8 }, (_, n) => `key/${round}/${n}`);
        const changes = keys.map((key) =>
          change({ expect: [{ key, revision: 0 }], put: [{ key, value: round }] }),
        );
        const replies = await Promise.all(stores.map((store) => store.commit(changes)));
        const winners = replies.filter(({ outcomes }) => outcomes.every(({ applied }) => applied));
        expect(winners).toHaveLength(1);
        const refusals = replies.flatMap(({ outcomes }) => outcomes.filter(({ applied }) => !applied));
        expect(refusals).toHaveLength((stores.length - 1) * keys.length);
        const revision = revisionOf(winners[0]!.outcomes[0]!);
        expect(revision).toBeGreaterThan(last);
        last = revision;
      }
    });

    it("a read waits for the commit that is under way: a time past its `notAfter` is never told without it", async (server) => {
      const url = urlWith(server.url, { schema: "flushes_slowly" });
      const [writer, reader] = [await openStore(url), await openStore(url)];
      await slowDownFlushes(server.url);
      const { storeTime } = await reader.read({});
      const notAfter = storeTime + 400;
      const commit = writer.commit([change({ put: [{ key: "a", value: 1 }], notAfter })]);
      await until(async () => (await underway(server.url)) > 0);
      // The commit was judged before its `notAfter`, and becomes visible only after it.
      await until(async () => (await now(server.url)) > notAfter);
      const reply = await reader.read({ keys: ["a"] });
      expect(reply.storeTime).toBeGreaterThan(notAfter);
      expect(reply.entries[0]).toMatchObject({ value: 1 });
      expect((await commit).outcomes).toMatchObject([{ applied: true }]);
    });
  },
);

async function takeTrees(store: Store, paths: readonly string[]): Promise<boolean[]> {
  const below = paths.map((path) => ({ prefix: `lock${path}/` }));
  const { ranges, revision } = await store.read({ ranges: below });
  const changes: Change[] = paths.map((path, n) =>
    change({
      expect: [
        { key: `lock${path}`, revision: 0 },
        { range: below[n]!, unchangedSince: revision },
      ],
      put: [{ key: `lock${path}`, value: "tree" }],
    }),
  );
  const free = paths.map((_, n) => ranges[n]!.length === 0);
  const { outcomes } = await store.commit(changes.filter((_, n) => free[n]));
  const applied = outcomes.map((outcome) => outcome.applied);
  return free.map((isFree) => isFree && applied.shift() === true);
}

async function takeBelow(store: Store, paths: readonly string[], name: string): Promise<boolean[]> {
  // As far as the others, who read first.
  await store.read({ keys: paths });
  const { outcomes } = await store.commit(
    paths.map((path) =>
      change({
        expect: [{ key: `lock${path}`, revision: 0 }],
        put: [{ key: `lock${path}/${name}`, value: "below" }],
      }),
    ),
  );
  return outcomes.map((outcome) => outcome.applied);
}

/** A trigger that is only due when the transaction commits stands for a slow disk: judged, but not yet visible to others. */
async function slowDownFlushes(url: string): Promise<void> {
  await administer(
    url,
    `create or replace function wait_a_little() returns trigger language plpgsql as
      $$ begin perform pg_sleep(1); return null; end $$;
    create constraint trigger slow after insert on flushes_slowly.entry deferrable initially deferred
      for each row execute function wait_a_little();`,
  );
  onTestFinished(() => administer(url, "drop schema flushes_slowly cascade").then(() => undefined));
}

async function underway(url: string): Promise<number> {
  const [row] = await administer(
    url,
    "select count(*)::int from pg_stat_activity where wait_event = 'PgSleep'",
  );
  return Number(row?.[0]);
}

async function now(url: string): Promise<number> {
  const [row] = await administer(url, "select extract(epoch from clock_timestamp()) * 1000");
  return Number(row?.[0]);
}

describe("A commit", () => {
  const it = onPostgres();

  it("of a namespace sees and hinders nothing of another, nor of another schema", async (server) => {
    const urls = [
      urlWith(server.url, { namespace: "a" }),
      urlWith(server.url, { namespace: "b" }),
      urlWith(server.url, { namespace: "a", schema: "other" }),
    ];
    const stores = await Promise.all(urls.map((url) => openStore(url)));
    const heard: string[] = [];
    await stores[1]!.subscribe((paths) => heard.push(...paths));
    for (const [n, store] of stores.entries()) {
      await apply(store, change({ put: [{ key: "x", value: n }], announce: [`/${n}`] }));
    }
    for (const [n, store] of stores.entries()) {
      const { ranges } = await store.read({ ranges: [{ prefix: "" }] });
      expect(ranges[0]).toMatchObject([{ key: "x", value: n }]);
    }
    await until(() => heard.length > 0);
    expect(heard).toEqual(["/1"]);
  });

  it("takes its revision from store time, which does not go back when the server's clock does", async (server) => {
    const store = await openStore(urlWith(server.url, { namespace: "steps" }));
    const ahead = Math.floor((await store.read({})).storeTime) * 1000 + 3_600_000_000;
    await administer(
      server.url,
      `update engram_lock.space set revision = ${ahead}, time_us = ${ahead} where name = 'steps'`,
    );
    const fresh = await openStore(urlWith(server.url, { namespace: "steps" }));
    expect((await fresh.read({})).storeTime).toBe(ahead / 1000);
    expect(await apply(fresh, put("a"))).toBe(ahead + 1);
    expect(await apply(fresh, put("a"))).toBe(ahead + 2);
    const late = change({ put: [{ key: "b", value: 1 }], notAfter: ahead / 1000 - 1 });
    expect((await store.commit([late])).outcomes).toMatchObject([{ applied: false, late: true }]);
  });

  it("whose revision would be no safe integer is refused, and nothing of it is applied", async (server) => {
    const store = await openStore(urlWith(server.url, { namespace: "full" }));
    await administer(
      server.url,
      `update engram_lock.space set revision = ${Number.MAX_SAFE_INTEGER} where name = 'full'`,
    );
    await expect(store.commit([put("a")])).rejects.toMatchObject({ outcome: "none", retryable: false });
    expect(await entryAt(store, "a")).toBeUndefined();
  });

  it("with a key that PostgreSQL cannot keep is refused for good", async (server) => {
    const store = await openStore(urlWith(server.url));
    const refused = { outcome: "none", retryable: false };
    await expect(store.commit([put("a\u0000b")])).rejects.toMatchObject(refused);
    const random = Array.from({ length: 4_000 }, (_, n) => ((n * 2_654_435_761) % 8_191).toString(36)).join(
      "",
    );
    await expect(store.commit([put(random)])).rejects.toMatchObject(refused);
    await apply(store, put(random.slice(0, 2_600)));
  });

  it("announces thousands of long paths, in as many notifications as it takes", async (server) => {
    const store = await openStore(urlWith(server.url));
    const heard = new Set<string>();
    await store.subscribe((paths) => {
      for (const path of paths) heard.add(path);
    });
    const paths = Array.from({ length: 2_000 }, (_, n) => `/${"é".repeat(n % 500)}/${n}`);
    await apply(store, change({ announce: paths }));
    await until(() => heard.size === paths.length);
    expect(heard).toEqual(new Set(paths));
  });

  it("is durable even where the server's sessions do not wait for the flush, unless it only asks", async (server) => {
    const setting = urlWith(server.url, { options: "-c synchronous_commit=off", namespace: "flushed" });
    const store = await openStore(setting);
    await administer(
      server.url,
      `create table engram_lock.seen (setting text);
      create function engram_lock.note() returns trigger language plpgsql as
        $$ begin insert into engram_lock.seen values (current_setting('synchronous_commit')); return null; end $$;
      create constraint trigger note after update on engram_lock.space deferrable initially deferred
        for each row execute function engram_lock.note();`,
    );
    await apply(store, put("a"));
    await apply(store, change({ expect: [{ key: "b", revision: 0 }] }));
    expect(await administer(server.url, "select setting from engram_lock.seen")).toEqual([["on"], ["off"]]);
  });
});
