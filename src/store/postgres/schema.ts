/** Makes the adapter's schema, or sees that it is one that this version understands. */
import { StoreError } from "../store.js";
import type { Address } from "./address.js";
import type { Home } from "./calls.js";
import type { Connection } from "./connection.js";
import { definitions, version } from "./definitions.js";

const oldestServer = 130_000;
/** Several processes may open the store at once, and one makes the schema: nobody needs that long. */
const withinMs = 10_000;

export interface Prepared {
  readonly home: Home;
  /** The server flushes what it acknowledges. */
  readonly flushes: boolean;
}

/** Rejects with a StoreError that says what is wrong with the server, or with the driver's error. */
export async function prepare(
  connection: Connection,
  { shown, schema, namespace }: Address,
): Promise<Prepared> {
  const refuse = (why: string): StoreError =>
    new StoreError(`Cannot use PostgreSQL at ${shown}: ${why}.`, { outcome: "none", retryable: false });
  const ask = async (text: string, ...values: string[]) =>
    (await connection.ask({ text, values }, withinMs))[0];
  const quoted = `"${schema}"`;

  const server = await ask(
    `select current_setting('server_version_num')::int, current_setting('server_version'), getdatabaseencoding(),
      current_setting('fsync') = 'on', to_regclass($1) is not null`,
    `${quoted}.version`,
  );
  const [number, name, encoding, flushes, exists] = server ?? [];
  if (Number(number) < oldestServer) throw refuse(`it is version ${String(name)}, and at least 13 is needed`);
  if (encoding !== "UTF8") {
    throw refuse(
      `the encoding of the database is ${String(encoding)}, and must be UTF8; use another database`,
    );
  }
  if (exists !== true) await connection.run(creation(schema), withinMs);
  const [found] = (await ask(`select max(version) from ${quoted}.version`)) ?? [];
  if (found !== version) {
    throw refuse(
      `its schema ${quoted} is version ${String(found)}, and this engram-lock knows version ${version}; use the version of engram-lock that made it, or another schema`,
    );
  }
  const select = `select id, '${quoted}.space'::regclass::oid from ${quoted}.space where name = $1`;
  let space = await ask(select, namespace);
  if (space === undefined) {
    await ask(`insert into ${quoted}.space (name) values ($1) on conflict do nothing`, namespace);
    space = await ask(select, namespace);
  }
  const [id, table] = space ?? [];
  const channel = `engram_lock_${String(table)}_${String(id)}`;
  return { home: { schema: quoted, namespace, channel }, flushes: flushes === true };
}

/** In one statement, whose transaction ends even if this process stops in the middle. */
function creation(schema: string): string {
  return `do $engram$ begin
    perform pg_advisory_xact_lock(hashtext('engram-lock'), hashtext('${schema}'));
    if to_regnamespace('"${schema}"') is null then
      create schema "${schema}";
    end if;
    if to_regclass('"${schema}".version') is null then
      execute $definitions$ ${definitions(`"${schema}"`)} $definitions$;
    end if;
  end $engram$`;
}
