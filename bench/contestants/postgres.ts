/**
 * Locks on PostgreSQL: our manager on it; a table with a row for each lock, taken with INSERT … ON CONFLICT and deleted to give it back; and
 * the server's own advisory locks, which end with the session that holds them.
 */
import { randomUUID } from "node:crypto";
import pg from "pg";
import { onSite, type SiteKind } from "./contestant.js";
import { managerAt } from "./engram-lock.js";
import { sharePostgres } from "./postgres-server.js";

const why = "PostgreSQL is not installed";
/** More make both of them slower here. */
const connections = 16;

const engramPostgres = onSite({
  name: "PostgreSQL store",
  why,
  start: sharePostgres,
  at: (url) => managerAt("PostgreSQL store", url),
});

const take = `insert into row_locks (path, owner, expires_at) values ($1, $2, now() + interval '1 minute')
  on conflict (path) do update set owner = excluded.owner, expires_at = excluded.expires_at
  where row_locks.expires_at < now() returning owner`;

const postgresRows = onSite({
  name: "PostgreSQL rows",
  why,
  start: sharePostgres,
  async at(url) {
    const pool = openPool(url);
    await pool.query(
      "create table if not exists row_locks (path text primary key, owner text, expires_at timestamptz)",
    );
    return {
      name: "PostgreSQL rows",
      queues: false,
      async hold(path, _worker, work) {
        const owner = randomUUID();
        const { rowCount } = await pool.query({ name: "take", text: take, values: [path, owner] });
        if (rowCount !== 1) throw new Error(`${path} is taken`);
        await work();
        const text = "delete from row_locks where path = $1 and owner = $2";
        await pool.query({ name: "give back", text, values: [path, owner] });
      },
      close: () => pool.end(),
    };
  },
});

const postgresAdvisoryLocks = onSite({
  name: "advisory locks",
  why,
  start: sharePostgres,
  async at(url) {
    const pool = openPool(url);
    return {
      name: "advisory locks",
      queues: true,
      async hold(path, _worker, work) {
        // The lock is the session's, so its connection is held as well.
        const client = await pool.connect();
        try {
          await client.query({
            name: "take",
            text: "select pg_advisory_lock(hashtextextended($1, 0))",
            values: [path],
          });
          await work();
          await client.query({
            name: "give back",
            text: "select pg_advisory_unlock(hashtextextended($1, 0))",
            values: [path],
          });
        } finally {
          client.release();
        }
      },
      close: () => pool.end(),
    };
  },
});

/** Our own manager first, and then its peers, all on one server. */
export const postgresStore: readonly SiteKind[] = [engramPostgres, postgresRows, postgresAdvisoryLocks];

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  // When the server ends, connections that say goodbye may still be told so, and an error that nobody hears would end the process.
  pool.on("error", () => {});
  return pool;
}
