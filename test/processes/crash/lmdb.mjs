// LMDB, with the moments named at which a process may be killed.

import { basename } from "node:path";
import * as lmdb from "lmdb";
import { duringFlush, reach } from "./failpoints.mjs";

/** Exported by LMDB, but not declared. */
export const { nativeAddon } = /** @type {any} */ (lmdb);

/** @typedef {import("lmdb").RootDatabase<Buffer, number | string>} Database */
/** @typedef {(...args: any[]) => any} Method */

/** @type {(options: import("lmdb").RootDatabaseOptionsWithPath) => new (name: null, settings: object) => Database} */
export function openAsClass(options) {
  reach("opening");
  const Database = /** @type {new (name: null, settings: object) => Database} */ (
    /** @type {unknown} */ (lmdb.openAsClass(options))
  );
  const isLog = basename(options.path ?? "") === "locks.mdb";
  return class extends Database {
    /** @param {null} name @param {object} settings */
    constructor(name, settings) {
      reach("opening");
      super(name, settings);
      reach("opening");
      if (isLog) nameMoments(this);
    }
  };
}

/** @param {Database} database */
function nameMoments(database) {
  const { transactionSync } = database;
  const { putSync, removeSync, get, doesExist } =
    /** @type {{ putSync: Method, removeSync: Method, get: Method, doesExist: Method }} */ (database);
  /** Whether the row that this process had last is gone, so that it reads the log anew. */
  let isBehind = false;
  Object.assign(database, {
    /** @type {<T>(work: () => T) => T} */
    transactionSync(work) {
      reach("before-transaction");
      reach("creating");
      /** @type {() => void} */
      let flushed = () => {};
      const result = transactionSync.call(database, () => {
        const answer = work();
        reach("after-row");
        flushed = duringFlush();
        return answer;
      });
      flushed();
      reach("after-flush");
      return /** @type {any} */ (result);
    },
    /** @type {Method} */
    putSync(...args) {
      reach("before-row");
      return putSync.apply(database, args);
    },
    /** @type {Method} */
    removeSync(...args) {
      const result = removeSync.apply(database, args);
      reach("cleaning");
      return result;
    },
    /** @type {Method} */
    get(...args) {
      const row = get.apply(database, args);
      if (typeof args[0] === "number" && row !== undefined) reach(isBehind ? "reading-anew" : "catching-up");
      return row;
    },
    /** @type {Method} */
    doesExist(...args) {
      const isThere = doesExist.apply(database, args);
      if (!isThere) isBehind = true;
      return isThere;
    },
  });
}
