/** Opens a store by its URL. The adapters are known by name only here; each is loaded when it is used. */
import type { Clock } from "./clock/clock.js";
import { systemClock } from "./clock/system-clock.js";
import { invalid } from "./errors.js";
import type { Store } from "./store/store.js";

export interface OpenStoreOptions {
  /** Default: the clock of this machine. */
  readonly clock?: Clock;
}

const allowed =
  '"memory:" (this process only), "file:PATH" (a directory on this machine), "postgres://HOST/DATABASE", "etcd://HOST:PORT" or "redis://HOST"';

/**
 * Opens a store: `memory:`; `file:PATH` for an embedded durable one in that directory, which any number of processes of this machine may share; or one
 * that those of any number of machines may share: `postgres://HOST/DATABASE` (needs the package `pg`), `etcd://HOST:PORT` (`etcds:` over TLS), or
 * `redis://HOST` (`rediss:` over TLS; needs the package `ioredis`). What else their URLs may say is in `docs/stores.md`.
 *
 * @throws LockError `invalid` when the URL names no store; StoreError when the store cannot be opened.
 */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  const { clock = systemClock } = options;
  if (typeof url !== "string") throw invalid("store", url, allowed);
  const scheme = /^([a-z]+):(.*)$/s.exec(url);
  switch (scheme?.[1]) {
    case "memory": {
      if (scheme[2] !== "") throw invalid("store", url, allowed);
      const { openMemoryStore } = await import("./store/memory/memory-store.js");
      return openMemoryStore({ clock });
    }
    case "file": {
      const directory = (scheme[2] ?? "").replace(/^\/\/(?=\/)/, "");
      if (directory === "") throw invalid("store", url, allowed);
      const { openEmbeddedStore } = await import("./store/embedded/embedded-store.js");
      return openEmbeddedStore(directory, { clock });
    }
    case "postgres":
    case "postgresql": {
      const { openPostgresStore } = await import("./store/postgres/postgres-store.js");
      return openPostgresStore(url, { clock });
    }
    case "etcd":
    case "etcds": {
      const { openEtcdStore } = await import("./store/etcd/etcd-store.js");
      return openEtcdStore(url, { clock });
    }
    case "redis":
    case "rediss": {
      const { openRedisStore } = await import("./store/redis/open-redis-store.js");
      return openRedisStore(url, { clock });
    }
    default:
      throw invalid("store", url, allowed);
  }
}
