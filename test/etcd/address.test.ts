/** URLs of etcd stores. */
import { describe, expect, test } from "vitest";
import { LockError } from "../../src/errors.js";
import { openStore } from "../../src/open-store.js";
import { parseAddress } from "../../src/store/etcd/address.js";
import { failureOf } from "./stage.js";

describe("The URL of an etcd store", () => {
  test("names the members, and the usual port is understood", () => {
    expect(parseAddress("etcd://one:23790,two,[::1]:2379,four:80").endpoints).toEqual([
      "http://one:23790",
      "http://two:2379",
      "http://[::1]:2379",
      "http://four:80",
    ]);
    expect(parseAddress("etcds://one:443,two").endpoints).toEqual(["https://one:443", "https://two:2379"]);
  });

  test("has defaults for everything else", () => {
    expect(parseAddress("etcd://one")).toEqual({
      endpoints: ["http://one:2379"],
      namespace: "engram-lock",
      maxClockSkewMs: 1_000,
      maxTxnOps: 128,
    });
  });

  test("says user, namespace and clock skew", () => {
    expect(parseAddress("etcd://ann:p%40ss%3A@one/?namespace=team-a&maxClockSkew=250ms")).toMatchObject({
      user: { name: "ann", password: "p@ss:" },
      namespace: "team-a",
      maxClockSkewMs: 250,
    });
  });

  for (const url of [
    "etcd:",
    "etcd://",
    "etcd://one,,two",
    "etcd://one:99999",
    "etcd://one/path",
    "etcd://one?colour=red",
    "etcd://ann@one",
    "etcd://:secret@one",
    "etcd://ann:%ff@one",
    "etcd://one?namespace=a/b",
    "etcd://one?namespace=",
    "etcd://one?maxClockSkew=-1s",
    "etcd://one?maxClockSkew=1h",
    "etcd://one?maxTxnOps=1",
    "etcd://one?maxTxnOps=1e3",
    "etcd://one?ca=/etc/hostname",
    "etcds://one?ca=/no/such/file",
    "etcds://one?cert=/etc/hostname",
  ])
    test(`${url} is refused`, async () => {
      const error = await failureOf(openStore(url));
      expect(error).toBeInstanceOf(LockError);
      expect(error).toMatchObject({ code: "invalid" });
    });

  test("that is refused does not show its password", async () => {
    const error = await failureOf(openStore("etcd://ann:secret@one/?colour=red"));
    expect(String(error)).not.toContain("secret");
    expect(String(error)).toContain("ann:***@one");
  });
});
